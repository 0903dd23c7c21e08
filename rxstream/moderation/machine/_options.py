"""The options of one moderated stream."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from rxstream.moderation.machine._window import KINDS, LaneKind, Verdict

Mode: TypeAlias = Literal["hold", "bounded", "optimistic"]
FlagAction: TypeAlias = Literal["cut", "error", "refuse", "replace", "annotate"]
ErrorAction: TypeAlias = Literal["cut", "error", "pass"]
ChooseAction: TypeAlias = Callable[[Verdict], FlagAction]

MODES: tuple[Mode, ...] = get_args(Mode)
FLAG_ACTIONS: tuple[FlagAction, ...] = get_args(FlagAction)
ERROR_ACTIONS: tuple[ErrorAction, ...] = get_args(ErrorAction)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What applies to one check of the list."""

    name: str = "check"
    on_flag: FlagAction | ChooseAction | None = None
    """None: the `on_flag` of the stream."""
    holdback: int | None = None
    """The attribute `holdback` of the check; None if it has none."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one moderated stream, checked when the pipe is assembled.

    Raises: ValueError: a value that is not allowed.
    """

    mode: Mode = "hold"
    quiet: float = 0.2
    max_delay: float = 1.0
    first_chars: int = 60
    growth: float = 2.0
    max_chars: int = 800
    boundary: Callable[[str], int | None] | None = None
    context: int = 400
    holdback: int | Literal["word"] = "word"
    max_exposure: int = 300
    in_flight: int = 2
    timeout: float = 3.0
    retries: int = 1
    on_flag: FlagAction | ChooseAction = "cut"
    replacement: str = "[removed]"
    refusal: str = "I cannot help with that."
    on_check_error: ErrorAction = "cut"
    max_buffer: int = 64_000
    include: frozenset[LaneKind] = frozenset(KINDS)
    checks: tuple[CheckOptions, ...] = (CheckOptions(),)
    records: bool = False
    """Whether a `VerdictRecord` is made of each verdict."""
    record_text: bool = False

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, MODES)
        _one_of("on_check_error", self.on_check_error, ERROR_ACTIONS)
        for on_flag in (self.on_flag, *(check.on_flag for check in self.checks)):
            if on_flag is not None and not callable(on_flag):
                _one_of("on_flag", on_flag, FLAG_ACTIONS)
        for kind in self.include:
            _one_of("include", kind, KINDS)
        for name, least in _LEAST.items():
            value: float = getattr(self, name)
            if math.isnan(value) or value < least:
                raise ValueError(f"{name} must be {least} or more, got {value!r}")
        if self.holdback != "word" and not self.holdback >= 0:
            raise ValueError(f"holdback must be 'word' or 0 or more characters, got {self.holdback!r}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, got {self.timeout!r}")
        if self.first_chars > self.max_chars:
            raise ValueError(f"first_chars ({self.first_chars}) must be at most max_chars ({self.max_chars})")
        longest = max(self.holdback_of(number) for number in range(len(self.checks)))
        if longest + self.max_chars > self.max_buffer:
            raise ValueError(
                f"max_buffer ({self.max_buffer}) must be at least holdback ({longest}) "
                f"plus max_chars ({self.max_chars}), the text that a full window needs"
            )

    def holdback_of(self, number: int) -> int:
        """The characters that always stay back behind the verified text of one check."""
        own = self.checks[number].holdback or 0
        return own if self.holdback == "word" else max(own, self.holdback)

    def holds_word(self, number: int) -> bool:
        """Whether an unfinished word stays back behind the verified text of one check."""
        return self.holdback == "word" and self.checks[number].holdback is None

    def context_of(self, number: int) -> int:
        """The context of one check. At least its holdback, so that no match across `verified` is missed."""
        return max(self.context, self.holdback_of(number))


def chosen_action(on_flag: Any, verdict: Verdict, actions: tuple[str, ...] = FLAG_ACTIONS) -> Any:
    """The action that `on_flag` chooses. A function that raises, or returns no such action, chooses `cut`."""
    if callable(on_flag):
        try:
            on_flag = on_flag(verdict)
        except Exception:
            return "cut"
    return on_flag if on_flag in actions else "cut"


_LEAST = {
    "first_chars": 1,
    "max_chars": 1,
    "growth": 1,
    "in_flight": 1,
    "max_buffer": 1,
    "context": 0,
    "max_exposure": 0,
    "retries": 0,
    "quiet": 0,
    "max_delay": 0,
}


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
