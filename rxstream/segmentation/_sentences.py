"""Whole sentences out of text that arrives in pieces. The rules are in `_sentence_rules`.

The machine keeps the white space before the sentence (`_lead`) and the sentence so far (`_body`). After a gap in the
text it also keeps the white space (`_gap`) and the next characters (`_ahead`, at most 16), until they decide whether
the sentence ended before the gap. Then it reads `_ahead` again, as the beginning of the next sentence or as more of
this one. So it reads each character once or twice.

We do not use a library, because pysbd and NLTK's Punkt split a complete text, and would read all of it again for each
piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rxstream.segmentation._graphemes import is_boundary, is_combining, is_linker
from rxstream.segmentation._sentence_parts import Fence, StopSigns, Tag
from rxstream.segmentation._sentence_rules import (
    TERMINATORS,
    Block,
    BlockStart,
    SentenceEnd,
    Stop,
    find_block_start,
    sentence_end,
)

_PLAIN: Final = re.compile(rf"[^{''.join(sorted(TERMINATORS))}`<\r\n]+")
_SPACE: Final = re.compile(r"\s+")
_TICKS: Final = re.compile("`+")
_NO_TICK: Final = re.compile("[^`\r\n]+")
_LINE: Final = re.compile("[^\r\n]+")
_RECENT: Final = 24
"""Characters kept for the rules about the word before a dot: more than the longest abbreviation."""


class Sentences:
    """Text in pieces -> sentences, each as soon as its end is certain.

    A sentence ends at:

    - `!` and `?` before white space (before a lower-case word only if no quote or bracket closes in between);
    - a dot before white space, unless a lower-case word, a comma or the like follows, or it belongs to an abbreviation,
      an initial or a number ("e.g.", "Dr. Smith", "U.S. Army", "No. 5"); so never the dots of "3.14", "v1.2.3",
      "main.py" or a URL; three dots as one;
    - 。！？ । ؟ and similar signs, without white space. Quotes, brackets and emphasis signs that touch the stop
      belong to the sentence;
    - a blank line; the end of a line that is a list item, a heading, a block quote or a table row, and the end of a
      line before one of these; a line of a fenced code block (the fences too). Another single line end is white space.

    Text between backticks on one line, a tag, a table row and a line of code are never split. A sentence may begin and
    end with tags (`<b>Hello.</b> Next.`), and ends at `<br>`, `</p>` and the like without white space too.

    Without white space a full stop ends a sentence only between a word in small letters and an article or a pronoun
    ("one.The next"): in general nothing tells "one.Sentence" from `System.Out` or `fmt.Println`.

    The sentences do not depend on how the text was split. With `keep_space` each has the white space *before*
    it, and white space at the end of the text is a last piece of its own: joined, the pieces are the text. Without
    `keep_space`, sentences have no white space around them (but a line of code keeps its indentation).
    Cost: linear in the text. Memory: one sentence.
    """

    def __init__(self, *, keep_space: bool = False) -> None:
        self._keep_space = keep_space
        self._sentences: list[str] = []
        """Complete sentences that were not yet returned."""
        self._lead: list[str] = []
        self._body: list[str] = []
        self._gap: list[str] = []
        self._ahead = ""
        self._tags: list[str] = []
        """Tags between `_gap` and `_ahead`, and the spaces after them."""
        self._tag: Tag | None = None
        """The tag that is being read."""
        self._recent = ""
        """The last characters of `_body`."""
        self._ends_with_line = False
        """Whether the end of this line ends the sentence."""
        self._quotes = self._emphasis_signs = 0
        """How many `"` and `*` the line has so far."""
        self._tick_count = self._opening_ticks = 0
        """The length of this row of backticks, and of the row that opened the code."""
        self._stop_signs = StopSigns()
        self._fence = Fence()
        self._enter_gap(Stop.NONE, line_start=True)

    def feed(self, text: str) -> list[str]:
        """The sentences that are complete now."""
        self._read(text)
        sentences, self._sentences = self._sentences, []
        return sentences

    def finish(self) -> list[str]:
        """The last sentences, and with `keep_space` the white space at the end."""
        while self._ahead or self._tag:
            if self._tag:
                self._end_tag(self._tag)
            else:
                self._decide(final=True)
        if self._tags:
            self._read_tags("")
        if self._body and self._state is Sentences._in_fence:
            self._emit_code_line()
        elif self._body:
            self._emit()
        if self._gap or self._lead:
            self._body, self._gap = self._gap, []
            self._emit(stripped="")
        sentences = self._sentences
        self.__init__(keep_space=self._keep_space)
        return [sentence for sentence in sentences if sentence]

    def _read(self, text: str) -> None:
        offset = 0
        while offset < len(text):
            offset = self._state(self, text, offset)

    def _add(self, text: str) -> None:
        self._body.append(text)
        self._recent = (self._recent + text)[-_RECENT:]
        self._quotes += text.count('"')
        self._emphasis_signs += text.count("*")

    def _emit(self, *, stripped: str | None = None) -> None:
        """End the sentence in `_body`. `stripped` is its text without white space, if `_strip` does not return that."""
        body = "".join(self._body)
        if self._keep_space:
            self._sentences.append("".join(self._lead) + body)
        else:
            self._sentences.append(_strip(body) if stripped is None else stripped)
        self._lead.clear()
        self._body.clear()
        self._recent = ""

    # White space: does the sentence end before it?

    def _enter_gap(self, stop: Stop, *, line_start: bool = False, nested: bool = False) -> None:
        self._stop = stop
        self._line_start = line_start
        self._nested = nested  # after the sign of a list item or a quote, where another block may begin
        self._line_ends = 0
        self._after_carriage_return = False
        self._state: Callable[[Sentences, str, int], int] = Sentences._in_gap

    def _in_gap(self, text: str, offset: int) -> int:
        space = None if self._ahead else _SPACE.match(text, offset)
        if space is None:
            character = text[offset]
            if character == "<" and not self._ahead:
                return self._begin_tag(Sentences._tag_in_gap, offset)
            is_free = self._body and not (self._gap or self._tags or self._ahead)
            if is_free and not character.isascii() and is_combining(character):
                self._body.append(character)  # of the cluster that the tag before it ends with
                return offset + 1
            self._ahead += character
            self._decide()
            return offset + 1
        run = space.group()
        if self._tags:
            if "\n" not in run and "\r" not in run:
                self._tags.append(run)
                return space.end()
            if self._body and self._stop not in (Stop.NONE, Stop.NEVER):
                self._emit()
            self._read_tags("")
            return offset
        ends = run.count("\n") + run.count("\r") - run.count("\r\n") - (self._after_carriage_return and run[0] == "\n")
        self._after_carriage_return = run[-1] == "\r"
        self._gap.append(run)
        if ends:
            self._line_ends += ends
            self._line_start = True
            self._nested = False
            if self._body and (self._ends_with_line or self._line_ends > 1):
                self._emit()
                self._stop = Stop.NONE
            self._ends_with_line = False
            self._quotes = self._emphasis_signs = 0
        return space.end()

    def _decide(self, *, final: bool = False) -> None:
        stop = self._stop
        if self._line_start and not self._tags:
            block_start = find_block_start(
                self._ahead, at_sentence_start=not self._body or stop not in (Stop.NONE, Stop.NEVER), final=final
            )
            if block_start is not None:
                if block_start.block is not Block.UNSURE:
                    self._begin_block(block_start)
                return
        if self._line_start and stop is Stop.DOT:
            stop = Stop.FIRM  # a full stop at the end of a line
        end = sentence_end(stop, self._ahead, final=final)
        if end is SentenceEnd.UNSURE:
            return
        ahead, self._ahead = self._ahead, ""
        if end is SentenceEnd.ENDS and self._body:
            self._emit()
            self._stop = Stop.NONE
            if self._line_start and not self._tags:  # the next sentence begins a line
                self._read(ahead)
                return
        if self._tags:
            self._read_tags(ahead)
            return
        self._close_gap(ahead[0])
        if end is SentenceEnd.CLOSES:
            self._add(ahead[0])
            ahead = ahead[1:]
            self._stop_signs.note_closer()
            self._state = Sentences._in_stop
        else:
            self._state = Sentences._in_text
        self._read(ahead)

    def _close_gap(self, following: str) -> None:
        """Add the gap to the sentence, or if there is none to the white space before the next one."""
        if self._body:
            self._body += self._gap
            if self._gap:
                self._recent = self._recent[1 - _RECENT :] + " "
        else:
            self._lead += self._gap
            if self._lead and not is_boundary(
                self._lead[-1][-1] + following, 1
            ):  # the space carries a combining character
                run = self._lead.pop()
                self._lead.append(run[:-1])
                self._body.append(run[-1])
        self._gap.clear()

    def _begin_block(self, start: BlockStart) -> None:
        ahead, self._ahead = self._ahead, ""
        if self._body and not self._nested:
            self._emit()
        self._close_gap(ahead[0])
        self._add(ahead[: start.length])
        self._ends_with_line = True
        if start.block is Block.FENCE:
            self._fence = Fence(ahead[: start.length])
            self._state = Sentences._in_fence_opening
        elif start.block is Block.ROW:
            self._state = Sentences._in_raw_line
        elif start.block in (Block.ITEM, Block.QUOTE):
            self._enter_gap(Stop.NONE, line_start=True, nested=True)
        else:
            self._state = Sentences._in_text
        self._read(ahead[start.length :])

    # Inside a sentence

    def _in_text(self, text: str, offset: int) -> int:
        plain = _PLAIN.match(text, offset)
        if plain:
            self._add(plain.group())
            return plain.end()
        character = text[offset]
        if character == "`":
            self._tick_count = self._opening_ticks = 0
            self._state = Sentences._in_ticks
        elif character == "<":
            return self._begin_tag(Sentences._tag_in_text, offset)
        elif character in TERMINATORS:
            self._stop_signs = StopSigns(self._recent)
            self._state = Sentences._in_stop
        else:
            self._enter_gap(Stop.NONE)
        return offset

    def _in_stop(self, text: str, offset: int) -> int:
        character = text[offset]
        if character == "<":
            return self._begin_tag(Sentences._tag_after_stop, offset)
        belongs = self._stop_signs.add(
            character,
            before=self._recent,
            quote_open=self._quotes % 2 == 1,
            emphasis_open=self._emphasis_signs % 4 != 0,
        )
        combines = not character.isascii() and is_combining(character)
        if belongs or (combines and not is_linker(character)):
            self._add(character)
            return offset + 1
        if combines:  # it may join the next character to the stop
            self._state = Sentences._in_text
        elif self._stop_signs.ends_before(character):
            self._emit()
            self._enter_gap(Stop.NONE)
        elif character.isspace():
            self._enter_gap(self._stop_signs.kind())
        elif self._stop_signs.joins(character):
            self._enter_gap(Stop.JOINED)
        else:
            self._state = Sentences._in_text
        return offset

    # Tags

    def _begin_tag(self, then: Callable[[Sentences, Tag], str], offset: int) -> int:
        """Read a tag. `then` takes it when it is whole, or no tag after all, and returns the text to read again."""
        self._tag = Tag()
        self._then = then
        self._state = Sentences._in_tag
        return offset + 1

    def _in_tag(self, text: str, offset: int) -> int:
        tag = self._tag
        assert tag is not None
        if not tag.add(text[offset]) or tag.whole:
            self._end_tag(tag)
        return offset + 1

    def _end_tag(self, tag: Tag) -> None:
        self._tag = None
        self._read(self._then(self, tag))

    def _tag_in_text(self, tag: Tag) -> str:
        self._state = Sentences._in_text
        if tag.whole:
            self._body.append(tag.text)  # not in `_recent`: "<b>Dr</b>. Smith"
            return ""
        self._add("<")
        return tag.text[1:]

    def _tag_after_stop(self, tag: Tag) -> str:
        if tag.whole and tag.closes:
            self._body.append(tag.text)
            self._stop_signs.note_closer()
            if tag.is_block:
                self._enter_gap(self._stop_signs.kind_at_line_end())
            else:
                self._state = Sentences._in_stop
            return ""
        if self._stop_signs.ends_before("<"):
            self._emit()
            self._enter_gap(Stop.NONE)
        elif tag.whole and tag.is_block:
            self._enter_gap(self._stop_signs.kind_at_line_end())
        else:
            return self._tag_in_text(tag)
        return tag.text

    def _tag_in_gap(self, tag: Tag) -> str:
        self._state = Sentences._in_gap
        if not tag.whole:
            self._ahead = "<"
            self._decide()
            return tag.text[1:]
        if tag.closes and self._body and not self._tags:
            self._close_gap("<")
            self._body.append(tag.text)
            if self._stop is Stop.NONE:
                self._state = Sentences._in_text
            else:
                self._stop_signs.note_closer()
                self._state = Sentences._in_stop
            return ""
        if tag.is_block and self._stop is Stop.DOT:
            self._stop = Stop.FIRM
        self._tags.append(tag.text)
        return ""

    def _read_tags(self, ahead: str) -> None:
        """Read the tags after the gap, as more of the sentence, or as the beginning of the next one."""
        tags = "".join(self._tags)
        self._tags.clear()
        self._close_gap("<")
        self._state = Sentences._in_text
        self._read(tags + ahead)

    # Code

    def _in_ticks(self, text: str, offset: int) -> int:
        ticks = _TICKS.match(text, offset)
        if ticks:
            self._add(ticks.group())
            self._tick_count += len(ticks.group())
            return ticks.end()
        if not self._opening_ticks:
            self._opening_ticks = self._tick_count
            self._state = Sentences._in_code
        else:
            self._state = Sentences._in_text if self._tick_count == self._opening_ticks else Sentences._in_code
        return offset

    def _in_code(self, text: str, offset: int) -> int:
        code = _NO_TICK.match(text, offset)
        if code:
            self._add(code.group())
            return code.end()
        if text[offset] == "`":
            self._tick_count = 0
            self._state = Sentences._in_ticks
        else:
            self._enter_gap(Stop.NONE)
        return offset

    def _in_raw_line(self, text: str, offset: int) -> int:
        line = _LINE.match(text, offset)
        if line:
            self._add(line.group())
            return line.end()
        self._enter_gap(Stop.NONE)
        return offset

    def _in_fence_opening(self, text: str, offset: int) -> int:
        character = text[offset]
        if character in "\r\n":
            self._emit()
            self._state = Sentences._in_fence
            return offset
        if not self._fence.opens_with(character):
            self._state = Sentences._in_raw_line
        self._add(character)
        return offset + 1

    def _in_fence(self, text: str, offset: int) -> int:
        if not self._body:
            space = _SPACE.match(text, offset)
            if space:
                self._lead.append(space.group())
                return space.end()
        line = _LINE.match(text, offset)
        if line:
            self._body.append(line.group())
            self._fence.note(line.group())
            return line.end()
        self._emit_code_line()
        if self._fence.closed:
            self._enter_gap(Stop.NONE, line_start=True)
        self._fence.begin_line()
        return offset

    def _emit_code_line(self) -> None:
        indent = "".join(self._lead)
        indent = indent[max(indent.rfind("\n"), indent.rfind("\r")) + 1 :]
        self._emit(stripped=indent + _strip("".join(self._body)))


def _strip(sentence: str) -> str:
    """The sentence without the white space at its end, but with whole clusters."""
    end = len(sentence.rstrip())
    while not is_boundary(sentence, end):
        end += 1
    return sentence[:end]
