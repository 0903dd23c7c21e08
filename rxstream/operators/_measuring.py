"""How did it go: metrics."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, overload

from reactivex import Observable, abc

from rxstream.events import Event
from rxstream.rx._checks import of_events, refuse_async
from rxstream.rx._timed import lift_timed, seconds_of
from rxstream.timing._meter import Measure, MeasureAndPass
from rxstream.timing._metrics import Metrics
from rxstream.typing import Operator

_E = TypeVar("_E", bound=Event)


@overload
def measure(
    on_metrics: None = None,
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[Event, Metrics]: ...
@overload
def measure(
    on_metrics: Callable[[Metrics], object],
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_E]], Observable[_E]]: ...
def measure(
    on_metrics: Callable[[Metrics], object] | None = None,
    *,
    every: float | timedelta | None = 1.0,
    stall: float | timedelta = 2.0,
    clock: Callable[[], float] | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Any:
    """Emit the metrics of the stream, every second and at its end; or pass the events, and call `on_metrics`.

    Marbles with measure(every=0.05)::

        source   -C-a-b-cd-K--|
        result   -----x----y--(z,|)
        where x = Metrics(outcome="running", events=2, characters=1, first_event=0.01, first_text=0.03)
        where y = Metrics(events=5, characters=4, gaps=Gaps(count=2, p50=0.02, longest=0.02))
        where z = Metrics(outcome="completed", elapsed=0.13, items=[ItemMetrics(characters=4)], usage=Usage())

    Marbles with measure(print, every=None)::

        source   -C-a-b-K-|
        result   -C-a-b-K-|

    Put it first to measure the server, last to measure what the subscriber gets. Times are seconds from the
    subscription, for a further response from the last event before it: in a run, that is the `TurnStartedEvent`. The
    events of a run do not count. A text without deltas counts when it is done. `Metrics` can be added.

    Emits: `Metrics` every `every` seconds, also while no event comes, and a last one at the end of each response; with
    `on_metrics` the events, as they are. `on_metrics` is also called when the subscriber disposes: see `outcome`.
    Completes: with the source. Errors: the source's, after the last `Metrics`; what `on_metrics` raises.
    Memory: two numbers a text delta.

    Args:
        on_metrics: called with each `Metrics`, the last one included.
        every: seconds between two `Metrics`. With None there is only the last.
        stall: this many seconds without an event, after the first event, count as a stall.
        clock: a function that returns seconds, as `time.perf_counter`. By default a monotonic clock, or the clock of a
            virtual scheduler.
        scheduler: for the timers. By default the subscription's, else the session's.

    Raises: ValueError, TypeError: `every` or `stall` is not above 0; `on_metrics` cannot be called, or is async.
    """
    span = None if every is None else seconds_of("every", every, least=1e-3)
    silence = seconds_of("stall", stall, least=1e-3)
    check = of_events("measure")
    if on_metrics is None:
        return lift_timed(lambda now: Measure(span, silence, clock, now), scheduler, check)
    if not callable(on_metrics):
        raise TypeError(f"measure expects a function for the metrics, got {on_metrics!r}")
    refuse_async(
        on_metrics,
        where="measure",
        instead="emit the metrics with measure(), and write for_each_async(function) after it",
    )
    handler = on_metrics
    return lift_timed(lambda now: MeasureAndPass(handler, span, silence, clock, now), scheduler, check)
