"""The types of operators and of the cores that they are made of.

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
    """Turns values into other values, without I/O. Each subscription has an instance of its own.

    `feed` and `finish` may raise an `RxStreamError`; the operator then errors with it. An error of the source does not
    reach the core, and what the core still holds is dropped.
    """

    def feed(self, value: _A_contra, /) -> Iterable[_B_co]:
        """Take one value; return the values to emit now, in order (often none: `()`)."""
        ...

    def finish(self) -> Iterable[_B_co]:
        """The source completed: return the values that were held back."""
        ...


@runtime_checkable
class SupportsFail(Core[_A_contra, _B_co], Protocol[_A_contra, _B_co]):
    """A core that emits values before an error of the source is passed on."""

    def fail(self, error: Exception, /) -> Iterable[_B_co]:
        """The source failed: return the values to emit before its error."""
        ...


class SupportsQuick(Core[_A_contra, _B_co], Protocol[_A_contra, _B_co]):
    """A core with a method that takes most values at less cost than `feed`."""

    @property
    def quick(self) -> Callable[[_A_contra], Iterable[_B_co] | None]:
        """Take a value as `feed` does; or leave it and return None, and `feed` gets it.

        It is read anew after each call of `feed`.
        """
        ...


class TimedCore(Protocol[_A_contra, _B_co]):
    """A core that also emits values when time has passed. Times are seconds on a clock that never goes back.

    `rxstream.operators.lift_timed` makes an operator of it.
    """

    @property
    def due(self) -> float | None:
        """When to call `tick`; None: not before another value has come."""
        ...

    def feed(self, value: _A_contra, now: float, /) -> Iterable[_B_co]:
        """Take one value; return the values to emit now, in order."""
        ...

    def tick(self, now: float, /) -> Iterable[_B_co]:
        """`due` has come: return the values to emit now."""
        ...

    def finish(self, now: float, /) -> Iterable[_B_co]:
        """The source completed: return the values to emit now. The operator completes once `due` is None."""
        ...

    def fail(self, now: float, /) -> Iterable[_B_co]:
        """The source failed: return the values to emit before its error."""
        ...


@runtime_checkable
class SupportsDispose(Protocol):
    """A timed core that is told when the subscriber disposes before the end."""

    def dispose(self, now: float, /) -> None:
        """The subscriber disposed. Nothing can be emitted any more."""
        ...
