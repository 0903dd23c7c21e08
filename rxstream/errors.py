"""Everything that can go wrong, as a tree.

RxStreamError
├ TransportError           the wire
│ ├ ConnectError           no connection could be made
│ ├ DisconnectedError      the connection broke in the middle
│ ├ IdleTimeoutError       nothing came for too long
│ └ StatusError            the server answered with an HTTP error
├ ProtocolError            the peer broke the format
│ ├ FrameTooLargeError     a frame is larger than the ceiling
│ ├ ContentTypeError       the answer is no event stream
│ └ EventError             an event does not fit its type (only with strict=True)
├ TruncatedError           the wire closed politely, but no terminal event had come
├ ResponseError            the API says so
│ ├ ResponseFailedError    the response failed
│ ├ ApiError               an `error` event
│ ├ ResponseIncompleteError  the response was cut short
│ └ RefusalError           the model refused
├ ModerationError          a check flagged the text, and `on_flag="error"` was chosen
└ OutputError              good events, unusable content
  ├ SchemaError            the output does not fit the model
  └ ToolError              a tool call cannot be used

Every error carries what is known of the stream: `response_id`, `sequence_number` (of the last event), `request_id`.
All of them pickle. None ever holds the API key.
"""

from typing import Any


class RxStreamError(Exception):
    """The root of all errors of rxstream."""

    def __init__(
        self,
        message: str = "",
        *,
        response_id: str | None = None,
        sequence_number: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.response_id = response_id
        self.sequence_number = sequence_number
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(cls: type[RxStreamError], message: str, state: dict[str, Any]) -> RxStreamError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class TransportError(RxStreamError):
    """The wire failed."""


class ConnectError(TransportError):
    """No connection could be made, or it closed before any answer came."""


class DisconnectedError(TransportError):
    """The connection broke in the middle of the stream."""


class IdleTimeoutError(TransportError):
    """Nothing arrived for longer than the idle time allowed."""


class StatusError(TransportError):
    """The server answered with an HTTP status of 400 or more.

    `body` holds at most its first KiB; `retry_after` is in seconds where the server named a time.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int,
        body: str = "",
        code: str | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        **known: Any,
    ) -> None:
        super().__init__(message, **known)
        self.status = status
        self.body = body
        self.code = code
        self.retry_after = retry_after
        self.should_retry = should_retry


class ProtocolError(RxStreamError):
    """The peer broke the format."""


class FrameTooLargeError(ProtocolError):
    """A frame is larger than `max_frame_bytes`."""


class ContentTypeError(ProtocolError):
    """The answer is no event stream. `body` holds at most its first KiB."""

    def __init__(
        self, message: str = "", *, status: int, content_type: str | None = None, body: str = "", **known: Any
    ) -> None:
        super().__init__(message, **known)
        self.status = status
        self.content_type = content_type
        self.body = body


class EventError(ProtocolError):
    """The payload of a known event type does not fit it. Raised only with `strict=True`."""

    def __init__(self, message: str = "", *, event_type: str, data: str, **known: Any) -> None:
        super().__init__(message, **known)
        self.event_type = event_type
        self.data = data


class TruncatedError(RxStreamError):
    """The wire closed politely, but no terminal event had come: the response is not whole."""


class ResponseError(RxStreamError):
    """The API itself says that there is no whole answer."""


class ResponseFailedError(ResponseError):
    """The stream ended with `response.failed`."""

    def __init__(self, message: str = "", *, code: str | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.code = code


class ApiError(ResponseError):
    """The stream ended with an `error` event."""

    def __init__(self, message: str = "", *, code: str | None = None, param: str | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.code = code
        self.param = param


class ResponseIncompleteError(ResponseError):
    """The response was cut short, and the operator owes a whole one. `reason` is the API's."""

    def __init__(self, message: str = "", *, reason: str | None = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.reason = reason


class RefusalError(ResponseError):
    """The model refused, where an answer was owed. `text` is its refusal."""

    def __init__(self, message: str = "", *, text: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.text = text


class ModerationError(RxStreamError):
    """A check flagged the text, and `on_flag="error"` was chosen. `verdict` is the check's."""

    def __init__(self, message: str = "", *, verdict: Any = None, **known: Any) -> None:
        super().__init__(message, **known)
        self.verdict = verdict


class OutputError(RxStreamError):
    """The events were good, but their content cannot be used. `text` is that content."""

    def __init__(self, message: str = "", *, text: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.text = text


class SchemaError(OutputError):
    """The output does not fit the model. `path` names the place, as in `items[2].price`."""

    def __init__(self, message: str = "", *, path: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.path = path


class ToolError(OutputError):
    """A tool call cannot be used as it came."""

    def __init__(self, message: str = "", *, name: str = "", call_id: str = "", **known: Any) -> None:
        super().__init__(message, **known)
        self.name = name
        self.call_id = call_id
