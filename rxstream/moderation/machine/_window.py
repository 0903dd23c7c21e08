"""What a check is called with, and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias, get_args

from rxstream.events._fields import TextKind

OtherKind: TypeAlias = Literal["query", "action", "tool_output", "agent_message", "image_prompt"]
"""Kinds of text that arrive whole, in items of hosted tools: what is searched for; what a computer, a shell or a patch
is to do; what a tool returned; what agents tell each other; the prompt of an image as the model rewrote it."""

LaneKind: TypeAlias = TextKind | OtherKind | Literal["other"]
"""What a text is. `other` is text at a place that the API does not describe: unknown fields, events of unknown types,
error messages. `include` does not list it: it is always moderated."""

KINDS: tuple[TextKind | OtherKind, ...] = (*get_args(TextKind), *get_args(OtherKind))


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
    In the strings of a JSON text escapes are decoded: `na\\u00efve` is `naïve`, and offsets count decoded characters.
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
    the window is flagged, unless it has a `holdback`: then it waits for more text again, until the text ends.
    `holdback` characters at the end of the window stay back although they passed, because a
    match may begin there: the next window has them in its context, and its verdict says how many of them stay back.
    The subscriber gets a verdict: put no text into it. Only `replacements` does not reach the subscriber: what stands
    for each of the `spans` if the action is `replace`; if it is empty, the `replacement` of the operator does.
    """

    flagged: bool
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    spans: tuple[tuple[int, int], ...] = ()
    suspect: bool = False
    holdback: int = 0
    replacements: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class VerdictRecord:
    """What one call of a check led to. It holds no text of the model, unless `record_text` was chosen.

    `outcome`: `passed`, `flagged`, `suspect` (the window is checked again), or `failed` (no verdict). `action`: what
    was done with a flagged or failed window: an action of `on_flag`, `drop`, `pass`, or `retry`; empty if nothing was.
    `failure`: the class of the error of a failed check; `timeout`; `no verdict`; or `cancelled` if the verdict was not
    needed any more: the stream ended or was disposed, or the window became part of another.
    """

    check: str
    """The name of the check: of its function or class."""
    tier: int
    """Its position in the list of checks."""
    output_index: int
    content_index: int
    kind: LaneKind
    start: int
    """Offset of the window in its text, in characters."""
    end: int
    attempt: int
    """0 for the first call with this window."""
    seconds: float
    """From the call to the verdict."""
    outcome: Literal["passed", "flagged", "suspect", "failed"]
    action: str = ""
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict[str, float])
    failure: str = ""
    response_id: str | None = None
    text: str | None = field(default=None, repr=False)
