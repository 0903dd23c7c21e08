"""The Observable that our operators and sessions return."""

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from reactivex import Observable

from rxstream.rx._checks import refuse_async

_T_co = TypeVar("_T_co", covariant=True)


class PushObservable(Observable[_T_co]):
    """A `reactivex.Observable` that is not iterable.

    Rx's own has `__getitem__`, so that a `for` loop over it would never end and never subscribe. To loop over the
    values, write `for value in rxstream.iterate(observable)`.

    What is often written and cannot work is an error: an async function in `subscribe`, an operator without its `()`
    in `pipe`. What `pipe` and the methods of Rx (`.map(…)`) return is checked in the same way. An Observable of others
    checks nothing, up to the first of our operators in its chain.
    """

    __iter__ = None

    if not TYPE_CHECKING:  # checkers are to see the signatures of Rx

        def subscribe(self, on_next=None, on_error=None, on_completed=None, *, scheduler=None):
            refuse_async(
                *(on_next, on_error, on_completed),
                where="subscribe",
                instead="write .pipe(rxs.for_each_async(function)).subscribe(), or use rxstream.Handlers",
            )
            return super().subscribe(on_next, on_error, on_completed, scheduler=scheduler)

        def pipe(self, *operators):
            for operator in operators:
                if _makes_operators(operator):
                    raise TypeError(
                        f"pipe expects operators, got the function that makes one: write {operator.__name__}()"
                    )
            result = super().pipe(*operators)
            # the same subscription in an Observable that checks, without a further observer for each value
            return PushObservable(result._subscribe) if type(result) is Observable else result


def _makes_operators(function: Any) -> bool:
    """Whether it is a public function of ours or of Rx. What these return is a function made inside another one."""
    module = str(getattr(function, "__module__", ""))
    ours = module == "reactivex.operators" or module.startswith(
        ("rxstream.operators", "rxstream.moderation", "rxstream.rx")
    )
    name = getattr(function, "__qualname__", "")
    return ours and inspect.isfunction(function) and name == function.__name__ and not name.startswith("_")
