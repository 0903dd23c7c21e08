"""Two things a sentence machine reads piece by piece: the marks at a stop, and the fence of a code block."""

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


class StopMarks:
    """The marks that may end a sentence, and the quotes and brackets that close behind them."""

    __slots__ = ("_before", "_closed", "_dots", "_strong", "_wide")

    def __init__(self, before: str = "") -> None:
        self._before = before
        self._dots = 0
        self._strong = self._wide = self._closed = False

    def take(self, character: str, *, before: str, quote_open: bool, emphasis_open: bool) -> bool:
        """Whether the character belongs to the stop. `before` is what stands before it."""
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

    def close(self) -> None:
        """Something closed behind the stop after a space."""
        self._closed = True

    def ends_before(self, following: str) -> bool:
        """Whether the sentence ends here, whatever stands next (white space or not)."""
        return self._wide or (self._strong and bool(CJK.match(following)))

    def kind(self) -> Stop:
        """What the stop is when white space follows."""
        if self._strong:
            return Stop.SOFT if self._closed or self._before[-1:].isspace() else Stop.FIRM
        return Stop.ELLIPSIS if self._dots > 1 else dot_after(self._before)


class Fence:
    """The fence of a code block: its opening line, then line by line whether it closes (CommonMark 4.5)."""

    __slots__ = ("_character", "_length", "_run", "_solid", "_spaced")

    def __init__(self, run: str = "```") -> None:
        self._character = run[0]
        self._length = len(run)
        self._run = True
        self.begin_line()

    def opens_with(self, character: str) -> bool:
        """The next character of the opening line; False: it was not a fence, but ``` a code span ```."""
        if character != self._character:
            self._run = False
        elif self._run:
            self._length += 1
        else:
            return character != "`"
        return True

    def begin_line(self) -> None:
        """A line of code begins."""
        self._solid = 0  # so many fence characters, and nothing else; -1: there is something else
        self._spaced = False

    def note(self, run: str) -> None:
        """More of the line; not the white space before its first character."""
        solid = run.rstrip()
        if self._solid < 0 or not solid:
            self._spaced = True
        elif solid.strip(self._character) or self._spaced:
            self._solid = -1
        else:
            self._solid += len(solid)
            self._spaced = len(solid) < len(run)

    @property
    def closed(self) -> bool:
        """Whether the line that ends here closes the block."""
        return self._solid >= self._length
