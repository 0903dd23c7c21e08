"""What does it say: the texts of the answer."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

from rxstream.events import Event, StreamingEvent
from rxstream.events._fields import REASONING_SUMMARY, REASONING_TEXT, REFUSAL
from rxstream.response._annotations import Annotations, TextAnnotation
from rxstream.response._part_texts import TextOnly
from rxstream.response._responses import per_response
from rxstream.response._segments import Segmenter, Segments, SegmentsBeforeError
from rxstream.rx._checks import of_events
from rxstream.rx._lift import lift
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._sentences import Sentences
from rxstream.segmentation._words import Words
from rxstream.typing import Operator


def text_only() -> Operator[Event, str]:
    """Emit the answer's text, piece by piece, as it arrives.

    Marbles::

        source   -C-a-b_-c-|
        result   ---a-b_-c-|

    If the `.done` of a part has text that its deltas had not, it is emitted then. So the pieces always join to the
    text.

    Emits: one `str` a delta, never empty; all parts and items in order of arrival. Other events are skipped.
    Completes: with the source. Errors: the source's. Memory: the text of the part that is being written.
    """
    return lift(per_response(TextOnly), of_events("text_only"))


class TextSoFar:
    """A piece of text, and all the text up to it. `text` is joined when it is first read."""

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

    def quick(self, event: StreamingEvent) -> Iterable[TextSoFar] | None:
        deltas = self._deltas.quick(event)
        return None if deltas is None else self._so_far(deltas)

    def feed(self, event: StreamingEvent) -> Iterable[TextSoFar]:
        return self._so_far(self._deltas.feed(event))

    def _so_far(self, deltas: Iterable[str]) -> list[TextSoFar]:
        so_far: list[TextSoFar] = []
        for delta in deltas:
            self._pieces.append(delta)
            so_far.append(TextSoFar(delta, self._pieces))
        return so_far

    def finish(self) -> Iterable[TextSoFar]:
        return ()


def accumulate_text() -> Operator[Event, TextSoFar]:
    """Emit each piece of the answer's text, and all the text up to it.

    Marbles::

        source   -C-a-b_-c-|
        result   ---x-y--z-|
        where x = "a", y = "ab ", z = "ab c"

    `.text` is joined when it is read, so n deltas cost O(n) if you do not read it each time.

    Emits: `TextSoFar(delta, text)` for each `str` that `text_only()` would emit.
    Completes: with the source. Errors: the source's. Memory: the text, once.
    """
    return lift(per_response(_AccumulateText), of_events("accumulate_text"))


def words(*, keep_space: bool = False, on_error: Literal["drop", "emit"] = "drop") -> Operator[Event | str, str]:
    """Emit each word of the answer as soon as it is whole.

    Marbles::

        source   -C-a-b_-c_-d-|
        result   -----ab-c----(d,|)

    Marbles with words(on_error="emit")::

        source   -C-a-b_-c_-d-#
        result   -----ab-c----(d,#)

    A word is the text between white space, with its punctuation ("don't", "3.14,"). Chinese, Japanese, Thai and similar
    scripts have no spaces: there each ideograph, kana or cluster is a word, with the signs that belong to it.

    Args:
        keep_space: each word has the white space before it, and white space at the end of a part is a value of its own.
            Joined, the values are the text.
        on_error: what becomes of the unfinished word of each part when the source fails.

    Emits: one `str` a word; each part of the answer is split separately, and the end of a part ends its last word.
    Completes: with the source, after the last word. Errors: the source's; the unfinished word is dropped,
    or with `on_error="emit"` emitted before it.
    Memory: the text of the part that is being written.

    Raises: ValueError for another `on_error`.
    """
    return _segments("words", partial(Words, keep_space=keep_space), on_error)


def sentences(*, keep_space: bool = False, on_error: Literal["drop", "emit"] = "drop") -> Operator[Event | str, str]:
    """Emit each sentence of the answer as soon as its end is certain.

    Marbles::

        source   -C-Pi_is_3.-`14, e.g. so.`-_And_on-|
        result   ---------------------------x-------(y,|)
        where x = "Pi is 3.14, e.g. so.", y = "And on"

    The dots of numbers, abbreviations, file names and URLs end no sentence; 。！？ need no space; a line of code, a
    heading or a list item is a sentence; text between backquotes, tags and grapheme clusters are not cut. Tags around
    a sentence belong to it: `<b>Hello.</b> Next.` Without a space a stop ends a sentence only before an article or a
    pronoun ("done.The next"), because "one.Sentence" and `System.Out` are written alike.

    Args:
        keep_space: each sentence has the white space before it. Joined, the values are the text.
        on_error: what becomes of the unfinished sentence of each part when the source fails.

    Emits: one `str` a sentence, without the white space around it; each part of the answer is split separately, and the
    end of a part ends its last sentence.
    Completes: with the source, after the last sentence. Errors: the source's; the unfinished sentence is dropped,
    or with `on_error="emit"` emitted before it.
    Memory: the text of the part that is being written.

    Raises: ValueError for another `on_error`.
    """
    return _segments("sentences", partial(Sentences, keep_space=keep_space), on_error)


def lines(*, keep_ends: bool = False, on_error: Literal["drop", "emit"] = "drop") -> Operator[Event | str, str]:
    """Emit each line of the answer as soon as it is whole.

    Marbles::

        source   -C-a-b¶c-d¶-e-|
        result   -----ab--cd---(e,|)

    LF, CR LF and CR end a line, and nothing else does. An empty line is "".

    Args:
        keep_ends: each line has its line end. Joined, the lines are the text.
        on_error: what becomes of the unfinished line of each part when the source fails.

    Emits: one `str` a line; each part of the answer is split separately, and the end of a part ends its last line.
    Completes: with the source, after the last line. Errors: the source's; the unfinished line is dropped,
    or with `on_error="emit"` emitted before it.
    Memory: the text of the part that is being written.

    Raises: ValueError for another `on_error`.
    """
    return _segments("lines", partial(Lines, keep_ends=keep_ends), on_error)


def _segments(
    operator: str, make: Callable[[], Segmenter], on_error: Literal["drop", "emit"]
) -> Operator[Event | str, str]:
    if on_error not in ("drop", "emit"):
        raise ValueError(f"on_error of {operator} must be 'drop' or 'emit', got {on_error!r}")
    segments = SegmentsBeforeError if on_error == "emit" else Segments
    return lift(per_response(partial(segments, make)), of_events(operator, or_text=True))


def annotations() -> Operator[Event, TextAnnotation]:
    """Emit each annotation of the answer, a citation or a file, with the text that it refers to.

    Marbles::

        source   -C-so-A:wiki--E--I--K|
        result   ------x--------------|
        where x = TextAnnotation(text="so", annotation=UrlCitationAnnotation(title="wiki"))

    Most servers send an annotation in an event of its own, and again in the `.done` events of its part and item. It is
    emitted once, at the first of these.

    Emits: `TextAnnotation(annotation, text, output_index, content_index, item_id)`. `annotation` is the event's:
    `UrlCitationAnnotation`, `FileCitationAnnotation`, `ContainerFileCitationAnnotation`, `FilePathAnnotation`, or
    `UnknownAnnotation`. `text` is None if the annotation has no `start_index` and `end_index`. An annotation that
    comes before its text waits for the text.
    Completes: with the source. Errors: the source's. Memory: the text of the item that is being written.
    """
    return lift(per_response(Annotations), of_events("annotations"))


def refusals() -> Operator[Event, str]:
    """Emit the model's refusal, piece by piece, as it arrives.

    Marbles::

        source   -C-r:I-r:_can't-a-|
        result   ---I---x----------|
        where x = " can't"

    Emits: one `str` a refusal delta, never empty; at the `.done` the text that the deltas had not, if any.
    Completes: with the source. Errors: the source's. Memory: the refusal that is being written.
    """
    return lift(per_response(partial(TextOnly, REFUSAL)), of_events("refusals"))


def reasoning_summary(separator: str = "\n\n") -> Operator[Event, str]:
    """Emit the summary of the model's reasoning, piece by piece, as it arrives.

    Marbles::

        source   -C-s:so-s:_be-1:a-|
        result   ---so---x---------|
        where x = " be"

    Marbles with reasoning_summary(separator="; ")::

        source   -C-s:so-0.1s:then-|
        result   ---so---(x,then)--|
        where x = "; "

    Emits: one `str` a summary delta, never empty; at the `.done` the text that the deltas had not, if any; and before
    the first text of a further part the separator. The events have the number of the part: `summary_index`.
    Completes: with the source. Errors: the source's. Memory: the item that is being written, and its parts' numbers.

    Args:
        separator: between the parts, which the API writes without one; "" for none.

    Raises: TypeError if `separator` is not text.
    """
    if not isinstance(separator, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # it would be joined later
        raise TypeError(f"the separator of reasoning_summary must be text, got {separator!r}")
    return lift(per_response(partial(TextOnly, REASONING_SUMMARY, separator)), of_events("reasoning_summary"))


def reasoning_text() -> Operator[Event, str]:
    """Emit the model's reasoning, if the server sends it, piece by piece, as it arrives.

    Marbles::

        source   -C-t:so-t:_be-1:a-|
        result   ---so---x---------|
        where x = " be"

    Emits: one `str` a reasoning delta (`response.reasoning_text.delta`, and its old name `response.reasoning.delta`),
    never empty; at the `.done` the text that the deltas had not, if any.
    Completes: with the source. Errors: the source's. Memory: the part that is being written.
    """
    return lift(per_response(partial(TextOnly, REASONING_TEXT)), of_events("reasoning_text"))
