"""Parts of a sentence that are read character by character: the signs of a stop, a tag, the fence of a code block."""

from typing import Final

from rxstream.segmentation._sentence_rules import (
    CJK,
    CLOSERS,
    LOW_CLOSERS,
    LOWER_WORD,
    STRONG,
    TERMINATORS,
    WIDE,
    WIDE_CLOSERS,
    Stop,
    dot_after,
    word_set,
)


class StopSigns:
    """The stop signs that may end a sentence, and the closing quotes and brackets after them."""

    __slots__ = ("_before", "_closed", "_dots", "_strong", "_wide")

    def __init__(self, before: str = "") -> None:
        self._before = before
        self._dots = 0
        self._strong = self._wide = self._closed = False

    def add(self, character: str, *, before: str, quote_open: bool, emphasis_open: bool) -> bool:
        """Add a character. Returns whether it belongs to the stop. `before` is the text before the character."""
        if character in TERMINATORS:
            if self._closed:  # "Yes." is all he said?
                self.__init__(before)
            self._dots += 3 if character == "…" else character == "."
            self._strong = self._strong or character in STRONG
            self._wide = self._wide or character in WIDE
            return True
        if self._wide:
            closes = character in WIDE_CLOSERS or (
                quote_open if character == '"' else emphasis_open and character == "*"
            )
        else:
            closes = character in CLOSERS or character in LOW_CLOSERS
        self._closed = self._closed or closes
        return closes

    def note_closer(self) -> None:
        """Note that a bracket or quote closes after the stop and a space."""
        self._closed = True

    def ends_before(self, following: str) -> bool:
        """Whether the sentence ends before `following`, which may be any character."""
        return self._wide or (self._strong and bool(CJK.match(following)))

    def joins(self, following: str) -> bool:
        """Whether `following`, a letter, may be the first of a sentence, though no space stands before it."""
        return following.isupper() and self.kind() not in _NO_END and bool(LOWER_WORD.search(self._before))

    def kind(self) -> Stop:
        """The kind of the stop if white space follows."""
        if self._strong:
            return Stop.SOFT if self._closed or self._before[-1:].isspace() else Stop.FIRM
        return Stop.ELLIPSIS if self._dots > 1 else dot_after(self._before)

    def kind_at_line_end(self) -> Stop:
        """The kind of the stop at the end of a line."""
        kind = self.kind()
        return Stop.FIRM if kind is Stop.DOT else kind


_NO_END: Final = (Stop.NEVER, Stop.NUMBERED, Stop.ABBREVIATION)
_BLOCK_TAGS: Final = word_set(
    "p br hr div section article main header footer blockquote pre h1 h2 h3 h4 h5 h6",
    "ul ol li dl dt dd table tr td th think",
)
_LONGEST_TAG: Final = 1000
"""Characters. What is longer is text."""


class Tag:
    """A tag of HTML or XML: `<b>`, `</b>`, `<br/>`, `<a href="x. Y">`. "a < b" and "<3" have none."""

    __slots__ = ("_in_name", "_name", "_pieces", "_quote", "whole")

    def __init__(self) -> None:
        self._pieces = ["<"]
        self._name: list[str] = []
        """`/` if the tag closes, and its name."""
        self._in_name = True
        self._quote = ""
        """The quote around the value of an attribute that is being read."""
        self.whole = False

    def add(self, character: str) -> bool:
        """Add a character. Returns False if the text is not a tag."""
        before = self._pieces[-1]
        self._pieces.append(character)
        if character in "<\r\n" or len(self._pieces) > _LONGEST_TAG:
            return False
        if self._quote:
            if character == self._quote:
                self._quote = ""
            return True
        if self._in_name:
            if character in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
                self._name.append(character)
                return True
            if self._name in ([], ["/"]):
                self._name.append(character)
                return self._name == ["/"]
            if character in "0123456789-:":
                self._name.append(character)
                return True
            self._in_name = False
        if character in "\"'":
            self._quote = character
            return before == "="
        if (character == ">" or character.isspace()) and before in TERMINATORS:  # "a <b then. Next"
            return False
        self.whole = character == ">"
        return self.whole or character == "/" or character.isspace() or not self._touches_name()

    def _touches_name(self) -> bool:
        """Whether the last character stands directly behind the name."""
        return len(self._pieces) == len(self._name) + 2

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._pieces)

    @property
    def closes(self) -> bool:
        """Whether it is an end tag."""
        return self._name[:1] == ["/"]

    @property
    def is_block(self) -> bool:
        """Whether it ends a line on the page, as `<p>` and `<br>` do, or as `</think>` the thoughts of a model."""
        return "".join(self._name).lstrip("/").lower() in _BLOCK_TAGS


class Fence:
    """The fence of a code block: its opening line, and for each line whether it closes the block (CommonMark 4.5)."""

    __slots__ = ("_character", "_fence_size", "_has_space", "_is_opening", "_length")

    def __init__(self, run: str = "```") -> None:
        self._character = run[0]
        self._length = len(run)
        """How many fence characters open the block."""
        self._is_opening = True
        """Whether the opening line has only fence characters so far."""
        self.begin_line()

    def opens_with(self, character: str) -> bool:
        """Add a character of the opening line. Returns False if the line is ``` a code span ``` and not a fence."""
        if character != self._character:
            self._is_opening = False
        elif self._is_opening:
            self._length += 1
        else:
            return character != "`"
        return True

    def begin_line(self) -> None:
        """A line of code begins."""
        self._fence_size = 0
        """How many fence characters the line has; -1 if it has others too."""
        self._has_space = False
        """Whether white space follows the fence characters of the line."""

    def note(self, run: str) -> None:
        """Add a part of the line, without the white space before its first character."""
        text = run.rstrip()
        if self._fence_size < 0 or not text:
            self._has_space = True
        elif text.strip(self._character) or self._has_space:
            self._fence_size = -1
        else:
            self._fence_size += len(text)
            self._has_space = len(text) < len(run)

    @property
    def closed(self) -> bool:
        """Whether the line that ends here closes the block."""
        return self._fence_size >= self._length
