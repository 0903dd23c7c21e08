"""Markdown while it is written: each block is drawn as soon as it is whole, so that nothing on the screen changes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


class MarkdownBlocks:
    """Cuts a text into blocks: at empty lines outside of fenced code. It holds the block that is not whole yet."""

    def __init__(self) -> None:
        self._rest = ""
        self._lines: list[str] = []
        self._fence = ""
        """The fence that is open."""

    def feed(self, text: str) -> Iterator[str]:
        """The blocks that are whole with this text."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._lines.append(line)
            fence = _FENCE.match(line.rstrip("\r"))
            if self._fence:
                if fence and fence[1].startswith(self._fence) and not fence[2].strip():
                    self._fence = ""
            elif fence:
                self._fence = fence[1]
            elif not line.strip():
                yield from self._block()

    def finish(self) -> Iterator[str]:
        """The last block."""
        self._lines.append(self._rest)
        self._rest = self._fence = ""
        yield from self._block()

    def _block(self) -> Iterator[str]:
        block = "\n".join(self._lines)
        self._lines.clear()
        if block.strip():
            yield block
