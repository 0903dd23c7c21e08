"""What happens at each stage of a chain: probes."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Self, TypeVar, overload

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.probes._counts import StageCounts
from rxstream.probes._registry import REGISTRY, STREAM, ProbedStream
from rxstream.rx._checks import require_source
from rxstream.rx._context import FLOW, Flow
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.typing import Operator

_A = TypeVar("_A")
_B = TypeVar("_B")

_Entrances = dict[object, tuple[StageCounts, Callable[[], float]]]
_ENTRANCES: ContextVar[_Entrances] = ContextVar("rxstream_probe_entrances", default={})  # noqa: B039  (never changed)
"""The counts of the stages that are being subscribed to, for their entrances."""


@overload
def probe(name: str, operator: None = None) -> Callable[[Observable[_A]], Observable[_A]]: ...
@overload
def probe(name: str, operator: Operator[_A, _B]) -> Operator[_A, _B]: ...
def probe(name: str, operator: Any = None) -> Any:
    """Count what passes here, or what goes into an operator and what comes out of it.

    Marbles with probe("model")::

        source   -C-a-b-K-|
        result   -C-a-b-K-|

    `rxstream.probes.snapshot()` reads the counts of all streams of the process: events in and out, how many a stage
    holds and has dropped, how long an event was inside, pauses, the end. The probes of one chain are the stages of one
    stream, with what is subscribed to inside of it, as the turns of a run.

    Args:
        name: of the stage.
        operator: count at its entrance and at its exit. None: a point.

    Emits, completes, errors: as the operator; without one, as the source.
    Memory: with an operator, up to 4,096 values that went in and did not come out yet, and 256 that were passed over.

    Raises: TypeError if `name` is not a text, or `operator` cannot be called.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"probe expects a name, got {name!r}: write probe('moderation', operator)")
    if operator is not None and not callable(operator):
        raise TypeError(f"probe expects an operator for {name}, got {operator!r}")

    def probed(source: Observable[Any]) -> Observable[Any]:
        require_source(source, "probe")
        key = object()

        def enter(observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            counts, clock = _ENTRANCES.get().get(key) or last[0]
            return _Entrance(counts, clock, observer).subscribe(source, scheduler)

        exit_source: Any = source if operator is None else operator(PushObservable(enter))
        require_source(exit_source, f"probe: what the operator of {name} returns")
        last: list[tuple[StageCounts, Callable[[], float]]] = []
        """The last subscription: of the entrances that are subscribed to again elsewhere, as by a retry."""

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            clock = clock_of(choose_scheduler(None, scheduler))
            counts = StageCounts(name, clock())
            last[:] = [(counts, clock)]
            stream = REGISTRY.begin(counts, clock, STREAM.get())
            within = STREAM.set(stream)
            entrances = _ENTRANCES.set({**_ENTRANCES.get(), key: (counts, clock)} if operator is not None else {})
            try:
                return _Exit(counts, clock, observer, stream, is_point=operator is None).subscribe(
                    exit_source, scheduler
                )
            finally:
                _ENTRANCES.reset(entrances)
                STREAM.reset(within)

        return PushObservable(subscribe)

    return probed


class _Entrance(abc.ObserverBase[Any]):
    """Counts what goes in, and the pauses that are asked for behind it."""

    def __init__(self, counts: StageCounts, clock: Callable[[], float], observer: abc.ObserverBase[Any]) -> None:
        self._counts = counts
        self._clock = clock
        self._observer = observer
        self._flow: Flow | None = None
        self._counted: _CountedFlow | None = None

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        return source.subscribe(self, scheduler=scheduler)

    def on_next(self, value: Any) -> None:
        self._counts.enter(value, self._clock())
        self._forward(value)

    def _forward(self, value: Any) -> None:
        flow = FLOW.get()
        if flow is None:
            self._observer.on_next(value)
            return
        if flow is not self._flow:
            self._flow, self._counted = flow, _CountedFlow(flow, self._counts, self._clock)
        token = FLOW.set(self._counted)
        try:
            self._observer.on_next(value)
        finally:
            FLOW.reset(token)

    def on_error(self, error: Exception) -> None:
        self._observer.on_error(error)

    def on_completed(self) -> None:
        self._observer.on_completed()


class _CountedFlow(Flow):
    """A `Flow` whose pauses are counted."""

    def __init__(self, flow: Flow, counts: StageCounts, clock: Callable[[], float]) -> None:
        self._flow = flow
        self._counts = counts
        self._clock = clock
        self.abort = flow.abort

    def pause(self) -> None:
        self._counts.pause(self._clock())
        self._flow.pause()

    def resume(self) -> None:
        self._counts.resume(self._clock())
        self._flow.resume()


class _Exit(_Entrance, abc.DisposableBase):
    """Counts what comes out, and notes the end. At a point it is the entrance, too."""

    def __init__(
        self,
        counts: StageCounts,
        clock: Callable[[], float],
        observer: abc.ObserverBase[Any],
        stream: ProbedStream,
        *,
        is_point: bool,
    ) -> None:
        super().__init__(counts, clock, observer)
        self._stream = stream
        self._upstream = SingleAssignmentDisposable()
        self._is_point = is_point

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> Self:
        try:
            self._upstream.disposable = source.subscribe(self, scheduler=scheduler)
        except Exception as error:
            self._end("failed", error)
            raise
        return self

    def on_next(self, value: Any) -> None:
        try:
            if self._is_point:
                self._counts.pass_through(self._clock())
                self._forward(value)
            else:
                self._counts.leave(value, self._clock())
                self._observer.on_next(value)
        except Exception as error:
            self._counts.observer_raised(error)
            raise

    def _end(self, state: Any, error: Exception | None = None) -> None:
        self._counts.end(state, self._clock(), error)
        REGISTRY.ended(self._stream)

    def on_error(self, error: Exception) -> None:
        self._end("failed", error)
        self._observer.on_error(error)

    def on_completed(self) -> None:
        self._end("completed")
        self._observer.on_completed()

    def dispose(self) -> None:
        self._upstream.dispose()
        self._end("disposed")
