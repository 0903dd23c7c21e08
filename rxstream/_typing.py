"""The one type alias every floor shares."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from reactivex import Observable

_A = TypeVar("_A")
_B = TypeVar("_B")

Operator: TypeAlias = Callable[[Observable[_A]], Observable[_B]]
"""What `.pipe(...)` takes: a function from one Observable to another."""
