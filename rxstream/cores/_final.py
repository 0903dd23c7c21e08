"""The response at the end of a stream, whole."""

from __future__ import annotations

from collections.abc import Iterable

from rxstream.errors import ResponseFailedError, ResponseIncompleteError, TruncatedError
from rxstream.events import (
    OutputItem,
    Response,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)


class FinalResponse:
    """Emit the `Response` of the terminal event; fill an `output` that a server left empty from the items' own ends.

    Memory: the finished items.
    """

    def __init__(self) -> None:
        self._items: dict[int, OutputItem] = {}
        self._ended = False

    def feed(self, event: StreamingEvent) -> Iterable[Response]:
        if isinstance(event, ResponseOutputItemDoneEvent):
            self._items[event.output_index] = event.item
        elif isinstance(event, ResponseCompletedEvent):
            self._ended = True
            return (filled(event.response, self._items),)
        elif isinstance(event, ResponseIncompleteEvent):
            self._ended = True
            raise incomplete(event)
        elif isinstance(event, ResponseFailedEvent):
            self._ended = True
            raise failed(event)
        return ()

    def finish(self) -> Iterable[Response]:
        if not self._ended:
            raise TruncatedError("the stream completed without a terminal event: there is no final response")
        return ()


def filled(response: Response, items: dict[int, OutputItem]) -> Response:
    """`response` with its output, which some servers leave empty in the terminal event."""
    if response.output or not items:
        return response
    return response.model_copy(update={"output": [items[index] for index in sorted(items)]})


def incomplete(event: ResponseIncompleteEvent) -> ResponseIncompleteError:
    """The error of those who owe a whole answer."""
    details = event.response.incomplete_details
    reason = details.reason if details is not None else None
    advice = "; raise max_output_tokens" if reason == "max_output_tokens" else ""
    return ResponseIncompleteError(
        f"the response was cut short ({reason or 'no reason given'}), and a whole one is owed{advice}",
        reason=reason,
        response_id=event.response.id,
        sequence_number=event.sequence_number,
    )


def failed(event: ResponseFailedEvent) -> ResponseFailedError:
    """The error of a stream that failed."""
    error = event.response.error
    return ResponseFailedError(
        (error.message if error is not None else None) or "the response failed; the server gave no reason",
        code=error.code if error is not None else None,
        response_id=event.response.id,
        sequence_number=event.sequence_number,
    )
