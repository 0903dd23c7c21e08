"""Parts of a sentence that are read character by character: the signs of a stop, and the fence of a code block."""

from rxstream.segmentation._sentence_rules import (
    CJK,
    CLOSERS,
    LOW_CLOSERS,
    STRONG,
    TERMINATORS,
    WIDE,
    WIDE_CLOSERS,
    Stop,
    dot_after,
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

    def kind(self) -> Stop:
        """The kind of the stop if white space follows."""
        if self._strong:
            return Stop.SOFT if self._closed or self._before[-1:].isspace() else Stop.FIRM
        return Stop.ELLIPSIS if self._dots > 1 else dot_after(self._before)


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
