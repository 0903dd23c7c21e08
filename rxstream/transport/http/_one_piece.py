"""A body that is there already."""

from __future__ import annotations

from collections.abc import AsyncIterator


class OnePiece(AsyncIterator[bytes]):
    """An async iterator of one value. It is not a generator, so it may be left unfinished."""

    def __init__(self, value: bytes) -> None:
        self._left = [value]

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()
