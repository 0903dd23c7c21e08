"""The Observable that our operators and sessions return."""

from typing import TypeVar

from reactivex import Observable

_T_co = TypeVar("_T_co", covariant=True)


class PushObservable(Observable[_T_co]):
    """A `reactivex.Observable` that a `for` loop refuses.

    Rx's own has `__getitem__`, by which Python would loop over it for ever, each turn an Observable, and nothing sent.
    The loop over what it emits is `for value in rxstream.iterate(observable)`.
    """

    __iter__ = None
