"""The end of a stream: complete, or an error.

| the last event                            | the stream ends with                                           |
|-------------------------------------------|----------------------------------------------------------------|
| `response.completed`                      | completion, unless its status or error says that it failed     |
| `response.incomplete`                     | completion; operators that need a whole answer raise           |
| `response.failed`                         | `ResponseFailedError`                                          |
| `error`, alone or before a terminal event | `ApiError`                                                     |
| a chunk of Chat Completions, then EOF     | `ProtocolError`                                                |
| a whole response, not as an event, EOF    | `ProtocolError`                                                |
| any other, then EOF                       | `TruncatedError`                                               |
"""

import json

from rxstream.errors import (
    ApiError,
    ProtocolError,
    ResponseCancelledError,
    ResponseFailedError,
    RxStreamError,
    TruncatedError,
)
from rxstream.events import (
    ErrorEvent,
    Response,
    ResponseCreatedEvent,
    ResponseErrorInfo,
    ResponseFailedEvent,
    ResponseInProgressEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseQueuedEvent,
    StreamingEvent,
    UnknownEvent,
)
from rxstream.events._fields import TERMINAL, TerminalEvent
from rxstream.response._named_wait import named_wait

_OPENING = (ResponseCreatedEvent, ResponseInProgressEvent, ResponseQueuedEvent)
_ITEMS = (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent)
_NOTED = frozenset[type]((*TERMINAL, *_OPENING, *_ITEMS, ErrorEvent))
_LAST_ITEMS = frozenset(("message", "function_call", "custom_tool_call"))
"""The types of items after which a response ends. After others, such as reasoning or a search, the model goes on, and
may think for minutes first."""


def failure(response: Response) -> ResponseErrorInfo | None:
    """The error of a response; None without one. An empty object or text is none."""
    error = response.error
    if error is not None:
        return error if any(error.model_dump().values()) else None
    text = (response.model_extra or {}).get("error")  # one that is not an object
    return ResponseErrorInfo(message=text if isinstance(text, str) else json.dumps(text)) if text else None


def _type_of(error: object) -> str | None:
    """The type of an error, which is all that some servers send."""
    return error.type if isinstance(error, ResponseErrorInfo) else None


def _is_chat_chunk(event: StreamingEvent | None) -> bool:
    return isinstance(event, UnknownEvent) and event.data.get("object") == "chat.completion.chunk"


def is_whole_response(event: StreamingEvent | None) -> bool:
    """Whether it is a response as an answer without `stream` has it, and no event."""
    return isinstance(event, UnknownEvent) and not event.type and event.data.get("object") == "response"


class Ending:
    """Notes the events of one stream, and says whether and how it has ended.

    Errors get their `sequence_number` from it.
    """

    def __init__(self) -> None:
        self.last: StreamingEvent | None = None
        self.response_id: str | None = None
        self.created = False
        """Whether the response exists on the server. A second request would cost again."""
        self.error: ErrorEvent | None = None
        self.terminal: TerminalEvent | None = None
        self.items_done = False
        """Whether all items are done, and the last one may be the last of the response."""
        self._open_items: set[int | None] = set()
        self._earlier_number: int | None = None
        """The last number before events that have none: keep-alives, rate limits, those of a server alone."""

    def feed(self, event: StreamingEvent) -> None:
        """Note one event. Most cost two lookups."""
        if getattr(event, "sequence_number", None) is None:
            self._earlier_number = self.number
        if type(event) not in _NOTED:
            self.last = event
            return
        self.last = event
        if isinstance(event, _ITEMS):
            self._note_item(event)
            return
        if isinstance(event, ErrorEvent):
            self.error = event
            return
        if isinstance(event, TERMINAL):
            self.terminal = event
            self.response_id = event.response.id or self.response_id
        elif isinstance(event, _OPENING):
            self.response_id = event.response.id or self.response_id
        self.created = True

    def _note_item(self, event: ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent) -> None:
        if isinstance(event, ResponseOutputItemAddedEvent):
            self._open_items.add(event.output_index)
            self.items_done = False
            return
        self._open_items.discard(event.output_index)
        item = event.item
        goes_on = getattr(item, "phase", None) == "commentary"
        self.items_done = not self._open_items and item.type in _LAST_ITEMS and not goes_on

    @property
    def number(self) -> int | None:
        """The number of the last event that has one."""
        number = getattr(self.last, "sequence_number", None)
        return self._earlier_number if number is None else number

    @property
    def open(self) -> bool:
        """Whether no event has ended the stream."""
        return self.terminal is None and self.error is None

    @property
    def over(self) -> bool:
        """Whether there was a terminal event."""
        return self.terminal is not None

    def verdict(self) -> RxStreamError | None:
        """The error that the stream ends with, or None if it completes. For use after the end of the stream."""
        error = self._verdict()
        if error is not None:
            error.response_id, error.sequence_number = self.response_id, self.number
        return error

    def _verdict(self) -> RxStreamError | None:
        if self.error is not None:
            text = self.error.message or "the server sent an error event without a message"
            return ApiError(
                text,
                code=self.error.code or _type_of(self.error.error),
                param=self.error.param,
                retry_after=named_wait(text),
                body=self.error.model_dump_json(),
            )
        if self.terminal is None and _is_chat_chunk(self.last):
            return ProtocolError(
                "these are chunks of the Chat Completions API, and events of the Responses API are needed: check that "
                "base_url is the one of a Responses API"
            )
        if self.terminal is None and is_whole_response(self.last):
            return ProtocolError(
                "this is a whole response and not a stream, as if stream were not set: leave normalize on, which "
                "makes events of it"
            )
        if self.terminal is None:
            seen = f"after {self.last.type or 'an event'}" if self.last is not None else "before the first event"
            return TruncatedError(
                f"the connection closed {seen}, before a terminal event: the answer is not whole; ask again"
            )
        response = self.terminal.response
        error = failure(response)
        if response.status == "cancelled":
            text = (
                error.message if error is not None else None
            ) or "the response was cancelled: it has no whole answer"
            return ResponseCancelledError(text, code=error.code if error is not None else None)
        if isinstance(self.terminal, ResponseFailedEvent) or response.status == "failed" or error is not None:
            error = error or ResponseErrorInfo()
            text = error.message or "the response failed; the server gave no reason"
            return ResponseFailedError(
                text, code=error.code or error.type, retry_after=named_wait(text), body=error.model_dump_json()
            )
        return None
