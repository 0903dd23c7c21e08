"""Makes operators of cores."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from reactivex import Observable, abc

from rxstream.rx._checks import InputCheck, explained, require_source
from rxstream.rx._observable import PushObservable
from rxstream.typing import Core, Operator, SupportsFail

_A = TypeVar("_A")
_B = TypeVar("_B")


def lift(make: Callable[[], Core[_A, _B]], check: InputCheck | None = None) -> Operator[_A, _B]:
    """Make an operator of a core. `make` is called once for each subscription, so two subscribers share nothing.

    Emits: what `feed` returns, then what `finish` returns when the source completes.
    Completes: with the source. Errors: the source's, after what `fail` returns if the core has it; what the core
    raises, after which the source is disposed. If `feed` is a generator, the values before its error are emitted.
    What an observer raises goes to the source, not to the core. `check` is called with the first value, and with a
    value that `feed` cannot take.

    Raises: TypeError if `make` cannot be called; the operator, if its source is no Observable.
    """

    if not callable(make):
        raise TypeError(f"lift expects a class or function that makes a core, got {make!r}")

    name = "an operator" if check is None else check.operator

    def operator(source: Observable[_A]) -> Observable[_B]:
        require_source(source, name)

        def subscribe(observer: abc.ObserverBase[_B], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            core = make()

            def checked(value: _A) -> Iterable[_B]:
                nonlocal feed
                feed = core.feed
                if check is not None:
                    check(value)
                return feed(value)

            feed = core.feed if check is None else checked
            emit, on_error = observer.on_next, observer.on_error
            if isinstance(core, SupportsFail):
                emit, on_error = _emit_and_fail(core, observer)

            def on_next(value: _A) -> None:
                try:
                    outputs: Iterable[_B] = feed(value)
                except Exception as error:
                    observer.on_error(explained(error, value, check))
                    return
                kind = type(outputs)
                if kind is tuple or kind is list:  # the usual case, and three times as fast as `_emit_all`
                    for output in outputs:
                        emit(output)
                else:
                    _emit_all(outputs, emit, observer)

            def on_completed() -> None:
                try:
                    outputs = core.finish()
                except Exception as error:
                    observer.on_error(error)
                    return
                if _emit_all(outputs, emit, observer):
                    observer.on_completed()

            return source.subscribe(on_next, on_error, on_completed, scheduler=scheduler)

        return PushObservable(subscribe)

    return operator


def _emit_all(outputs: Iterable[_B], emit: Callable[[_B], None], observer: abc.ObserverBase[_B]) -> bool:
    """Emit each output. Returns False if the generator of them raised: then the observer has got its error."""
    iterator = iter(outputs)
    while True:
        try:
            output = next(iterator)
        except StopIteration:
            return True
        except Exception as error:
            observer.on_error(error)
            return False
        emit(output)


def _emit_and_fail(
    core: SupportsFail[_A, _B], observer: abc.ObserverBase[_B]
) -> tuple[Callable[[_B], None], Callable[[Exception], None]]:
    """The `emit` and the `on_error` for a core that has `fail`."""
    raised = False

    def emit(output: _B) -> None:
        nonlocal raised
        try:
            observer.on_next(output)
        except BaseException:
            raised = True  # the source sends this error back, and `fail` must not be called for it
            raise

    def on_error(error: Exception) -> None:
        try:
            outputs = () if raised else core.fail(error)
        except Exception as core_error:
            observer.on_error(core_error)
            return
        if _emit_all(outputs, emit, observer):
            observer.on_error(error)

    return emit, on_error
