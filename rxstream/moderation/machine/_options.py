"""The options of one moderated stream."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rxstream.moderation.machine._window import KINDS, LaneKind, Verdict

Mode: TypeAlias = Literal["hold", "bounded", "optimistic"]
FlagAction: TypeAlias = Literal["cut", "error", "replace", "annotate"]
ErrorAction: TypeAlias = Literal["cut", "error", "pass"]

MODES: tuple[Mode, ...] = get_args(Mode)
FLAG_ACTIONS: tuple[FlagAction, ...] = get_args(FlagAction)
ERROR_ACTIONS: tuple[ErrorAction, ...] = get_args(ErrorAction)


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
    holdback: int = 0
    max_exposure: int = 300
    in_flight: int = 2
    timeout: float = 3.0
    retries: int = 1
    on_flag: FlagAction | Callable[[Verdict], FlagAction] = "cut"
    replacement: str = "[removed]"
    on_check_error: ErrorAction = "cut"
    max_buffer: int = 64_000
    include: frozenset[LaneKind] = frozenset(("text", "refusal"))
    tiers: int = 1

    def __post_init__(self) -> None:
        _one_of("mode", self.mode, MODES)
        _one_of("on_check_error", self.on_check_error, ERROR_ACTIONS)
        if not callable(self.on_flag):
            _one_of("on_flag", self.on_flag, FLAG_ACTIONS)
        for kind in self.include:
            _one_of("include", kind, KINDS)
        for name, least in (
            ("first_chars", 1),
            ("max_chars", 1),
            ("growth", 1),
            ("in_flight", 1),
            ("max_buffer", 1),
            ("tiers", 1),
            ("context", 0),
            ("holdback", 0),
            ("max_exposure", 0),
            ("retries", 0),
            ("quiet", 0),
            ("max_delay", 0),
        ):
            value: float = getattr(self, name)
            if math.isnan(value) or value < least:
                raise ValueError(f"{name} must be {least} or more, got {value!r}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, got {self.timeout!r}")
        if self.first_chars > self.max_chars:
            raise ValueError(f"first_chars ({self.first_chars}) must be at most max_chars ({self.max_chars})")
        if self.holdback + self.max_chars > self.max_buffer:
            raise ValueError(
                f"max_buffer ({self.max_buffer}) must be at least holdback ({self.holdback}) "
                f"plus max_chars ({self.max_chars}), the text that a full window needs"
            )

    @property
    def max_context(self) -> int:
        """The longest context of a check. At least `holdback`, so that no match across `verified` is missed."""
        return max(self.context, self.holdback)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, got {value!r}")
