"""Whole lines out of text that arrives in pieces."""

import re
from typing import Final

_END: Final = re.compile(r"\r\n|\r|\n")


class Lines:
    """Text in pieces -> lines, each as soon as its end has arrived. `finish` returns a last line without an end.

    LF, CR LF and CR end a line; no other character does (VT, FF, U+0085, U+2028 and U+2029 do not). A CR at the
    end of a piece waits for the next character, which may be its LF. The lines do not depend on how the text was split.
    With `keep_ends` each line has its end, and joined they are the text. Without `keep_ends` an
    empty line is "".
    Cost: linear in the text. Memory: one line.
    """

    def __init__(self, *, keep_ends: bool = False) -> None:
        self._keep_ends = keep_ends
        self._line: list[str] = []
        self._after_cr = False
        """Whether the text so far ends in a CR. It is not in `_line`."""

    def feed(self, text: str) -> list[str]:
        """The lines that are complete now."""
        if not text:
            return []
        lines: list[str] = []
        if self._after_cr:
            text = "\r" + text
        self._after_cr = text[-1] == "\r"
        end = len(text) - self._after_cr
        start = 0
        for match in _END.finditer(text, 0, end):
            self._line.append(text[start : match.end() if self._keep_ends else match.start()])
            lines.append("".join(self._line))
            self._line.clear()
            start = match.end()
        if start < end:
            self._line.append(text[start:end])
        return lines

    def finish(self) -> list[str]:
        """The last line, if it has no end."""
        if self._after_cr:
            self._line.append("\r" if self._keep_ends else "")
        last = ["".join(self._line)] if self._line else []
        self.__init__(keep_ends=self._keep_ends)
        return last
