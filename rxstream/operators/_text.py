"""What does it say: the text of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from rxstream._typing import Operator
from rxstream.cores._text import REASONING_SUMMARY, REASONING_TEXT, REFUSAL, TextOnly
from rxstream.events import StreamingEvent
from rxstream.operators._lift import lift


def text_only() -> Operator[StreamingEvent, str]:
    """Emit the answer's text, piece by piece, as it arrives.

    Marbles::

        source   -C-a-b_-c-|
        result   ---a-b_-c-|

    What the deltas of a part left out and its `.done` brings is emitted then, so the pieces always join to the text.

    Emits: one `str` a delta, never empty; all parts and items in order of arrival. Everything else is passed over.
    Completes: with the source. Errors: the source's. Memory: the text of the part that is being written.
    """
    return lift(TextOnly)


class TextSoFar:
    """A piece of text, and all the text up to it. `text` is joined when it is first asked for."""

    __slots__ = ("_count", "_pieces", "_text", "delta")

    def __init__(self, delta: str, pieces: list[str]) -> None:
        self.delta = delta
        self._pieces = pieces
        self._count = len(pieces)
        self._text: str | None = None

    @property
    def text(self) -> str:
        """All the text so far, this delta included."""
        if self._text is None:
            self._text = "".join(self._pieces[: self._count])
        return self._text

    def __repr__(self) -> str:
        return f"TextSoFar(delta={self.delta!r}, text={self.text!r})"

    def __str__(self) -> str:
        return self.text


class _AccumulateText:
    def __init__(self) -> None:
        self._deltas = TextOnly()
        self._pieces: list[str] = []

    def feed(self, event: StreamingEvent) -> Iterable[TextSoFar]:
        for delta in self._deltas.feed(event):
            self._pieces.append(delta)
            yield TextSoFar(delta, self._pieces)

    def finish(self) -> Iterable[TextSoFar]:
        return ()


def accumulate_text() -> Operator[StreamingEvent, TextSoFar]:
    """Emit each piece of the answer's text together with all the text up to it.

    Marbles::

        source   -C-a-b_-c-|
        result   ---x-y--z-|
        where x = "a", y = "ab ", z = "ab c"

    A snapshot is a property, not a payload: `.text` is joined when it is asked for, so n deltas cost O(n) unless you
    ask each time.

    Emits: `TextSoFar(delta, text)` for each `str` that `text_only()` would emit.
    Completes: with the source. Errors: the source's. Memory: the text, once.
    """
    return lift(_AccumulateText)


def refusals() -> Operator[StreamingEvent, str]:
    """Emit the model's refusal, piece by piece, as it arrives.

    Emits: one `str` a refusal delta, never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the refusal that is being written.
    """
    return lift(partial(TextOnly, REFUSAL))


def reasoning_summary() -> Operator[StreamingEvent, str]:
    """Emit the summary of the model's reasoning, piece by piece, as it arrives.

    Emits: one `str` a summary delta, never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the part that is being written.
    """
    return lift(partial(TextOnly, REASONING_SUMMARY))


def reasoning_text() -> Operator[StreamingEvent, str]:
    """Emit the model's reasoning itself, where a server shows it, piece by piece, as it arrives.

    Emits: one `str` a reasoning delta (`response.reasoning_text.delta`, and its old name `response.reasoning.delta`),
    never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the part that is being written.
    """
    return lift(partial(TextOnly, REASONING_TEXT))
