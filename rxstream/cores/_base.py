"""The shape of every core."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

_A_contra = TypeVar("_A_contra", contravariant=True)
_B_co = TypeVar("_B_co", covariant=True)


class Core(Protocol[_A_contra, _B_co]):
    """A pure machine: values in, values out. One instance lives as long as one subscription.

    `feed` and `finish` may raise an `RxStreamError`; the operator then errors with it. A source's error passes by
    the core and drops what it still holds.
    """

    def feed(self, value: _A_contra, /) -> Iterable[_B_co]:
        """Take one value; return what can be said now, in order (often nothing: `()`)."""
        ...

    def finish(self) -> Iterable[_B_co]:
        """The source completed: return what was held back."""
        ...
