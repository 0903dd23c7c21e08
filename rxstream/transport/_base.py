"""What a transport is: it opens a wire for a request, and Frames come over the wire."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rxstream.sse import Frame


@dataclass(frozen=True, slots=True)
class Request:
    """A request, without the base URL and the key."""

    method: str
    path: str
    """Below the base URL, such as `/responses`. Ids in it have to be percent-encoded."""
    # A repr ends in logs, so it shows neither prompts nor keys.
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    params: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    timeout: float | None = None
    """Seconds to connect, and seconds without a single byte; None: those of the transport."""
    time_limits: Mapping[str, float | None] = field(default_factory=dict[str, float | None])
    """`connect` and `idle`, where they are not the same; a missing one is `timeout`, and None: no limit."""

    def limit(self, name: Literal["connect", "idle"], default: float | None) -> float | None:
        """Its seconds for one of them. `default`: those of the transport."""
        return self.time_limits.get(name, default if self.timeout is None else self.timeout)


class Wire:
    """An open connection. Iterate it once: each step gives the Frames that arrived together, at least one.

    The iteration ends where the body ended as HTTP wants it, and raises a `TransportError` or a `ProtocolError` where
    it did not.
    """

    __slots__ = ("_batches", "_bytes_read", "headers", "request_id", "status")

    def __init__(
        self,
        batches: AsyncIterator[Sequence[Frame]],
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        request_id: str | None = None,
        bytes_read: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._batches = batches
        self._bytes_read = bytes_read
        self.status = status
        self.headers: Mapping[str, str] = headers or {}
        """The headers of the answer, names in lower case."""
        self.request_id = request_id
        """The server's id of the request (`x-request-id`), for its support."""

    @property
    def bytes_read(self) -> int | None:
        """How many decompressed bytes of the body have been read; None where the transport does not count them."""
        return self._bytes_read()

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self._batches


class Transport(Protocol):
    """How Frames arrive. Knows neither events nor Rx, and runs on asyncio and on trio."""

    def open(self, request: Request) -> AbstractAsyncContextManager[Wire]:
        """Send `request` on entering, and close the wire at once on leaving, also when cancelled.

        One call is one request; nothing is repeated or shared.

        Raises (from entering, or from the iteration):
            TransportError: the connection failed, or the server answered with an HTTP error.
            ProtocolError: the answer is not an event stream, or a Frame is too large.
        """
        ...
