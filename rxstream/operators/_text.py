"""What does it say: the text of the answer."""

from collections.abc import Iterable
from functools import partial

from rxstream.events import StreamingEvent
from rxstream.events._fields import REASONING_SUMMARY, REASONING_TEXT, REFUSAL
from rxstream.response._annotations import Annotations, TextAnnotation
from rxstream.response._part_texts import TextOnly
from rxstream.response._responses import per_response
from rxstream.response._segments import Segments
from rxstream.rx._lift import lift
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._sentences import Sentences
from rxstream.segmentation._words import Words
from rxstream.typing import Operator


def text_only() -> Operator[StreamingEvent, str]:
    """Emit the answer's text, piece by piece, as it arrives.

    Marbles::

        source   -C-a-b_-c-|
        result   ---a-b_-c-|

    What the deltas of a part left out and its `.done` brings is emitted then, so the pieces always join to the text.

    Emits: one `str` a delta, never empty; all parts and items in order of arrival. Everything else is passed over.
    Completes: with the source. Errors: the source's. Memory: the text of the part that is being written.
    """
    return lift(per_response(TextOnly))


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
    return lift(per_response(_AccumulateText))


def words(*, keep_space: bool = False) -> Operator[StreamingEvent | str, str]:
    """Emit each word of the answer as soon as it is whole.

    Marbles::

        source   -C-a-b_-c_-d-|
        result   -----ab-c----(d,|)

    A word is a run between white space, its punctuation with it ("don't", "3.14,"). Chinese, Japanese, Thai and their
    like write no spaces: there each ideograph, kana or cluster is one, with the signs that belong to it.

    Args:
        keep_space: each word comes with the white space before it, and white space at the end of a part is a last
            piece of its own: joined, the pieces are the text.

    Emits: one `str` a word; the parts of the answer do not mix, and a part's end makes its last word whole.
    Completes: with the source, after the last word. Errors: the source's; the unfinished word is dropped.
    Memory: the text of the part that is being written.
    """
    return lift(per_response(partial(Segments, partial(Words, keep_space=keep_space))))


def sentences(*, keep_space: bool = False) -> Operator[StreamingEvent | str, str]:
    """Emit each sentence of the answer as soon as it is sure that it has ended.

    Marbles::

        source   -C-Pi_is_3.-`14, e.g. so.`-_And_on-|
        result   ---------------------------x-------(y,|)
        where x = "Pi is 3.14, e.g. so.", y = "And on"

    The dots of numbers, abbreviations, file names and URLs end none; 。！？ need no space; a line of code, a heading, a
    list item is one; text between backquotes is never cut, nor is a grapheme cluster.

    Args:
        keep_space: each sentence comes with the white space before it: joined, the pieces are the text.

    Emits: one `str` a sentence, without the white space around it; the parts of the answer do not mix, and a part's end
    makes its last sentence whole.
    Completes: with the source, after the last sentence. Errors: the source's; the unfinished sentence is dropped.
    Memory: the text of the part that is being written.
    """
    return lift(per_response(partial(Segments, partial(Sentences, keep_space=keep_space))))


def lines(*, keep_ends: bool = False) -> Operator[StreamingEvent | str, str]:
    """Emit each line of the answer as soon as its end has come.

    Marbles::

        source   -C-a-b¶c-d¶-e-|
        result   -----ab--cd---(e,|)

    LF, CR LF and CR end a line, and nothing else does. An empty line is "".

    Args:
        keep_ends: each line comes with its end: joined, the lines are the text.

    Emits: one `str` a line; the parts of the answer do not mix, and a part's end is the end of its last line.
    Completes: with the source, after the last line. Errors: the source's; the unfinished line is dropped.
    Memory: the text of the part that is being written.
    """
    return lift(per_response(partial(Segments, partial(Lines, keep_ends=keep_ends))))


def annotations() -> Operator[StreamingEvent, TextAnnotation]:
    """Emit each annotation of the answer, a citation or a file, with the text that it is about.

    Marbles::

        source   -C-so-A:wiki--E--I--K|
        result   ------x--------------|
        where x = TextAnnotation(text="so", annotation=UrlCitationAnnotation(title="wiki"))

    Most servers tell an annotation by an event of its own and again in the `.done` events of its part and item: it is
    emitted once, at the first. Where only the `.done` events bring it, it is emitted then.

    Emits: `TextAnnotation(annotation, text, output_index, content_index, item_id)`. `annotation` is as it came:
    `UrlCitationAnnotation`, `FileCitationAnnotation`, `ContainerFileCitationAnnotation`, `FilePathAnnotation`, or
    `UnknownAnnotation`. `text` is None where it has no `start_index` and `end_index`; one that comes before its text
    waits for it.
    Completes: with the source. Errors: the source's. Memory: the text of the item that is being written.
    """
    return lift(per_response(Annotations))


def refusals() -> Operator[StreamingEvent, str]:
    """Emit the model's refusal, piece by piece, as it arrives.

    Marbles::

        source   -C-r:I-r:_can't-a-|
        result   ---I---x----------|
        where x = " can't"

    Emits: one `str` a refusal delta, never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the refusal that is being written.
    """
    return lift(per_response(partial(TextOnly, REFUSAL)))


def reasoning_summary() -> Operator[StreamingEvent, str]:
    """Emit the summary of the model's reasoning, piece by piece, as it arrives.

    Marbles::

        source   -C-s:so-s:_be-1:a-|
        result   ---so---x---------|
        where x = " be"

    Emits: one `str` a summary delta, never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the part that is being written.
    """
    return lift(per_response(partial(TextOnly, REASONING_SUMMARY)))


def reasoning_text() -> Operator[StreamingEvent, str]:
    """Emit the model's reasoning itself, where a server shows it, piece by piece, as it arrives.

    Marbles::

        source   -C-t:so-t:_be-1:a-|
        result   ---so---x---------|
        where x = " be"

    Emits: one `str` a reasoning delta (`response.reasoning_text.delta`, and its old name `response.reasoning.delta`),
    never empty; where deltas left something out, what the `.done` brings.
    Completes: with the source. Errors: the source's. Memory: the part that is being written.
    """
    return lift(per_response(partial(TextOnly, REASONING_TEXT)))
