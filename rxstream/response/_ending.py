"""How a stream ends: the table of endings, and nothing else.

| what came last                          | verdict                                                        |
|-----------------------------------------|----------------------------------------------------------------|
| `response.completed`                    | the end, unless its own status or error says that it failed    |
| `response.incomplete`                   | the end; who owes a whole answer raises, not the stream        |
| `response.failed`                       | `ResponseFailedError`                                          |
| `error`, alone or before a terminal one | `ApiError`                                                     |
| a chunk of Chat Completions, then EOF   | `ProtocolError`                                                |
| anything else, then EOF                 | `TruncatedError`                                               |
"""

import json

from rxstream.errors import ApiError, ProtocolError, ResponseFailedError, RxStreamError, TruncatedError
from rxstream.events import (
    ErrorEvent,
    Response,
    ResponseCreatedEvent,
    ResponseErrorInfo,
    ResponseFailedEvent,
    ResponseInProgressEvent,
    ResponseQueuedEvent,
    StreamingEvent,
    UnknownEvent,
)
from rxstream.events._fields import TERMINAL, TerminalEvent

_OPENING = (ResponseCreatedEvent, ResponseInProgressEvent, ResponseQueuedEvent)
_NOTED = frozenset[type]((*TERMINAL, *_OPENING, ErrorEvent))


def failure(response: Response) -> ResponseErrorInfo | None:
    """What a response says went wrong; None where it says nothing, be it in an object or a text that is empty."""
    said = response.error
    if said is not None:
        return said if any(said.model_dump().values()) else None
    text = (response.model_extra or {}).get("error")  # what is no object was set aside
    return ResponseErrorInfo(message=text if isinstance(text, str) else json.dumps(text)) if text else None


def _is_chat_chunk(event: StreamingEvent | None) -> bool:
    return isinstance(event, UnknownEvent) and event.data.get("object") == "chat.completion.chunk"


class Ending:
    """Watch the events of one stream; say whether it is over, and how.

    Look at `last` only after an event was seen; it is what errors take their `sequence_number` from.
    """

    def __init__(self) -> None:
        self.last: StreamingEvent | None = None
        self.response_id: str | None = None
        self.created = False
        """Whether the server has said that the response exists: a second request would be a second bill."""
        self.error: ErrorEvent | None = None
        self.terminal: TerminalEvent | None = None

    def feed(self, event: StreamingEvent) -> None:
        """Note one event. Cheap for those that end nothing."""
        self.last = event
        if type(event) not in _NOTED:
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

    @property
    def open(self) -> bool:
        """Whether nothing has come yet that ends the stream."""
        return self.terminal is None and self.error is None

    @property
    def over(self) -> bool:
        """Whether a terminal event has come."""
        return self.terminal is not None

    def verdict(self) -> RxStreamError | None:
        """The error that the stream ends with, or None where it completes. Ask it once the stream is over or at EOF."""
        error = self._verdict()
        if error is not None:
            number = self.last.sequence_number if self.last is not None else None
            error.response_id, error.sequence_number = self.response_id, number
        return error

    def _verdict(self) -> RxStreamError | None:
        if self.error is not None:
            text = self.error.message or "the server sent an error event without a message"
            return ApiError(text, code=self.error.code, param=self.error.param, body=self.error.model_dump_json())
        if self.terminal is None and _is_chat_chunk(self.last):
            return ProtocolError(
                "these are chunks of the Chat Completions API, and events of the Responses API are needed: check that "
                "base_url is the one of a Responses API"
            )
        if self.terminal is None:
            seen = f"after {self.last.type or 'an event'}" if self.last is not None else "before the first event"
            return TruncatedError(
                f"the connection closed {seen}, and no terminal event had come: the answer is not whole; ask again"
            )
        response = self.terminal.response
        said = failure(response)
        if isinstance(self.terminal, ResponseFailedEvent) or response.status == "failed" or said is not None:
            text = (said.message if said is not None else None) or "the response failed; the server gave no reason"
            return ResponseFailedError(
                text,
                code=said.code if said is not None else None,
                body=said.model_dump_json() if said is not None else "",
            )
        return None
