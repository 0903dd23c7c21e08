"""The text of one lane as it arrives, and where its windows end."""

import re
from math import ceil
from typing import Final

from rxstream.moderation.machine._commands import Step
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._text import Arrivals, Format, LaneText
from rxstream.moderation.machine._window import TextPlace

_WORDLESS: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Scripts without spaces between words: each character may end a word."""


class LaneWindows:
    """See the module. The first stage of the lane takes its windows from here."""

    def __init__(self, place: TextPlace, options: Options, step: Step, format: Format) -> None:
        self.place = place
        self.options = options
        self.text = LaneText(format)
        self.closed_at = -1
        """The length of the text when the lane last ended; -1 before. A later delta opens the lane again."""
        self.check_at_once = False
        """Whether new text goes to a check at once, because too much is held."""
        self.window_size = float(options.first_chars)
        """The size of the next window, if it is full."""
        self._step = step
        self._last_append = 0.0
        """When the last text arrived."""
        self._arrivals = Arrivals()
        self._debt = 0.0
        """How many characters of context full windows had more than `context / max_chars` of their text."""

    def append(self, piece: str) -> None:
        self.text.append(piece)
        self._last_append = self._step.now
        self._arrivals.note(self.text.length, self._last_append)

    def end_text(self) -> None:
        """What cannot be decoded yet is text as it is: no other text follows, unless another delta does."""
        length = self.text.length
        self.text.close()
        if self.text.length > length:
            self._arrivals.note(self.text.length, self._last_append)
        self.closed_at = self.text.length

    @property
    def complete(self) -> bool:
        """Whether no more text is expected for now."""
        return self.closed_at == self.text.length or self.check_at_once

    @property
    def end_of_pause(self) -> float:
        """When the text has been `quiet`, if nothing arrives before."""
        return self._last_append + self.options.quiet

    def due_window(self, start: int) -> float:
        """When a timer ends the window that begins at `start`."""
        return min(self.end_of_pause, self._arrivals.oldest(start) + self.options.max_delay)

    def take_window(self, start: int) -> int | None:
        """Take the next window. Returns its end, or None if that is not known before more text or time.

        Context is paid for by text: full windows have on average `context / max_chars` of their text as context, and
        never more than `context` beyond that. A window that could not pay for its context is larger.
        """
        length, options = self.text.length, self.options
        if start == length:
            return None
        size = least = int(self.window_size)
        context = min(options.context_of(0), start)
        share = options.context_of(0) / options.max_chars
        if share:
            least = max(size // 2 + 1, ceil((self._debt + context - options.context_of(0)) / share))
            size = max(size, least) if least <= size - size // 8 else least + options.max_chars // 8
        if length - start >= size:
            self.window_size = min(self.window_size * options.growth, options.max_chars)
            end = self._window_end(start, size, least)
            self._debt += context - share * (end - start)
            return end
        if self.complete or self._step.has_come(self.end_of_pause):
            return length
        if self._step.has_come(self._arrivals.oldest(start) + options.max_delay):
            return self._window_end(start, length - start, (length - start) // 2 + 1)
        return None

    def _window_end(self, start: int, size: int, least: int) -> int:
        boundary = self.options.boundary
        longest = start + (size if size <= self.options.max_chars else least)
        if boundary is None:
            return longest
        try:
            position = boundary(self.text.slice(start, start + size))
        except Exception:  # the boundary is only a hint
            return longest
        return start + position if isinstance(position, int) and least <= position <= size else longest

    def word_start(self, end: int, least: int) -> int:
        """Where the word begins that ends at `end`, but not before `least`."""
        text = self.text.slice(least, end)
        for offset in range(len(text), 0, -1):
            if text[offset - 1].isspace() or _WORDLESS.match(text, offset - 1):
                return least + offset
        return least
