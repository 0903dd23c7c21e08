"""Makes operators of cores."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from reactivex import Observable, abc

from rxstream.rx._checks import InputCheck, explained, require_source
from rxstream.rx._observable import PushObservable
from rxstream.rx._own_error import send_own_error
from rxstream.typing import Core, Operator, SupportsFail

_A = TypeVar("_A")
_B = TypeVar("_B")


def lift(make: Callable[[], Core[_A, _B]], check: InputCheck | None = None) -> Operator[_A, _B]:
    """Make an operator of a core. `make` is called once for each subscription, so two subscribers share nothing.

    Emits: what `feed` returns, then what `finish` returns when the source completes.
    A core may have `quick` (`SupportsQuick`).
    Completes: with the source. Errors: the source's, after what `fail` returns if the core has it; what the core
    raises, after which the source is disposed. If `feed` is a generator, the values before its error are emitted.
    What an observer raises goes to the source, not to the core; once the source has ended, to the observer itself.
    `check` is called with the first value, and with a value that `feed` cannot take.

    The source must notify one at a time, as Rx requires and sessions do: there is no lock. For a `Subject` that several
    threads feed, put `reactivex.operators.observe_on(scheduler)` before.

    Raises: TypeError if `make` cannot be called; the operator, if its source is not an Observable.
    """

    if not callable(make):
        raise TypeError(f"lift expects a class or function that makes a core, got {make!r}")

    name = "an operator" if check is None else check.operator

    def operator(source: Observable[_A]) -> Observable[_B]:
        require_source(source, name)

        def subscribe(observer: abc.ObserverBase[_B], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            core = make()

            has_quick = hasattr(core, "quick")  # `isinstance` with a protocol costs as much as thirty values

            def full(value: _A) -> Iterable[_B]:
                nonlocal feed
                outputs = core.feed(value)
                feed = getattr(core, "quick", core.feed)
                return outputs

            def checked(value: _A) -> Iterable[_B]:
                if check is not None:
                    check(value)
                return full(value)

            feed: Callable[[_A], Iterable[_B] | None] = full if check is None else checked
            emit, on_error = observer.on_next, observer.on_error
            if hasattr(core, "fail"):
                emit, on_error = _emit_and_fail(cast("SupportsFail[_A, _B]", core), observer)

            def on_next(value: _A) -> None:
                nonlocal feed
                try:
                    fed = feed(value)
                    outputs = full(value) if fed is None and has_quick else cast("Iterable[_B]", fed)
                except Exception as error:
                    feed = _ignore  # a source that sends while it is being subscribed to cannot be disposed
                    observer.on_error(explained(error, value, check))
                    return
                kind = type(outputs)
                if kind is tuple or kind is list:  # the usual case, and three times as fast as `_emit_all`
                    for output in outputs:
                        emit(output)
                elif not _emit_all(outputs, emit, observer):
                    feed = _ignore

            def on_completed() -> None:
                if feed is _ignore:
                    return
                try:
                    whole = _emit_all(core.finish(), emit, observer)
                except Exception as error:  # of the core or the observer: the source, which has ended, cannot send it
                    send_own_error(observer, error)
                    return
                if whole:
                    observer.on_completed()

            return source.subscribe(on_next, on_error, on_completed, scheduler=scheduler)

        return PushObservable(subscribe)

    return operator


def lift_passing(
    make: Callable[[], Core[Any, Any]], check: InputCheck | None = None
) -> Callable[[Observable[_A]], Observable[_A]]:
    """`lift` for a core that passes events, also those of a run."""
    return lift(make, check)


def _ignore(value: object) -> tuple[()]:
    """`feed`, after the core has raised."""
    return ()


def iterator_of(outputs: Iterable[_B]) -> Iterator[_B]:
    """Raises: TypeError: it is not iterable, as the None that a method without `return` gives."""
    try:
        return iter(outputs)
    except TypeError:
        pass
    raise TypeError(
        f"expected a method of a core to return the values to emit, got {type(outputs).__name__}: return () for none"
    )


def _emit_all(outputs: Iterable[_B], emit: Callable[[_B], None], observer: abc.ObserverBase[_B]) -> bool:
    """Emit each output. Returns False if the generator of them raised: then the observer has got its error."""
    iterator: Iterator[_B] | None = None
    while True:
        try:
            if iterator is None:
                iterator = iterator_of(outputs)
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
        if raised:
            observer.on_error(error)
            return
        try:
            whole = _emit_all(core.fail(error), emit, observer)
        except Exception as own_error:  # of the core or the observer
            send_own_error(observer, own_error)
            return
        if whole:
            observer.on_error(error)

    return emit, on_error
