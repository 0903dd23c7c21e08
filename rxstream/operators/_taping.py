"""Writing a tape of the values that pass."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.errors import ProtocolError, RxStreamError, TransportError
from rxstream.events import Event
from rxstream.rx._checks import require_source
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, clock_of
from rxstream.sse import Frame
from rxstream.transport import Recorder

_A = TypeVar("_A", bound=Event | Frame)


def tee_to_tape(path: str | os.PathLike[str]) -> Callable[[Observable[_A]], Observable[_A]]:
    """Pass every value on, and write it to a tape, which `session.replay(path)` plays.

    Marbles with tee_to_tape(path)::

        source   -C-a-b-|
        result   -C-a-b-|

    It writes the events as the operators before it emit them, normalized. To record the Frames of the server, use
    `Session(tape=…)`. A tape holds the text of the answer, and never a header or a key. Each line is written before its
    event is passed on. Each subscription overwrites the file.

    Emits: every event (or Frame), as it is. Completes: with the source. Errors: the source's, which a replay repeats;
    OSError if the file cannot be written, or another recording writes it, after which the source is disposed;
    TypeError for a value that is neither an event nor a Frame. Memory: none.
    """
    name = os.fspath(path)

    def operator(source: Observable[_A]) -> Observable[_A]:
        require_source(source, "tee_to_tape")

        def subscribe(observer: abc.ObserverBase[_A], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            recorder = Recorder(name)  # if it raises, Rx calls on_error, as for all that a subscribe raises
            return _TapeWriter(recorder, observer, clock_of(choose_scheduler(None, scheduler))).subscribe(
                source, scheduler
            )

        return PushObservable(subscribe)

    return operator


class _TapeWriter(abc.ObserverBase[_A], abc.DisposableBase, Generic[_A]):
    """One subscription and its open file."""

    def __init__(self, recorder: Recorder, observer: abc.ObserverBase[_A], clock: Callable[[], float]) -> None:
        self._recorder = recorder
        self._observer = observer
        self._clock = clock
        self._begin = clock()
        self._lock = threading.Lock()
        self._source = SingleAssignmentDisposable()

    def subscribe(self, source: Observable[_A], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        self._source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    def on_next(self, value: _A) -> None:
        try:
            with self._lock:
                self._recorder.write(_frame(value), self._clock() - self._begin)
        except Exception as error:
            self.dispose()
            self._observer.on_error(error)
        else:
            self._observer.on_next(value)

    def on_error(self, error: Exception) -> None:
        write_error = self._close(error)
        if write_error is not None:
            error.add_note(f"also, the tape could not be finished: {write_error}")
        self._observer.on_error(error)

    def on_completed(self) -> None:
        write_error = self._close()
        if write_error is not None:
            self._observer.on_error(write_error)
        else:
            self._observer.on_completed()

    def dispose(self) -> None:
        self._source.dispose()
        with self._lock, suppress(OSError):  # there is no observer any more
            self._recorder.close()

    def _close(self, error: Exception | None = None) -> OSError | None:
        time = self._clock() - self._begin
        try:
            with self._lock, self._recorder:
                # other errors follow from the events on the tape, or from a missing terminal event
                if isinstance(error, TransportError | ProtocolError) or not isinstance(error, RxStreamError | None):
                    self._recorder.error(error, time)
                else:
                    self._recorder.complete(time)
        except OSError as write_error:
            return write_error
        return None


def _frame(value: Event | Frame) -> Frame:
    if isinstance(value, Frame):
        return value
    if not isinstance(value, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
        raise TypeError(
            f"tee_to_tape expects events or Frames, got {type(value).__name__}: put it before operators that emit "
            "something else, such as text_only()"
        )
    return Frame(value.type or "message", value.model_dump_json())
