"""A usual run tries a fixed part of the large products and random cases; with `RXSTREAM_ALL=1` it tries all of them.

A part still has each operator, each stream and each mode, but not each of them with each other.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TypeVar

_T = TypeVar("_T")

ALL = os.environ.get("RXSTREAM_ALL", "") not in ("", "0")


def tries(usual: int, every: int) -> int:
    """How many random cases are tried."""
    return every if ALL else usual


def one_in(step: int, cases: Iterable[_T], start: int = 0) -> Sequence[_T]:
    """Each `step`-th case, in their order."""
    cases = list(cases)
    return cases if ALL else cases[start % step :: step]
