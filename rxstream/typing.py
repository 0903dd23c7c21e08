"""The types of what is plugged together: operators, and the cores that they are made of.

`rxstream.operators.lift` makes an operator of a `Core`, `lift_timed` one of a `TimedCore`.
"""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

from reactivex import Observable

_A = TypeVar("_A")
_B = TypeVar("_B")
_A_contra = TypeVar("_A_contra", contravariant=True)
_B_co = TypeVar("_B_co", covariant=True)

Operator: TypeAlias = Callable[[Observable[_A]], Observable[_B]]
"""What `.pipe(...)` takes: a function from one Observable to another.

An operator whose arguments say nothing of its type, as `shared()`, spells the two out:
`Callable[[Observable[_A]], Observable[_A]]`. Of an alias there, mypy cannot infer what `_A` is.
"""


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


@runtime_checkable
class LastWords(Core[_A_contra, _B_co], Protocol[_A_contra, _B_co]):
    """A core that has something to say before an error of the source passes."""

    def fail(self, error: Exception, /) -> Iterable[_B_co]:
        """The source failed: return what is to be emitted before its error."""
        ...


class TimedCore(Protocol[_A_contra, _B_co]):
    """A core that time alone can make say something. Times are seconds on a clock that never goes back.

    `rxstream.operators.lift_timed` makes an operator of it.
    """

    @property
    def due(self) -> float | None:
        """When `tick` will have something to say; None: never, unless a value comes."""
        ...

    def feed(self, value: _A_contra, now: float, /) -> Iterable[_B_co]:
        """Take one value; return what can be said now, in order."""
        ...

    def tick(self, now: float, /) -> Iterable[_B_co]:
        """The time has come: return what is due."""
        ...

    def finish(self, now: float, /) -> Iterable[_B_co]:
        """The source completed: return what can be said now. The end waits until nothing is due any more."""
        ...

    def fail(self, now: float, /) -> Iterable[_B_co]:
        """The source failed: return what is to be emitted before its error."""
        ...


@runtime_checkable
class Leaving(Protocol):
    """A timed core that wants to know when the subscriber leaves before the end."""

    def leave(self, now: float, /) -> None:
        """Nobody is there any more to hear anything."""
        ...
