"""Bodies that are there already."""

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


class Pieces(OnePiece):
    """The same for a large value, in pieces of so many bytes."""

    def __init__(self, value: bytes, size: int) -> None:
        self._left = [value[start : start + size] for start in range(0, len(value), size)][::-1]
