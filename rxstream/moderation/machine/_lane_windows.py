"""The text of one lane as it arrives, and where its windows end."""

import re
from math import ceil
from typing import Final

from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._text import Arrivals, Format, LaneText
from rxstream.moderation.machine._window import TextPlace

EARLY: Final = 1e-6
"""Seconds. Clocks are read in microseconds, so a timer may fire this much too early."""

_WORDLESS: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Scripts without spaces between words: each character may end a word."""


class LaneWindows:
    """See the module. The first stage of the lane takes its windows from here."""

    def __init__(self, place: TextPlace, options: Options, format: Format) -> None:
        self.place = place
        self.options = options
        self.text = LaneText(format)
        self.windows_end = 0
        """The end of the last window."""
        self.closed_at = -1
        """The length of the text when the lane last ended; -1 before. A later delta opens the lane again."""
        self.check_at_once = False
        """Whether new text goes to a check at once, because too much is held."""
        self.last_append = 0.0
        """When the last text arrived."""
        self._arrivals = Arrivals()
        self._window_size = float(options.first_chars)
        """The size of the next window, if it is full."""
        self._debt = 0.0
        """How many characters of context full windows had more than `context / max_chars` of their text."""

    def append(self, piece: str, now: float) -> None:
        self.text.append(piece)
        self.last_append = now
        self._arrivals.note(self.text.length, now)

    def close(self) -> None:
        """The lane has ended, unless another delta follows."""
        length = self.text.length
        self.text.close()
        if self.text.length > length:
            self._arrivals.note(self.text.length, self.last_append)
        self.closed_at = self.text.length

    @property
    def full(self) -> bool:
        """Whether the next window has all its text."""
        return self.text.length - self.windows_end >= self._window_size

    @property
    def ended(self) -> bool:
        """Whether all text is in windows, and no more is expected for now."""
        length = self.text.length
        return self.windows_end == length and (self.closed_at == length or self.check_at_once)

    def due(self) -> float:
        """When a timer ends the next window. There is text that is in no window."""
        return min(
            self.last_append + self.options.quiet,
            self._arrivals.oldest(self.windows_end) + self.options.max_delay,
        )

    def take_window(self, now: float) -> int | None:
        """Take the next window. Returns its end, or None if that is not known before more text or time."""
        end = self._next_end(now)
        if end is not None:
            self.windows_end = end
        return end

    def _next_end(self, now: float) -> int | None:
        """The end of the next window of the first stage. None if it is not known before more text or time.

        Context is paid for by text: full windows have on average `context / max_chars` of their text as context, and
        never more than `context` beyond that. A window that could not pay for its context is larger.
        """
        start, length, options = self.windows_end, self.text.length, self.options
        if start == length:
            return None
        size = least = int(self._window_size)
        context = min(options.context_of(0), start)
        share = options.context_of(0) / options.max_chars
        if share:
            least = max(size // 2 + 1, ceil((self._debt + context - options.context_of(0)) / share))
            size = max(size, least) if least <= size - size // 8 else least + options.max_chars // 8
        if length - start >= size:
            self._window_size = min(self._window_size * options.growth, options.max_chars)
            end = self._window_end(start, size, least)
            self._debt += context - share * (end - start)
            return end
        if self.closed_at == length or self.check_at_once or now + EARLY >= self.last_append + options.quiet:
            return length
        if now + EARLY >= self._arrivals.oldest(start) + options.max_delay:
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
