"""Whole sentences out of text that arrives in pieces. The rules are in `_sentence_rules`.

The machine reads each character once. It keeps the white space before the sentence (`_lead`) and the sentence so far
(`_body`). After a possible end it keeps the white space (`_gap`) and the next characters (`_ahead`, at most 16) until
these decide; then it reads them again, as the beginning of the next sentence or as more of this one.

Not a library: pysbd and NLTK's Punkt split a complete text, and would read all of it again for each piece.
"""

import re
from collections.abc import Callable
from typing import Final

from rxstream.segmentation._graphemes import is_boundary, is_linker, is_mark
from rxstream.segmentation._sentence_parts import Fence, StopMarks
from rxstream.segmentation._sentence_rules import (
    TERMINATORS,
    Block,
    BlockMark,
    SentenceEnd,
    Stop,
    find_mark,
    sentence_end,
)

_PLAIN: Final = re.compile(rf"[^{''.join(sorted(TERMINATORS))}`\r\n]+")
_SPACE: Final = re.compile(r"\s+")
_TICKS: Final = re.compile("`+")
_NO_TICK: Final = re.compile("[^`\r\n]+")
_LINE: Final = re.compile("[^\r\n]+")
_RECENT: Final = 24
"""Characters kept for the rules about the word before a dot: more than the longest abbreviation."""


