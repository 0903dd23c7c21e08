"""When a run of turns stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rxstream.events import Usage


@dataclass(frozen=True, slots=True)
class RunProgress:
    """What a rule is asked about, after a turn whose calls have all been answered."""

    turns: int
    tool_calls: int
    """The calls of all turns."""
    seconds: float
    """Since the run began."""
    usage: Usage | None
    """The sum of all turns; None if no server sent one."""
    called: tuple[str, ...]
    """The names of the tools of the last turn, in the order of its calls; in a namespace such as `crm.look`."""


StopCheck = Callable[[RunProgress], object]


class StopRule:
    """A rule for `stop_when=`. `a | b` stops when one of them does, and `a` is asked first."""

    def __init__(self, *checks: tuple[str, StopCheck]) -> None:
        self.checks = checks
        """The name and the check of each rule."""

    def stopped_by(self, progress: RunProgress) -> str | None:
        """The name of the rule that stops the run now; None if it goes on."""
        return next((name for name, check in self.checks if check(progress)), None)

    def __or__(self, other: StopRule | StopCheck) -> StopRule:
        return StopRule(*self.checks, *as_rule(other).checks)

    def __ror__(self, other: StopCheck) -> StopRule:
        return StopRule(*as_rule(other).checks, *self.checks)

    def __repr__(self) -> str:
        return " | ".join(name for name, _ in self.checks)


def _rule(name: str, check: StopCheck) -> StopRule:
    return StopRule((name, check))


def as_rule(value: StopRule | StopCheck) -> StopRule:
    """A rule, or a function of a `RunProgress` as a rule with its name.

    Raises: TypeError: it is neither.
    """
    if isinstance(value, StopRule):
        return value
    if isinstance(value, type) or not callable(value):
        raise TypeError(f"expected a rule such as turns(16), or a function of a RunProgress, got {value!r}")
    return _rule(getattr(value, "__name__", repr(value)), value)


def turns(count: int) -> StopRule:
    """Stop after this number of turns. Raises: ValueError: it is less than 1."""
    return _rule(f"turns({_least_1('turns', count)})", lambda progress: progress.turns >= count)


def tool_calls(count: int) -> StopRule:
    """Stop after this number of calls, of all turns. Raises: ValueError: it is less than 1."""
    return _rule(f"tool_calls({_least_1('tool_calls', count)})", lambda progress: progress.tool_calls >= count)


def tokens(count: int) -> StopRule:
    """Stop after this number of tokens, of all turns, read and written.

    A server that sends no usage is never stopped by it: write `tokens(50_000) | turns(16)`.

    Raises: ValueError: it is less than 1.
    """

    def check(progress: RunProgress) -> bool:
        return progress.usage is not None and progress.usage.total_tokens >= count

    return _rule(f"tokens({_least_1('tokens', count)})", check)


def seconds(span: float | timedelta) -> StopRule:
    """Stop after the turn in which this time since the begin of the run is over.

    It interrupts nothing; `time_limit=` of a run does.

    Raises: ValueError: not above 0.
    """
    limit = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(limit, bool) or not 0 < limit < float("inf"):
        raise ValueError(f"seconds expects a time above 0, got {span!r}")
    return _rule(f"seconds({limit:g})", lambda progress: progress.seconds >= limit)


def called(name: str) -> StopRule:
    """Stop after a turn that called the tool of this name. The call has its output in the conversation.

    `called("look")` means that of any namespace, `called("crm.look")` that of one.
    """
    return _rule(f"called({name!r})", lambda progress: any(_is_named(name, full) for full in progress.called))


def _is_named(name: str, full_name: str) -> bool:
    return name in (full_name, full_name.rpartition(".")[2])


def _least_1(what: str, count: Any) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"{what} expects a number of 1 or more, got {count!r}")
    return count
