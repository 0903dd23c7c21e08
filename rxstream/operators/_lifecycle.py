"""How far is it: the response so far, and its end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from reactivex import Observable

from rxstream.events import Event, Response, Usage
from rxstream.response._final import Cost, FinalResponse, RequireCompleted
from rxstream.response._responses import per_response
from rxstream.response.history._snapshot import Snapshot, Snapshots
from rxstream.response.history._well_formed import WellFormed
from rxstream.rx._checks import of_events
from rxstream.rx._lift import lift, lift_passing
from rxstream.typing import Operator

_E = TypeVar("_E", bound=Event)


def snapshots() -> Operator[Event, Snapshot]:
    """Emit the response so far, in the API's own form, after each event that changes it.

    Marbles::

        source   -C-M-a-b_-H-K|
        result   -x-y-p-q----r|
        where x = Snapshot(text="", event=ResponseCreatedEvent)
        where y = Snapshot(response={"status": "in_progress", "output": [{"type": "message", "content": []}]})
        where p = Snapshot(text="a")
        where q = Snapshot(text="ab ")
        where r = Snapshot(text="ab ", response={"status": "completed"})

    `snapshot.response` is built when it is read, so n deltas cost O(n) if you do not read it each time. You may read it
    at any later time. `snapshot.event` is the event.

    Emits: one `Snapshot` an event; none for events that do not change the response (`keepalive`, unknown ones, partial
    images, audio, an `error`). At the terminal event it is the API's own final `Response`, with an empty `output`
    filled. Completes: with the source. Errors: the source's. Memory: the text, in pieces and in the done items; all
    snapshots share it.
    """
    return lift(per_response(Snapshots), of_events("snapshots"))


def final_response() -> Operator[Event, Response]:
    """Emit the final `Response`, once.

    Marbles::

        source   -C-a-b_-K-|
        result   --------x-|
        where x = Response(status="completed", output_text="ab ")

    Marbles::

        source   -C-a-N:`max_output_tokens`-|
        result   -----#
        where # = ResponseIncompleteError(reason="max_output_tokens")

    If the output of the terminal event lacks items or texts of the events before, or has other texts, the items and
    texts of the events are used, and the response is `synthetic`.

    Emits: one `Response`, at the terminal event. Completes: with the source.
    Errors: the source's; `ResponseIncompleteError` for a response that was cut short, because a whole one is needed;
    `ResponseFailedError`, or `ApiError` after an `error` event; `TruncatedError` if the source completes without a
    terminal event. Memory: the text of the response.
    """
    return lift(per_response(FinalResponse), of_events("final_response"))


def usage() -> Operator[Event, Usage]:
    """Emit the tokens that the response used.

    Marbles::

        source   -C-a-b_-K-|
        result   --------x-|
        where x = Usage(total_tokens=...)

    Emits: one `Usage` as soon as the server sends it, nearly always in the terminal event; another only if it changes
    later; none if the server sends none. Zeros before the terminal event are not emitted. Completes: with the source.
    Errors: the source's, after the `Usage` of a response that failed. Memory: one `Usage`.
    """
    return lift(per_response(Cost), of_events("usage"))


def require_completed() -> Callable[[Observable[_E]], Observable[_E]]:
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
    Errors: the source's; if the source completes or another response begins, `ResponseIncompleteError` after
    `response.incomplete`, `ResponseFailedError` after `response.failed` (or a `response.completed` that has an error),
    `ApiError` after an `error` event, `TruncatedError` if no terminal event came: it was lost, or removed by a
    `take_while`.
    Memory: none.
    """
    return lift_passing(per_response(RequireCompleted, pass_late=True), of_events("require_completed"))


def well_formed(*, reason: str = "interrupted") -> Callable[[Observable[_E]], Observable[_E]]:
    """End a stream that was cut: close all that is open, and emit `response.incomplete`.

    Marbles::

        source   -C-M-B-a-b_-|
        result   -C-M-B-a-b_-(D*:ab_,E*,I*,N*:interrupted,|)

    For a stream that `take_while` or `take_until` cut, and for a stream whose connection was lost. Texts and parts
    get their `.done` with the text so far; items get their `.done` with the status `incomplete`. All have
    `synthetic=True` and no sequence number. Arguments, inputs, code and commands that were cut get no `.done`,
    because it would mean that they can be run. Items that a server leaves open at its own end are closed before its
    terminal event.

    Emits: every event, and the synthetic ones, before the next response if there is one. Nothing is added to a response
    with a terminal event, nor to an empty stream.
    After an `error` event the last event is `response.failed` with that error.
    Completes: with the source. Errors: the source's, after the synthetic events. To complete instead, add
    `ops.catch(reactivex.empty())` after it. Memory: the text of the response.

    Args:
        reason: the value of `response.incomplete_details.reason`.
    """
    return lift_passing(per_response(partial(WellFormed, reason), pass_late=True), of_events("well_formed"))
