"""How far is it: the response as a whole."""

from __future__ import annotations

from rxstream._typing import Operator
from rxstream.cores._final import FinalResponse
from rxstream.events import Response, StreamingEvent
from rxstream.operators._lift import lift


def final_response() -> Operator[StreamingEvent, Response]:
    """Emit the final `Response`, once.

    Where a server leaves `output` empty in its terminal event, it is filled from the items that were done.

    Emits: one `Response`. Completes: with the source. Errors: the source's; `ResponseIncompleteError` for a response
    that was cut short, since a whole one is owed; `TruncatedError` where the source completes without a terminal event.
    Memory: the finished items.
    """
    return lift(FinalResponse)
