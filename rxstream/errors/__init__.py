"""All errors of rxstream, as a tree.

RxStreamError
├ TransportError           the connection
│ ├ ConnectError           no connection could be made
│ ├ DisconnectedError      the connection broke in the middle
│ ├ IdleTimeoutError       nothing arrived for too long
│ └ StatusError            the server answered with an HTTP error
├ ProtocolError            the server broke the format
│ ├ FrameTooLargeError     a frame is larger than max_frame_bytes
│ ├ ContentTypeError       the answer is not an event stream
│ └ EventError             an event does not fit its type (only with strict=True)
├ TruncatedError           the stream ended without a terminal event
├ ResponseError            the API reports it
│ ├ ResponseFailedError    the response failed
│ ├ ApiError               an `error` event
│ ├ ResponseIncompleteError  the response was cut short
│ └ RefusalError           the model refused
├ ModerationError          a check flagged the text, and `on_flag="error"` was chosen
├ BufferOverflowError      a reader of a stream is too far behind, and `overflow="error"` was chosen
├ LedgerError              the ledger of a run is held by another run, or is not that of this run
└ OutputError              the events are valid, their content cannot be used
  ├ SchemaError            the output does not fit the model
  └ ToolError              a tool call cannot be used

Every error has `response_id`, `sequence_number` (of the last event) and `request_id`, as far as they are known.
All of them can be pickled. None holds the API key, even where the server repeats it. Every text but `text` and `path`
is one line of at most 2 KiB without control characters, so that it can be logged and shown.
"""

from typing import Any

from rxstream.errors._redaction import hide, one_line

_LONGEST = 2048
_BODY = 1024
_CONTENT = ("text", "path")  # whole, for programs to use


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
        self.message = message
        super().__init__(self.message)
        self.response_id = response_id
        self.sequence_number = sequence_number
        self.request_id = request_id

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute. This is the one place where secrets are hidden in errors."""
        if isinstance(value, str):
            value = hide(value) if name in _CONTENT else one_line(value, _LONGEST)
        super().__setattr__(name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.__dict__)


def _rebuild(cls: type[RxStreamError], message: str, state: dict[str, Any]) -> RxStreamError:
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class TransportError(RxStreamError):
    """The connection failed.

    `should_retry`: whether another try can help, as far as that is known; None: the class of the error decides.
    """

    def __init__(self, message: str = "", *, should_retry: bool | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.should_retry = should_retry


class ConnectError(TransportError):
    """No connection could be made, or it closed before the server answered."""


class DisconnectedError(TransportError):
    """The connection broke in the middle of the stream."""


class IdleTimeoutError(TransportError):
    """Nothing arrived for longer than the time-out allows."""


class StatusError(TransportError):
    """The server answered with an HTTP status of 400 or more.

    `body` holds at most its first KiB. `retry_after` is in seconds; None where the server sent none.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int,
        body: str = "",
        code: str | None = None,
        retry_after: float | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.body = body
        self.code = code
        self.retry_after = retry_after


class ProtocolError(RxStreamError):
    """The server broke the format."""


class FrameTooLargeError(ProtocolError):
    """A frame is larger than `max_frame_bytes`."""


class ContentTypeError(ProtocolError):
    """The answer is not an event stream. `body` holds at most its first KiB."""

    def __init__(
        self, message: str = "", *, status: int, content_type: str | None = None, body: str = "", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.content_type = content_type
        self.body = body


class EventError(ProtocolError):
    """The payload of a known event type does not fit it. Raised only with `strict=True`."""

    def __init__(self, message: str = "", *, event_type: str, data: str, **context: Any) -> None:
        super().__init__(message, **context)
        self.event_type = event_type
        self.data = data


class TruncatedError(RxStreamError):
    """The stream ended without a terminal event: the response is not whole."""


class ResponseError(RxStreamError):
    """The API reports that there is no whole answer."""


class ResponseFailedError(ResponseError):
    """The stream ended with `response.failed`.

    `body` holds at most the first KiB of its `error`, as JSON. `retry_after`: the seconds that its message
    says to wait.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        retry_after: float | None = None,
        body: str = "",
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.code = code
        self.retry_after = retry_after
        self.body = one_line(body, _BODY)


class ResponseCancelledError(ResponseFailedError):
    """The response was cancelled, as `responses.cancel()` does."""


class ApiError(ResponseError):
    """The stream ended with an `error` event.

    `body` holds at most the first KiB of the event, as JSON. `retry_after`: the seconds that its message
    says to wait.
    """

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        body: str = "",
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.code = code
        self.param = param
        self.retry_after = retry_after
        self.body = one_line(body, _BODY)


class ResponseIncompleteError(ResponseError):
    """The response was cut short, and a whole one is needed. `reason` is the API's."""

    def __init__(self, message: str = "", *, reason: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason


class RefusalError(ResponseError):
    """The model refused, and an answer is needed. `text` is the refusal."""

    def __init__(self, message: str = "", *, text: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.text = text


class ModerationError(RxStreamError):
    """A check flagged the text, and `on_flag="error"` was chosen. `verdict` is the check's."""

    def __init__(self, message: str = "", *, verdict: Any = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.verdict = verdict


class BufferOverflowError(RxStreamError):
    """A loop or a subscriber is too far behind its stream, and `overflow="error"` was chosen."""


class LedgerError(RxStreamError):
    """A run cannot use its ledger: another run holds it, or its records are not those of this run."""


class OutputError(RxStreamError):
    """The events are valid, but their content cannot be used. `text` is that content."""

    def __init__(self, message: str = "", *, text: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.text = text


class SchemaError(OutputError):
    """The output does not fit the model. `path` is the place in it, such as `items[2].price`."""

    def __init__(self, message: str = "", *, path: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.path = path


class ToolError(OutputError):
    """A tool call cannot be used: its arguments do not fit, for instance. For your own tools to raise too."""

    def __init__(self, message: str = "", *, name: str = "", call_id: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.name = name
        self.call_id = call_id
