"""What if it breaks: time limits, retries, other sources."""

from __future__ import annotations

import logging
import random as _random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, SerialDisposable, SingleAssignmentDisposable

from rxstream.errors import ResponseError, RxStreamError
from rxstream.rx._checks import require_source
from rxstream.rx._context import FLOW, Flow
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, clock_of, lift_timed, seconds_of
from rxstream.timing._backoff import Backoff
from rxstream.timing._heartbeat import HeartbeatEvent
from rxstream.timing._timeouts import TimeLimits, Timeouts
from rxstream.typing import Operator

_A = TypeVar("_A")

_log = logging.getLogger("rxstream")


def timeouts(
    *,
    first_event: float | timedelta | None = None,
    first_text: float | timedelta | None = None,
    between: float | timedelta | None = None,
    total: float | timedelta | None = None,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_A]], Observable[_A]]:
    """Error with a `StreamTimeoutError` when the stream is too slow: a class of its own for each limit.

    Marbles with timeouts(between=0.05)::

        source    -C-a-b-------c-|
        result    -C-a-b----#
        upstream  ^---------!
        where # = BetweenEventsTimeoutError("between")

    Marbles with timeouts(first_text=0.05)::

        source    -C-H-H-H-a-|
        result    -C-H-#
        where # = FirstTextTimeoutError("first_text")

    Args:
        first_event: seconds from the subscription to the first value of any kind but a keep-alive.
        first_text: seconds from the subscription to the first text: a delta of the answer or of a refusal, or a `str`.
            Reasoning and tool calls do not count, so do not set it if the answer may be only a tool call.
        between: seconds between one value and the next. Keep-alives are not counted as values.
        total: seconds from the subscription to the end.

    Time in which downstream blocks or pauses the stream counts for `total` only. A session has the same limits for its
    streams (`Session(first_event_timeout=…)`), and resumes a silent one where it may; there `total` stands still too.

    Emits: every value. Completes: with the source. Errors: the source's; `FirstEventTimeoutError`,
    `FirstTextTimeoutError`, `BetweenEventsTimeoutError`, `TotalTimeoutError`, which count as transient for
    `retry_transient`, and after which the source is disposed. Memory: none.

    Raises: TypeError, ValueError if a limit is not a span of time.
    """
    spans = {"first_event": first_event, "first_text": first_text, "between": between, "total": total}
    limits = TimeLimits(**{name: seconds_of(name, span) for name, span in spans.items() if span is not None})

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "timeouts")

        def subscribe(
            observer: abc.ObserverBase[_A], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = clock_of(choose_scheduler(scheduler, from_subscribe))
            core: Timeouts[_A] = Timeouts(clock(), limits)
            timed = lift_timed(lambda _: core, scheduler)(source)
            return timed.subscribe(_PauseObserver(observer, core, clock), scheduler=from_subscribe)

        return PushObservable(subscribe)

    return operator


class _PauseObserver(abc.ObserverBase[_A], Generic[_A]):
    """Tells the core about the time in which downstream blocks the stream in `on_next`, or pauses it."""

    def __init__(self, observer: abc.ObserverBase[_A], core: Timeouts[_A], clock: Callable[[], float]) -> None:
        self._observer = observer
        self._core = core
        self._clock = clock
        self._flows: dict[Flow, _PauseFlow] = {}
        self._lock = threading.Lock()

    def on_next(self, value: _A) -> None:
        with self._lock:
            self._core.pause(self._clock())
        flow = FLOW.get()
        if flow is None:
            self._observer.on_next(value)
        else:
            own_flow = self._flows.get(flow)
            if own_flow is None:
                own_flow = self._flows[flow] = _PauseFlow(flow, self._core, self._clock, self._lock)
            token = FLOW.set(own_flow)
            try:
                self._observer.on_next(value)
            finally:
                FLOW.reset(token)
        with self._lock:
            self._core.resume(self._clock())

    def on_error(self, error: Exception) -> None:
        self._observer.on_error(error)

    def on_completed(self) -> None:
        self._observer.on_completed()


class _PauseFlow:
    """The `Flow` of downstream, which tells the core about pauses."""

    def __init__(self, flow: Flow, core: Timeouts[Any], clock: Callable[[], float], lock: threading.Lock) -> None:
        self._flow = flow
        self._core = core
        self._clock = clock
        self._lock = lock

    def pause(self) -> None:
        with self._lock:
            self._core.pause(self._clock())
        self._flow.pause()

    def resume(self) -> None:
        with self._lock:
            self._core.resume(self._clock())
        self._flow.resume()

    def abort(self, error: Exception) -> None:
        self._flow.abort(error)


def retry_transient(
    max_retries: int = 2,
    *,
    first_delay: float | timedelta = 0.5,
    longest_delay: float | timedelta = 8.0,
    random: Callable[[], float] = _random.random,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_A]], Observable[_A]]:
    """Subscribe to the source again after a transient error, if it has not emitted anything.

    Marbles with retry_transient(1, random=lambda: 0)::

        source    -#
        result    -<500ms>-#
        upstream  ^!
        upstream  -<500ms>^!
        where # = ConnectError("refused")

    Transient are `TransportError`s: no connection, a time-out, status 408, 409, 429, 5xx unless the server's
    `x-should-retry` decides otherwise; and an `ApiError` or `ResponseFailedError` whose code is that of a rate limit or
    of an overloaded or broken server. There is no retry after the first value, which would be emitted twice: behind
    `text_only()` that is the first text. Nor is there one after a wire that broke once the response had an id, because
    that response exists, and a second one costs again.

    The wait is the server's `retry-after`, or the one that its message names, if that is at most two minutes; else
    min(first_delay · 2ⁿ, longest_delay), less up to a quarter at random. A `Session` already does this. Use the
    operator for streams that are not a session's, behind `timeouts`, or with `Session(max_retries=0)`: else the number
    of tries multiplies.

    Args:
        max_retries: further subscriptions at most.
        first_delay, longest_delay: seconds.
        random: gives numbers in [0, 1).

    Emits: the values of the first try that has any. Completes: with it. Errors: any other error at once; the last one
    when all tries have failed. Disposing ends a wait too. Memory: none.

    Raises: ValueError if `max_retries` is negative; TypeError, ValueError if a delay is not a span of time.
    """
    if max_retries < 0:
        raise ValueError(f"max_retries must be 0 or more, got {max_retries}")
    first, longest = seconds_of("first_delay", first_delay), seconds_of("longest_delay", longest_delay)
    backoff = Backoff(max_retries, random, first, longest)

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "retry_transient")

        def subscribe(
            observer: abc.ObserverBase[_A], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            timers = choose_scheduler(scheduler, from_subscribe)
            running, waiting = SerialDisposable(), SerialDisposable()
            tries = 0

            def try_again(error: Exception) -> None:
                nonlocal tries
                tries += 1
                delay = None
                try:
                    if isinstance(error, ResponseError) or (
                        isinstance(error, RxStreamError) and error.response_id is None
                    ):
                        delay = backoff.delay(error, tries)
                    if delay is not None:
                        _log.info("failed (%s); try %d follows in %.1f s", type(error).__name__, tries + 1, delay)
                        waiting.disposable = timers.schedule_relative(delay, begin)
                except Exception as reason:  # of `random`, or of the scheduler
                    error.add_note(f"it was not tried again: {type(reason).__name__}: {reason}")
                    delay = None
                if delay is None:
                    observer.on_error(error)

            def begin(*_: object) -> None:
                _try_source(source, observer, from_subscribe, running, try_again)

            begin()
            return CompositeDisposable(running, waiting)

        return PushObservable(subscribe)

    return operator


def fallback_to(*others: Observable[_A]) -> Operator[_A, _A]:
    """Subscribe to another source when the first fails before it has emitted anything.

    Marbles with fallback_to(other)::

        source    -#
        other     -C-a-|
        result    --C-a-|
        upstream  ^!

    The others are tried in turn, each when the source before it has failed. An error after the first value is
    passed on. So its place in the chain matters: right behind the source it replaces a stream that failed before its
    first event; behind `text_only()` a stream that failed before its first text, whose reasoning may have cost tokens.

    Emits, completes: as the first source that does not fail at once. Errors: any after the first value; if all
    fail, the last source's, with notes of the others'. Memory: none.

    Raises: TypeError if one of `others` is not an Observable.
    """
    for other in cast("tuple[object, ...]", others):
        if not isinstance(other, Observable):
            raise TypeError(f"fallback_to expects Observables, got {other!r}")

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "fallback_to")

        def subscribe(
            observer: abc.ObserverBase[_A], from_subscribe: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            candidates = iter((source, *others))
            running = SerialDisposable()
            notes: list[str] = []

            def try_next(error: Exception) -> None:
                candidate = next(candidates, None)
                if candidate is None:
                    for note in notes:
                        error.add_note(note)
                    observer.on_error(error)
                    return
                _log.info("failed (%s); falling back", type(error).__name__)
                notes.append(f"before it, another source failed: {type(error).__name__}: {error}")
                _try_source(candidate, observer, from_subscribe, running, try_next)

            _try_source(next(candidates), observer, from_subscribe, running, try_next)
            return running

        return PushObservable(subscribe)

    return operator


def _try_source(
    source: Observable[_A],
    observer: abc.ObserverBase[_A],
    scheduler: abc.SchedulerBase | None,
    running: SerialDisposable,
    on_failure: Callable[[Exception], None],
) -> None:
    """Subscribe to `source`, as `running`. An error before the first value goes to `on_failure`."""
    emitted = False

    def on_next(value: _A) -> None:
        nonlocal emitted
        if not emitted and type(value) is not HeartbeatEvent:  # which says that nothing has come
            emitted = True
        observer.on_next(value)

    def on_error(error: Exception) -> None:
        if emitted:
            observer.on_error(error)
        else:
            on_failure(error)

    if running.is_disposed:
        return
    inner = SingleAssignmentDisposable()
    running.disposable = inner
    inner.disposable = source.subscribe(on_next, on_error, observer.on_completed, scheduler=scheduler)
