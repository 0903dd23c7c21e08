"""The words of moderation: what a check is shown, what it answers, and the terms under which text is released.

A *lane* is one text as the model writes it: a content part, a refusal, the arguments of one call. A *window* is the
piece of a lane that one check judges. Two marks run along a lane and only ever grow: `verified`, up to which every
window has passed, and `released`, up to which the subscriber has it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from rxstream.events._fields import TextKind

LaneKind: TypeAlias = TextKind | Literal["aside"]
"""What a lane holds. An `aside` is text that travels beside the lanes: the title of an annotation, a field or an event
of a type that nobody knows. It cannot be chosen: it is always moderated where the stream is."""

Mode: TypeAlias = Literal["hold", "bounded", "optimistic"]
FlagAction: TypeAlias = Literal["cut", "error", "replace", "annotate"]
ErrorAction: TypeAlias = Literal["cut", "error", "pass"]

KINDS: tuple[TextKind, ...] = get_args(TextKind)
MODES: tuple[Mode, ...] = get_args(Mode)
FLAG_ACTIONS: tuple[FlagAction, ...] = get_args(FlagAction)
ERROR_ACTIONS: tuple[ErrorAction, ...] = get_args(ErrorAction)


@dataclass(frozen=True, slots=True)
class Window:
    """What a check is asked to judge: `text`, with `context` that already passed in front of it.

    `start` is where `text` begins in its lane; a context of that length is all that stands in front. `final` says that
    the lane is known to end with this window. A lane whose end is announced only after its last window was sent has
    none that says so. The representation shows lengths, never text.
    """

    text: str = field(repr=False)
    context: str = field(default="", repr=False)
    output_index: int = 0
    content_index: int = 0
    kind: LaneKind = "text"
    final: bool = False
    start: int = 0

    def __str__(self) -> str:
        place = f"{self.output_index}.{self.content_index}"
        return f"<Window of {len(self.text)} characters, {self.kind} {place}>"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check answers. A check may also answer a plain `bool`, which means `flagged`.

    `spans` say where, as `(start, end)` from the beginning of `window.text`; a negative start reaches back into the
    context. `suspect` asks for a second look with more text and twice the context; twice in a row is flagged.
    `holdback` characters at the end stay back although they passed, because something may begin there: the next window
    has them in its context, and its verdict says how much of them stays back.
    Everything in a verdict is shown to the subscriber: put no text into it.
    """

    flagged: bool
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    suspect: bool = False
    holdback: int = 0


class Place(NamedTuple):
    """Whose text a lane holds."""

    output_index: int
    content_index: int
    kind: LaneKind


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one moderated stream, checked when the pipe is assembled.

    Raises: ValueError: a value that cannot be meant.
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
                raise ValueError(f"{name} must be {least} or more, not {value!r}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {self.timeout!r}")
        if self.first_chars > self.max_chars:
            raise ValueError(f"first_chars ({self.first_chars}) must not be more than max_chars ({self.max_chars})")
        if self.holdback + self.max_chars > self.max_buffer:
            raise ValueError(
                f"max_buffer ({self.max_buffer}) must have room for holdback ({self.holdback}) "
                f"and a window of max_chars ({self.max_chars}), or nothing could ever leave"
            )

    @property
    def shown(self) -> int:
        """The longest context of a check: never less than what is held back, or a match across the mark goes unseen."""
        return max(self.context, self.holdback)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}, not {value!r}")


# ---------------------------------------------------------------------- what the machine asks of the world


class StartCheck(NamedTuple):
    """Have `window` judged by the check of this tier, and bring the answer under this `id`."""

    id: int
    tier: int
    window: Window


class CancelCheck(NamedTuple):
    """Nobody waits for this answer any more."""

    id: int


class Pause(NamedTuple):
    """Too much is held: stop the source, if it can be stopped; else say `overflow`."""


class Resume(NamedTuple):
    """The source may go on."""


class DropSource(NamedTuple):
    """The source is not wanted any more."""


class Complete(NamedTuple):
    """The end."""


class Fail(NamedTuple):
    """The end, with this error."""

    error: Exception


Order: TypeAlias = StartCheck | CancelCheck | Pause | Resume | DropSource | Complete | Fail
ORDERS = (StartCheck, CancelCheck, Pause, Resume, DropSource, Complete, Fail)
