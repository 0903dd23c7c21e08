"""All errors of rxstream, as a tree.

RxStreamError
├ TransportError           the connection
│ ├ ConnectError           no connection could be made
│ ├ DisconnectedError      the connection broke in the middle
│ │ └ ConnectionLimitError the server ends a WebSocket, because it is open for too long
│ ├ StreamTimeoutError     a time limit is over, one class for each limit
│ │ ├ ConnectTimeoutError  no connection in time; also a ConnectError
│ │ ├ IdleTimeoutError     no byte arrived for too long
│ │ ├ FirstEventTimeoutError  no event in time
│ │ ├ FirstTextTimeoutError   no text in time
│ │ ├ BetweenEventsTimeoutError  no further event for too long
│ │ ├ TotalTimeoutError    no end of the response in time
│ │ └ PollTimeoutError     a polled response stayed unfinished for too long
│ └ StatusError            the server answered with an HTTP error
│   └ PreviousResponseNotFoundError  it does not have the response of `previous_response_id`
├ ProtocolError            the server broke the format
│ ├ LimitError             more came than a limit allows
│ │ ├ FrameTooLargeError   a frame is larger than max_frame_bytes
│ │ ├ ResponseTooLargeError  the text of a response is longer than max_response_chars
│ │ └ HeadTooLargeError    the head of an answer is larger than the HTTP client takes
│ ├ ContentTypeError       the answer is not an event stream
│ └ EventError             an event does not fit its type (only with strict=True)
├ TruncatedError           the stream ended without a terminal event
├ ResponseError            the API reports it
│ ├ ResponseFailedError    the response failed
│ ├ ApiError               an `error` event
│ ├ ResponseIncompleteError  the response was cut short
│ ├ SteerFailedError       the server does not take the input for a running response
│ └ RefusalError           the model refused
├ ModerationError          a check flagged the text, and `on_flag="error"` was chosen
├ BufferOverflowError      a reader of a stream is too far behind, and `overflow="error"` was chosen
├ RelayError               a stream cannot be published or followed
│ ├ LogUnavailableError    the engine of the log cannot be reached
│ ├ StreamNotFoundError    the log does not have the stream
│ │ └ PositionLostError    it has the stream, but not the events behind a position
│ ├ StreamExistsError      the log has the stream already, and its producer is not lost
│ ├ StreamTooLongError     the stream is longer than its limits
│ ├ ProducerReplacedError  another producer has the stream now
│ ├ ProducerLostError      the producer is gone, and the stream is not whole
│ ├ ProducerFailedError    the producer failed with an error that is not of rxstream
│ └ StreamCancelledError   the stream was cancelled
├ LedgerError              the ledger of a run is held by another run, or is not that of this run
└ OutputError              the events are valid, their content cannot be used
  ├ SchemaError            the output does not fit the model
  └ ToolError              a tool call cannot be used

Every error has `response_id`, `sequence_number` (of the last event) and `request_id`, as far as they are known, and
`retryable`. All of them can be pickled. None holds the API key, even where the server repeats it. Every text but
`text` and `path` is one line of at most 2 KiB without control characters, so that it can be logged and shown.
"""

from typing import Any

from rxstream.errors._redaction import hide, one_line

_LONGEST = 2048
_BODY = 1024
_CONTENT = ("text", "path")  # whole, for programs to use

