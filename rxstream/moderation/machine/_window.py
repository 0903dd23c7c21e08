"""What a check is called with, and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from rxstream.events._fields import TextKind

LaneKind: TypeAlias = TextKind | Literal["aside"]
"""What a lane holds. `aside` is text that is in no lane of the API: the title of an annotation, an unknown field, an
event of an unknown type. `include` does not list it: it is always moderated."""

KINDS: tuple[TextKind, ...] = get_args(TextKind)


class TextPlace(NamedTuple):
    """Where the text of a lane stands in the response."""

    output_index: int
    content_index: int
    kind: LaneKind


@dataclass(frozen=True, slots=True)
class Window:
    """The text that a check judges: `text`, and before it `context`, which has already passed.

    `start` is the offset of `text` in its lane, so a context of that length is all the text before it. `final` says
    that the lane ends with this window; it is False if the end of the lane became known only after the check started.
    The representation shows lengths, never text.
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
    """What a check returns. It may also return a plain `bool`, which means `flagged`.

    `spans` are the places of what was found, as `(start, end)` from the beginning of `window.text`; a negative start
    is in the context. `suspect` requests a second check with more text and twice the context; if that is suspect too,
    the window is flagged. `holdback` characters at the end of the window stay back although they passed, because a
    match may begin there: the next window has them in its context, and its verdict says how many of them stay back.
    The subscriber gets all of a verdict: put no text into it.
    """

    flagged: bool
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    suspect: bool = False
    holdback: int = 0