class Sentences:
    """Text in pieces -> sentences, each as soon as its end is certain.

    A sentence ends at:

    - `!` and `?` before white space (before a lower-case word only where no quote or bracket closes in between);
    - a dot before white space, unless a lower-case word, a comma or the like follows, or it belongs to an abbreviation,
      an initial or a number ("e.g.", "Dr. Smith", "U.S. Army", "No. 5"); so never the dots of "3.14", "v1.2.3",
      "main.py" or a URL; three dots as one;
    - 。！？ । ؟ and similar marks, without white space. Quotes, brackets and marks of emphasis that touch the stop
      belong to the sentence;
    - a blank line; the end of a line that is a list item, a heading, a block quote or a table row, and the end of a
      line before one of these; a line of a fenced code block (the fences too). Another single line end is white space.

    Text between backticks on one line, a table row and a line of code are never split.

    The sentences do not depend on how the text was split. With `keep_space` each has the white space *before*
    it, and white space at the end of the text is a last piece of its own: joined, the pieces are the text. Without,
    sentences have no white space around them (but a line of code keeps its indentation).
    Cost: linear in the text. Memory: one sentence.
    """

    def __init__(self, *, keep_space: bool = False) -> None:
        self._keep = keep_space
        self._whole: list[str] = []
        self._lead: list[str] = []
        self._body: list[str] = []
        self._gap: list[str] = []
        self._ahead = ""
        self._recent = ""
        self._line_wise = False  # the end of this line ends the sentence
        self._quotes = self._stars = 0  # on this line so far
        self._ticks = self._opened = 0
        self._marks = StopMarks()
        self._fence = Fence()
        self._look_for(Stop.NONE, line_start=True)

    def feed(self, text: str) -> list[str]:
        """The sentences that are complete now."""
        self._run(text)
        whole, self._whole = self._whole, []
        return whole

    def finish(self) -> list[str]:
        """The last sentences, and with `keep_space` the white space at the end."""
        while self._ahead:
            self._decide(final=True)
        if self._body and self._state is Sentences._in_fence:
            self._emit_code_line()
        elif self._body:
            self._emit()
        if self._gap or self._lead:
            self._body, self._gap = self._gap, []
            self._emit(bare="")
        whole = self._whole
        self.__init__(keep_space=self._keep)
        return [sentence for sentence in whole if sentence]

    def _run(self, text: str) -> None:
        at = 0
        while at < len(text):
            at = self._state(self, text, at)

    def _take(self, text: str) -> None:
        self._body.append(text)
        self._recent = (self._recent + text)[-_RECENT:]
        self._quotes += text.count('"')
        self._stars += text.count("*")

    def _emit(self, *, bare: str | None = None) -> None:
        """`_body` is a sentence; `bare` is its text without white space, if it is not that of `_bare`."""
        body = "".join(self._body)
        if self._keep:
            self._whole.append("".join(self._lead) + body)
        else:
            self._whole.append(_bare(body) if bare is None else bare)
        self._lead.clear()
        self._body.clear()
        self._recent = ""

    # After a word: does the sentence end here?

    def _look_for(self, stop: Stop, *, line_start: bool = False, nested: bool = False) -> None:
        self._stop = stop
        self._line_start = line_start
        self._nested = nested  # after the mark of a list item or a quote, where another mark may follow
        self._line_ends = 0
        self._return = False
        self._state: Callable[[Sentences, str, int], int] = Sentences._in_gap

    def _in_gap(self, text: str, at: int) -> int:
        space = None if self._ahead else _SPACE.match(text, at)
        if space is None:
            self._ahead += text[at]
            self._decide()
            return at + 1
        run = space.group()
        ends = run.count("\n") + run.count("\r") - run.count("\r\n") - (self._return and run[0] == "\n")
        self._return = run[-1] == "\r"
        self._gap.append(run)
        if ends:
            self._line_ends += ends
            self._line_start = True
            self._nested = False
            if self._body and (self._line_wise or self._line_ends > 1):
                self._emit()
                self._stop = Stop.NONE
            self._line_wise = False
            self._quotes = self._stars = 0
        return space.end()

    def _decide(self, *, final: bool = False) -> None:
        stop = self._stop
        if self._line_start:
            mark = find_mark(
                self._ahead, at_sentence_start=not self._body or stop not in (Stop.NONE, Stop.NEVER), final=final
            )
            if mark is True:
                return
            if mark:
                self._begin_block(mark)
                return
            if stop is Stop.DOT:
                stop = Stop.FIRM  # a full stop at the end of a line
        end = sentence_end(stop, self._ahead, final=final)
        if end is SentenceEnd.UNSURE:
            return
        ahead, self._ahead = self._ahead, ""
        if end is SentenceEnd.ENDS and self._body:
            self._emit()
            self._stop = Stop.NONE
            if self._line_start:  # the next sentence begins a line
                self._run(ahead)
                return
        self._close_gap(ahead[0])
        if end is SentenceEnd.CLOSES:
            self._take(ahead[0])
            ahead = ahead[1:]
            self._marks.close()
            self._state = Sentences._in_stop
        else:
            self._state = Sentences._in_text
        self._run(ahead)

    def _close_gap(self, following: str) -> None:
        """Add the white space to the sentence, or to the white space before it."""
        if self._body:
            self._body += self._gap
            self._recent = self._recent[1 - _RECENT :] + " "
        else:
            self._lead += self._gap
            if self._lead and not is_boundary(self._lead[-1][-1] + following, 1):  # a space that carries a mark
                run = self._lead.pop()
                self._lead.append(run[:-1])
                self._body.append(run[-1])
        self._gap.clear()

    def _begin_block(self, mark: BlockMark) -> None:
        ahead, self._ahead = self._ahead, ""
        if self._body and not self._nested:
            self._emit()
        self._close_gap(ahead[0])
        self._take(ahead[: mark.length])
        self._line_wise = True
        if mark.block is Block.FENCE:
            self._fence = Fence(ahead[: mark.length])
            self._state = Sentences._in_fence_opening
        elif mark.block is Block.ROW:
            self._state = Sentences._in_raw_line
        elif mark.block in (Block.ITEM, Block.QUOTE):
            self._look_for(Stop.NONE, line_start=True, nested=True)
        else:
            self._state = Sentences._in_text
        self._run(ahead[mark.length :])

    # Inside a sentence

    def _in_text(self, text: str, at: int) -> int:
        plain = _PLAIN.match(text, at)
        if plain:
            self._take(plain.group())
            return plain.end()
        character = text[at]
        if character == "`":
            self._ticks = self._opened = 0
            self._state = Sentences._in_ticks
        elif character in TERMINATORS:
            self._marks = StopMarks(self._recent)
            self._state = Sentences._in_stop
        else:
            self._look_for(Stop.NONE)
        return at

    def _in_stop(self, text: str, at: int) -> int:
        character = text[at]
        belongs = self._marks.add(
            character, before=self._recent, quote_open=self._quotes % 2 == 1, emphasis_open=self._stars % 4 != 0
        )
        mark = not character.isascii() and is_mark(character)
        if belongs or (mark and not is_linker(character)):
            self._take(character)
            return at + 1
        if mark:  # it may join the next character to the stop
            self._state = Sentences._in_text
        elif self._marks.ends_before(character):
            self._emit()
            self._look_for(Stop.NONE)
        elif character.isspace():
            self._look_for(self._marks.kind())
        else:
            self._state = Sentences._in_text
        return at

    # Code

    def _in_ticks(self, text: str, at: int) -> int:
        ticks = _TICKS.match(text, at)
        if ticks:
            self._take(ticks.group())
            self._ticks += len(ticks.group())
            return ticks.end()
        if not self._opened:
            self._opened = self._ticks
            self._state = Sentences._in_code
        else:
            self._state = Sentences._in_text if self._ticks == self._opened else Sentences._in_code
        return at

    def _in_code(self, text: str, at: int) -> int:
        code = _NO_TICK.match(text, at)
        if code:
            self._take(code.group())
            return code.end()
        if text[at] == "`":
            self._ticks = 0
            self._state = Sentences._in_ticks
        else:
            self._look_for(Stop.NONE)
        return at

    def _in_raw_line(self, text: str, at: int) -> int:
        line = _LINE.match(text, at)
        if line:
            self._take(line.group())
            return line.end()
        self._look_for(Stop.NONE)
        return at

    def _in_fence_opening(self, text: str, at: int) -> int:
        character = text[at]
        if character in "\r\n":
            self._emit()
            self._state = Sentences._in_fence
            return at
        if not self._fence.opens_with(character):
            self._state = Sentences._in_raw_line
        self._take(character)
        return at + 1

    def _in_fence(self, text: str, at: int) -> int:
        if not self._body:
            space = _SPACE.match(text, at)
            if space:
                self._lead.append(space.group())
                return space.end()
        line = _LINE.match(text, at)
        if line:
            self._body.append(line.group())
            self._fence.note(line.group())
            return line.end()
        self._emit_code_line()
        if self._fence.closed:
            self._look_for(Stop.NONE, line_start=True)
        self._fence.begin_line()
        return at

    def _emit_code_line(self) -> None:
        indent = "".join(self._lead)
        indent = indent[max(indent.rfind("\n"), indent.rfind("\r")) + 1 :]
        self._emit(bare=indent + _bare("".join(self._body)))


def _bare(sentence: str) -> str:
    """The sentence without the white space at its end, but with whole clusters."""
    end = len(sentence.rstrip())
    while not is_boundary(sentence, end):
        end += 1
    return sentence[:end]
