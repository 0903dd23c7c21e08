"""Undo gzip and deflate, a bounded piece at a time.

Ours, because the decoders of httpx inflate whatever a chunk holds in one piece, without a limit.
"""

import zlib
from collections.abc import Iterator

_PIECE = 64 * 1024


class Inflate:
    """Decompress a body that is compressed although `identity` was requested.

    A small body may inflate to a huge one (1,000 times and more). So it is returned in pieces of at most 64 KiB, and
    the rest stays compressed until the next piece is requested.
    """

    def __init__(self, encoding: str) -> None:
        """`encoding`: `gzip`, `x-gzip` or `deflate`. Raises: ValueError for any other."""
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ValueError(f"content-encoding {encoding!r}")
        self._gzip = encoding != "deflate"
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16 if self._gzip else zlib.MAX_WBITS)
        self._first = True

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that `data` inflates to. Raises: zlib.error where it is not valid."""
        while True:
            if self._zlib.eof:
                # gzip may have several members; anything else that follows is padding
                if not self._gzip or not data.startswith(b"\x1f"):
                    return
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                piece = self._zlib.decompress(data, _PIECE)
            except zlib.error:
                if self._gzip or not self._first:
                    raise
                # Some servers send raw deflate, without the zlib header that RFC 9110 §8.4.1.2 asks for.
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
                piece = self._zlib.decompress(data, _PIECE)
            self._first = False
            data = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < _PIECE:  # after a full piece the decompressor may hold more
                return

    @property
    def whole(self) -> bool:
        """Whether the body could end here."""
        return self._first or self._zlib.eof
