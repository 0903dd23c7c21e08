"""The Observable that our operators and sessions return."""

from typing import TypeVar

from reactivex import Observable

_T_co = TypeVar("_T_co", covariant=True)


class PushObservable(Observable[_T_co]):
    """A `reactivex.Observable` that is not iterable.

    Rx's own has `__getitem__`, so that a `for` loop over it would never end and never subscribe. To loop over the
    values, write `for value in rxstream.iterate(observable)`.
    """

    __iter__ = None
