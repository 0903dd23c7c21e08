"""Frames from memory."""

import copy
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager

import anyio.lowlevel

from rxstream.sse import Decoder, Frame
from rxstream.transport._base import Request, Wire


class MemoryTransport:
    """Answers every request with the same Frames.

        >>> transport = MemoryTransport([Frame(data="{}")], error=DisconnectedError("cut"), after=1)

    Args:
        content: Frames, sequences of Frames (which then arrive together), or the bytes of an event stream, whole or
            in pieces (Frames that a piece completes arrive together).
        error: raised at the end.
        after: how many Frames come before the error; None: all. With 0 no wire opens at all, as with a `StatusError`.
        times: how many requests fail before the others succeed; None: every one.
        request_id: the wire's `request_id`.

    For tests it keeps `requests`, in order, and counts the wires that are open now in `open_wires`.
    """

    def __init__(
        self,
        content: bytes | Iterable[Frame | Sequence[Frame] | bytes],
        *,
        error: Exception | None = None,
        after: int | None = None,
        times: int | None = None,
        request_id: str | None = None,
    ) -> None:
        if after is not None and after < 0:
            raise ValueError(f"after must be 0 or more, got {after}")
        self._batches = list(_batches([content] if isinstance(content, bytes) else content))
        self._error = error
        self._after = after
        self._times = times
        self._request_id = request_id
        self.requests: list[Request] = []
        self.open_wires = 0

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Open a wire that gives the Frames. See `Transport.open`."""
        self.requests.append(request)
        fails = self._error is not None and (self._times is None or len(self.requests) <= self._times)
        await anyio.lowlevel.checkpoint()
        # a copy for each request, because notes and fields may be added to it
        error = copy.copy(self._error) if fails else None
        if error is not None and self._after == 0:
            raise error
        self.open_wires += 1
        try:
            async with aclosing(self._arrive(error)) as batches:
                yield Wire(batches, status=200, request_id=self._request_id)
        finally:
            self.open_wires -= 1

    async def _arrive(self, error: Exception | None) -> AsyncGenerator[Sequence[Frame], None]:
        left = self._after if error is not None else None
        for batch in self._batches:
            await anyio.lowlevel.checkpoint()
            if left is not None:
                batch = batch[:left]
                left -= len(batch)
            if batch:
                yield batch
            if left == 0:
                break
        if error is not None:
            raise error


def _batches(content: Iterable[Frame | Sequence[Frame] | bytes]) -> Iterable[Sequence[Frame]]:
    decoder = Decoder(at_eof="whole_json")
    for part in content:
        if isinstance(part, bytes):
            yield decoder.feed(part)
        elif isinstance(part, Frame):
            yield [part]
        else:
            yield list(part)
    yield decoder.close()
