"""Which events."""

from __future__ import annotations

from typing import Any, TypeVar, cast, overload

from reactivex import Observable, abc

from rxstream.events import Event
from rxstream.rx._checks import of_events, require_source
from rxstream.rx._observable import PushObservable
from rxstream.typing import Operator

_A = TypeVar("_A", bound=Event)
_B = TypeVar("_B", bound=Event)
_C = TypeVar("_C", bound=Event)
_D = TypeVar("_D", bound=Event)


# Of several classes in one variable, mypy infers the nearest base that they share, and no union.
@overload
def of_type(first: type[_A], second: type[_B], /) -> Operator[Event, _A | _B]: ...
@overload
def of_type(first: type[_A], second: type[_B], third: type[_C], /) -> Operator[Event, _A | _B | _C]: ...
@overload
def of_type(
    first: type[_A], second: type[_B], third: type[_C], fourth: type[_D], /
) -> Operator[Event, _A | _B | _C | _D]: ...
@overload
def of_type(*classes: type[_A]) -> Operator[Event, _A]: ...
def of_type(*classes: type[Any]) -> Operator[Event, Any]:
    """Emit only the events of these classes. The result has their type.

    Marbles with of_type(ResponseOutputTextDeltaEvent)::

        source   -C-M-a-b_-D-K|
        result   -----a-b_----|

    Emits: each event that is an instance of one of `classes`, as it is. Completes: with the source.
    Errors: the source's; TypeError for a value that is not an event. Memory: none.

    Raises: TypeError without a class, or for what is not a class of events.
    """
    unchecked = cast("tuple[object, ...]", classes)
    if not classes or not all(isinstance(cls, type) and issubclass(cls, Event) for cls in unchecked):
        raise TypeError(f"of_type expects classes of events, as in of_type(ResponseCompletedEvent), got {classes!r}")

    check = of_events("of_type")

    def operator(source: Observable[Event]) -> Observable[Any]:
        require_source(source, "of_type")

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            emit = observer.on_next

            def on_next(event: Event) -> None:
                if isinstance(event, classes):
                    emit(event)
                elif not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
                    try:
                        check(event)
                    except TypeError as error:
                        observer.on_error(error)

            return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

        return PushObservable(subscribe)

    return operator
