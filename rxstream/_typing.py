"""What every floor shares of Rx: the type of an operator, and the Observable that ours return."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from reactivex import Observable

_A = TypeVar("_A")
_B = TypeVar("_B")
_T_co = TypeVar("_T_co", covariant=True)

Operator: TypeAlias = Callable[[Observable[_A]], Observable[_B]]
"""What `.pipe(...)` takes: a function from one Observable to another."""


class PushObservable(Observable[_T_co]):
    """A `reactivex.Observable` that a `for` loop refuses.

    Rx's own has `__getitem__`, by which Python would loop over it for ever, each turn an Observable, and nothing sent.
    The loop over what it emits is `for value in rxstream.iterate(observable)`.
    """

    __iter__ = None
