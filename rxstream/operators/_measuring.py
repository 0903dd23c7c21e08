"""How did it go: the figures of a stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, overload

from reactivex import abc

from rxstream.events import StreamingEvent
from rxstream.rx._timed import lift_timed, seconds_of
from rxstream.timing._meter import Measure, MeasureAndPass
from rxstream.timing._metrics import Metrics
from rxstream.typing import Operator


@overload
def measure(
    on_metrics: None = None,
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[StreamingEvent, Metrics]: ...
@overload
def measure(
    on_metrics: Callable[[Metrics], object],
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[StreamingEvent, StreamingEvent]: ...
def measure(
    on_metrics: Callable[[Metrics], object] | None = None,
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[StreamingEvent, Any]:
    """Emit how the stream goes, every second and at its end; or tell `on_metrics` so, and let the events pass.

    Marbles with measure(every=0.05)::

        source   -C-a-b-cd-K--|
        result   -----x----y--(z,|)
        where x = Metrics(outcome="running", events=2, characters=1, first_event=0.01, first_text=0.03)
        where y = Metrics(events=5, characters=4, gaps=Gaps(count=2, p50=0.02, longest=0.02))
        where z = Metrics(outcome="completed", elapsed=0.13, items=[ItemMetrics(characters=4)], usage=Usage())

    Marbles with measure(print, every=None)::

        source   -C-a-b-K-|
        result   -C-a-b-K-|

    Measured where it stands: put it first to time the server, last to time what the subscriber gets. Times are seconds
    from the subscription. A text that came without deltas counts when it is done.

    Emits: `Metrics`, `every` seconds, also while the stream is silent, and a last one at its end; with `on_metrics` the
    events, as they are. `on_metrics` also hears of a subscriber who leaves: `outcome` says how the stream ended.
    Completes: with the source. Errors: the source's, after the last `Metrics`; what `on_metrics` raises.
    Memory: two numbers a text delta.

    Args:
        on_metrics: called with each `Metrics`, the last one included.
        every: seconds between two; None: only the last.
        stall: a silence of so many seconds after the first event counts as a stall.
        clock: seconds from anywhere, as `time.perf_counter`; else a monotonic one, or that of a virtual scheduler.
        scheduler: whose timers are used; else that of the subscription, else the session's.

    Raises: ValueError, TypeError: `every` or `stall` that are not above 0.
    """
    span = None if every is None else seconds_of("every", every, least=1e-3)
    silence = seconds_of("stall", stall, least=1e-3)
    if on_metrics is None:
        return lift_timed(lambda now: Measure(span, silence, clock, now), scheduler)
    tell = on_metrics
    return lift_timed(lambda now: MeasureAndPass(tell, span, silence, clock, now), scheduler)
