"""Whole lines out of text that arrives in pieces."""

import re
from typing import Final

_END: Final = re.compile(r"\r\n|\r|\n")


class Lines:
    """Text in pieces -> lines, each as soon as its end has come. A last line without an end comes at `finish`.

    LF, CR LF and CR end a line; no other character does (VT, FF, U+0085, U+2028 and U+2029 are part of it). A CR at the
    end of a piece waits for the next character, which may be its LF. The lines do not depend on how the text was split.
    With `keep_ends` each line has its end, and joined they are the text; without, an empty line is "".
    Cost: linear in the text. Memory: one line.
    """

    def __init__(self, *, keep_ends: bool = False) -> None:
        self._keep = keep_ends
        self._held: list[str] = []
        self._return = False  # a CR came last; it is not among what is held

    def feed(self, text: str) -> list[str]:
        """The lines that are whole now."""
        if not text:
            return []
        whole: list[str] = []
        if self._return:
            text = "\r" + text
        self._return = text[-1] == "\r"
        end = len(text) - self._return
        start = 0
        for match in _END.finditer(text, 0, end):
            self._held.append(text[start : match.end() if self._keep else match.start()])
            whole.append("".join(self._held))
            self._held.clear()
            start = match.end()
        if start < end:
            self._held.append(text[start:end])
        return whole

    def finish(self) -> list[str]:
        """The line that was still open, if there is one."""
        if self._return:
            self._held.append("\r" if self._keep else "")
        last = ["".join(self._held)] if self._held else []
        self.__init__(keep_ends=self._keep)
        return last
