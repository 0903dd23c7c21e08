"""How fast: fewer pieces, or evener ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

from reactivex import Observable, abc

from rxstream.rx._timed import lift_timed, seconds_of
from rxstream.segmentation._units import splitter_of
from rxstream.timing._coalesce import Coalesce
from rxstream.timing._pace import Pace

_T = TypeVar("_T")

_RATES: Final[dict[Any, float]] = {"char": 150.0, "word": 30.0, "line": 5.0}
"""Units a second, where no rate is given."""


def coalesce(
    seconds: float | timedelta, max_chars: int | None = None, *, scheduler: abc.SchedulerBase | None = None
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Merge adjacent text deltas of one part: fewer pieces, nothing lost.

    Marbles with coalesce(0.03)::

        source   -C-a-b_-----c-D----|
        result   -C----ab_-----(c,D)|

    On events and on plain `str`. A merged delta has the place and the sequence number of the last of those it holds,
    and their log probabilities. Parts that interleave are not merged across each other: the order of everything stays.

    Emits: a run of deltas as one, `seconds` after its first, or earlier: when `max_chars` are together, when anything
    else comes, at the end. A merged delta is no longer than `max_chars`; one that is longer by itself passes as it is.
    Everything else passes at once. Completes: with the source. Errors: the source's, after what is held.
    Memory: the deltas of `seconds`.

    Args:
        seconds: how long a delta may wait; 0.05 lets twenty renders a second be.
        max_chars: so many characters do not wait.
        scheduler: whose timers are used; else that of the subscription, else the session's.

    Raises: ValueError: a negative time, or `max_chars` less than 1.
    """
    span = seconds_of("seconds", seconds)
    if max_chars is not None and max_chars < 1:
        raise ValueError(f"max_chars must be 1 or more, not {max_chars!r}")
    return lift_timed(lambda _: Coalesce[_T](span, max_chars), scheduler)


def pace(
    unit: Literal["word", "char", "line"] | str | re.Pattern[str] | Callable[[str], int | None] = "word",
    *,
    rate: float | None = None,
    max_lag: float | timedelta = 1.0,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_T]], Observable[_T]]:
    """Turn bursts of text into even output, unit by unit.

    Marbles with pace("word", rate=50)::

        texts    -x---y-------------|
        result   -a-b-c-d-----------(e,|)
        where x = "one two three"
        where y = " four five"
        where a = "one", b = " two", c = " three", d = " four", e = " five"

    On plain `str` and on the text deltas of events, each part for itself; the pieces always join to the text. Whatever
    else comes waits for the text before it, so that the order stays.

    Emits: units, `rate` a second; a `str` each, or a delta event each. Where more waits than the rate would let out
    within `max_lag` of its coming, the units leave faster, evenly, just so much as is needed. A unit that might still
    grow waits to be whole, but no longer than `max_lag`. A delta event that ends within one of the source's has no
    sequence number; it has the log probabilities of those that end in it.
    Completes: after the source; what waits then leaves within a quarter of a second. Errors: the source's, after all
    that waits; what a function given as `unit` raises. Memory: what came within `max_lag`.

    Args:
        unit: `"word"` (with the space before it), `"char"` (a grapheme, never a part of one), `"line"`; a regular
            expression, each match of which ends a unit; or a function from a text to the length of its first unit,
            None while that may still grow.
        rate: units a second; by default 30 words, 150 characters, 5 lines, and 30 of anything else.
        max_lag: seconds by which the output may be behind.
        scheduler: whose timers are used; else that of the subscription, else the session's.

    Raises: ValueError, TypeError: a rate that is not above 0, a negative lag, a unit nobody knows.
    """
    lag = seconds_of("max_lag", max_lag)
    if rate is None:
        rate = _RATES.get(unit, 30.0) if isinstance(unit, str) else 30.0
    if not 0 < rate < float("inf"):
        raise ValueError(f"rate must be more than 0 units a second, not {rate!r}")
    split, units = splitter_of(unit), rate
    return lift_timed(lambda _: Pace[_T](split, units, lag), scheduler)
