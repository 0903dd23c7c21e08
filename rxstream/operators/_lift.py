"""A core becomes an operator: the only place where the two meet."""

from collections.abc import Callable
from typing import TypeVar

from reactivex import Observable, abc

from rxstream._typing import Operator
from rxstream.cores._base import Core

_A = TypeVar("_A")
_B = TypeVar("_B")


def lift(make: Callable[[], Core[_A, _B]]) -> Operator[_A, _B]:
    """Make an operator of a core. `make` is called once for each subscription, so two subscribers share nothing.

    Emits: what `feed` returns, then what `finish` returns when the source completes.
    Completes: with the source. Errors: the source's; whatever the core raises, after which the source is disposed.
    What an observer raises is not the core's affair and goes up to the source.
    """

    def operator(source: Observable[_A]) -> Observable[_B]:
        def subscribe(observer: abc.ObserverBase[_B], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
            core = make()
            feed = core.feed
            emit = observer.on_next

            def on_next(value: _A) -> None:
                try:
                    outputs = tuple(feed(value))
                except Exception as error:
                    observer.on_error(error)
                    return
                for output in outputs:
                    emit(output)

            def on_completed() -> None:
                try:
                    outputs = tuple(core.finish())
                except Exception as error:
                    observer.on_error(error)
                    return
                for output in outputs:
                    emit(output)
                observer.on_completed()

            return source.subscribe(on_next, observer.on_error, on_completed, scheduler=scheduler)

        return Observable(subscribe)

    return operator