_STATUSES = frozenset((408, 409, 429))
_CODES = frozenset(
    (
        *("rate_limit_exceeded", "rate_limit_error", "rate_limit", "too_many_requests"),
        *("overloaded", "overloaded_error", "server_overloaded", "server_is_overloaded", "slow_down"),
        *("server_error", "internal_error", "internal_server_error", "service_unavailable", "api_error"),
    )
)
"""Codes of errors in a stream that pass. The API's own are `rate_limit_exceeded`, `server_error`, `slow_down` and
`server_is_overloaded`; the others come from servers that pass on the errors of another API."""


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

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later.

        The rules are those of the official clients (openai-python 3.54, `_base_client.py`). An error that the API
        reports in a stream counts like the status that it stands for.
        """
        return False

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

    @property
    def retryable(self) -> bool:
        return True if self.should_retry is None else self.should_retry


class ConnectError(TransportError):
    """No connection could be made, or it closed before the server answered."""


class DisconnectedError(TransportError):
    """The connection broke in the middle of the stream."""


class ConnectionLimitError(DisconnectedError):
    """The server ends a WebSocket, because it has been open for as long as it may: an hour at OpenAI.

    The session opens another one for the next request. So this is seen only where a response was cut.
    """


class StreamTimeoutError(TransportError):
    """A time limit is over. `seconds` is the limit, as far as it is known."""

    def __init__(self, message: str = "", *, seconds: float | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.seconds = seconds


class ConnectTimeoutError(StreamTimeoutError, ConnectError):
    """No connection could be made within `connect_timeout`."""


class IdleTimeoutError(StreamTimeoutError):
    """No byte arrived for `idle_timeout`, or no whole head of an answer within both time-outs together."""


class FirstEventTimeoutError(StreamTimeoutError):
    """No event came in time."""


class FirstTextTimeoutError(StreamTimeoutError):
    """No text of the answer or of a refusal came in time."""


class BetweenEventsTimeoutError(StreamTimeoutError):
    """No further event came for too long. Comments and keep-alives are not events."""


class TotalTimeoutError(StreamTimeoutError):
    """The response did not end in time."""


class PollTimeoutError(StreamTimeoutError):
    """A response that was polled, because its stream was lost, stayed unfinished for too long."""


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

    @property
    def retryable(self) -> bool:
        return _passes(self.status) if self.should_retry is None else self.should_retry


class PreviousResponseNotFoundError(StatusError):
    """The server does not have the response of `previous_response_id`.

    Over a WebSocket a response that was not stored (`store=False`) is kept by its connection alone. Send the whole
    conversation in `input`, without `previous_response_id`.
    """

    @property
    def retryable(self) -> bool:
        return False


class ProtocolError(RxStreamError):
    """The server broke the format."""


class LimitError(ProtocolError):
    """The server sent more than a limit allows. `limit` is that limit, as far as it is known."""

    def __init__(self, message: str = "", *, limit: int | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.limit = limit


class FrameTooLargeError(LimitError):
    """A frame is larger than `max_frame_bytes`."""


class ResponseTooLargeError(LimitError):
    """The text of a response is longer than `max_response_chars`."""


class HeadTooLargeError(LimitError):
    """The status line and the headers of an answer are larger than the HTTP client takes."""


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

    @property
    def retryable(self) -> bool:
        return _code_passes(self.code, self.retry_after)


class ResponseCancelledError(ResponseFailedError):
    """The response was cancelled, as `responses.cancel()` does."""

    @property
    def retryable(self) -> bool:
        return False


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

    @property
    def retryable(self) -> bool:
        return _code_passes(self.code, self.retry_after)


class ResponseIncompleteError(ResponseError):
    """The response was cut short, and a whole one is needed. `reason` is the API's."""

    def __init__(self, message: str = "", *, reason: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.reason = reason


class SteerFailedError(ResponseError):
    """Input for a running response was not taken (`session.steer`).

    `code`: that of the API, such as `response_already_completed`, `response_not_found`, `steering_not_supported`.
    """

    def __init__(self, message: str = "", *, code: str | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.code = code


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


class RelayError(RxStreamError):
    """A stream cannot be published, or cannot be followed to its end.

    `stream_id` is its name in the log; `position` that of the last event that came, None if none did.
    """

    def __init__(self, message: str = "", *, stream_id: str = "", position: int | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.stream_id = stream_id
        self.position = position


class LogUnavailableError(RelayError):
    """The engine of the log cannot be reached, or refuses. It was tried again for as long as the log may."""

    @property
    def retryable(self) -> bool:
        return True


class StreamNotFoundError(RelayError):
    """The log does not have the stream: it was not published, or it is past its `ttl`."""


class PositionLostError(StreamNotFoundError):
    """The log has the stream, but not all events behind a position. What came before does not fit the rest."""


class StreamExistsError(RelayError):
    """The log has a stream of this id already, and its producer is alive, or it has ended."""


class StreamTooLongError(RelayError):
    """The stream is longer than `max_events` or `max_bytes`, or an event is larger than the engine takes."""


class ProducerReplacedError(RelayError):
    """Another producer has the stream now. What this one still had was refused."""


class ProducerLostError(RelayError):
    """The process that produced the stream is gone, and no other one went on with it in time."""


class ProducerFailedError(RelayError):
    """The producer failed with an error that is not of rxstream. `kind` is the name of its class."""

    def __init__(self, message: str = "", *, kind: str = "", **context: Any) -> None:
        super().__init__(message, **context)
        self.kind = kind


class StreamCancelledError(RelayError):
    """The stream was cancelled before its end, by `cancel` or by its producer."""


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


def _passes(status: int) -> bool:
    return status in _STATUSES or status >= 500


def _code_passes(code: str | None, retry_after: float | None) -> bool:
    if not code:
        return retry_after is not None
    if code.isdecimal() and len(code) == 3:  # the status of HTTP, as some servers send it
        return _passes(int(code))
    return code in _CODES
