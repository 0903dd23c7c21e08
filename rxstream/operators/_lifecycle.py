"""How far is it: the response so far, and how it ends."""

from __future__ import annotations

from functools import partial

from rxstream.events import Response, StreamingEvent, Usage
from rxstream.response._final import Cost, FinalResponse, RequireCompleted
from rxstream.response._responses import per_response
from rxstream.response.history._snapshot import Snapshot, Snapshots
from rxstream.response.history._well_formed import WellFormed
from rxstream.rx._lift import lift
from rxstream.typing import Operator


def snapshots() -> Operator[StreamingEvent, Snapshot]:
    """Emit the response so far, as the API itself would show it, after each event that tells of it.

    Marbles::

        source   -C-M-a-b_-H-K|
        result   -x-y-p-q----r|
        where x = Snapshot(text="", event=ResponseCreatedEvent)
        where y = Snapshot(response={"status": "in_progress", "output": [{"type": "message", "content": []}]})
        where p = Snapshot(text="a")
        where q = Snapshot(text="ab ")
        where r = Snapshot(text="ab ", response={"status": "completed"})

    A snapshot is a property, not a payload: `snapshot.response` is put together when you ask for it, also long after,
    and n deltas cost O(n) unless you ask each time. `snapshot.event` is the event that led to it.

    Emits: one `Snapshot` an event; none for events that say nothing of the response (`keepalive`, unknown ones, partial
    images, audio, an `error`). At the terminal event it is the API's own final `Response`, an empty `output` filled.
    Completes: with the source. Errors: the source's. Memory: what was said, in pieces and in the items that end them;
    all snapshots share it.
    """
    return lift(per_response(Snapshots))


def final_response() -> Operator[StreamingEvent, Response]:
    """Emit the final `Response`, once.

    Marbles::

        source   -C-a-b_-K-|
        result   --------x-|
        where x = Response(status="completed", output_text="ab ")

    Marbles::

        source   -C-a-N:`max_output_tokens`-|
        result   -----#
        where # = ResponseIncompleteError(reason="max_output_tokens")

    Where a server leaves `output` empty in its terminal event, it is filled from what came before.

    Emits: one `Response`, at the terminal event. Completes: with the source.
    Errors: the source's; `ResponseIncompleteError` for a response that was cut short, since a whole one is owed;
    `ResponseFailedError`, or `ApiError` after an `error` event; `TruncatedError` where the source completes without a
    terminal event. Memory: what was said.
    """
    return lift(per_response(FinalResponse))


def usage() -> Operator[StreamingEvent, Usage]:
    """Emit the tokens that the response used.

    Marbles::

        source   -C-a-b_-K-|
        result   --------x-|
        where x = Usage(total_tokens=...)

    Emits: one `Usage` as soon as the server tells it, nearly always with the terminal event; another only if it says
    something else later; none where it says nothing. Completes: with the source. Errors: the source's, so a response
    that failed tells what it cost first. Memory: one `Usage`.
    """
    return lift(per_response(Cost))


def require_completed() -> Operator[StreamingEvent, StreamingEvent]:
    """Pass the events of a stream, and fail at its end unless the response was completed.

    Marbles::

        source   -C-a-K-|
        result   -C-a-K-|

    Marbles::

        source   -C-a-N:steered-|
        result   -C-a-N:steered-#
        where # = ResponseIncompleteError(reason="steered")

    Marbles::

        source   -C-a-b_-|
        result   -C-a-b_-#
        where # = TruncatedError

    Emits: every event, also the terminal one. Completes: with the source, after `response.completed`.
    Errors: the source's; where the source completes, `ResponseIncompleteError` after `response.incomplete`,
    `ResponseFailedError` after `response.failed` (or a `response.completed` that carries an error), `ApiError` after an
    `error` event, `TruncatedError` where no terminal event came: it was lost, or taken away by a `take_while`.
    Memory: none.
    """
    return lift(RequireCompleted)


def well_formed(*, reason: str = "interrupted") -> Operator[StreamingEvent, StreamingEvent]:
    """Give a stream that lost its ending another one: whatever is open is closed, `response.incomplete` last.

    Marbles::

        source   -C-M-B-a-b_-|
        result   -C-M-B-a-b_-(D*:ab_,E*,I*,N*:interrupted,|)

    For a stream that `take_while` or `take_until` cut, and for one whose connection was lost. Texts and parts get their
    `.done`, items theirs with the status `incomplete`, each with what had come; all is `synthetic=True`, without a
    sequence number. Arguments, inputs, code and commands that were cut get no `.done`, which would say that they may be
    acted upon. Items that a server leaves open at its own end are closed in front of its terminal event.

    Emits: every event, and the synthetic ones. Nothing is added to a stream that ended well, nor to one that never
    began. After an `error` event the ending is `response.failed` with that error.
    Completes: with the source. Errors: the source's, after the stream was closed: that it was cut is not hidden. To end
    well instead, add `ops.catch(reactivex.empty())` after it. Memory: what was said.

    Args:
        reason: what `response.incomplete_details.reason` says.
    """
    return lift(partial(WellFormed, reason))
