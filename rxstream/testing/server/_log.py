"""The log of the local server: a record for each request, and ways to wait for them without sleeping."""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import anyio


@dataclass(slots=True)
class Exchange:
    """One request and its answer. The server updates it while the answer is sent."""

    number: int
    """The number of the request, from 1."""
    connection: int
    """The number of its connection, from 1."""
    method: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    json: Any = field(repr=False)
    """The body, if it is JSON."""
    status: int | None = None
    """The HTTP status that was sent. None until then."""
    events_sent: int = 0
    """Frames of the stream that were given to the socket."""
    bytes_sent: int = 0
    """Bytes of the body that were given to the socket."""
    finished: bool = False
    """The server has sent the whole answer. It is set before the last bytes are sent."""
    closed_by_client: bool = False
    """The client closed its connection before the answer was finished."""
    opened_at: float = field(default_factory=time.monotonic, repr=False)
    ended_at: float | None = field(default=None, repr=False)
    """When it was over, by `time.monotonic()`. To wait for that, use `wait_over`."""

    @property
    def over(self) -> bool:
        """It was finished, or closed by the client, or cut when the server closed."""
        return self.ended_at is not None


class ExchangeLog:
    """The records of the last `limit` requests; safe from any thread."""

    def __init__(self, limit: int) -> None:
        self._records: deque[Exchange] = deque(maxlen=limit)
        self._changed = threading.Condition()
        self._requests = self._closed = self._ended = 0

    def records(self) -> list[Exchange]:
        with self._changed:
            return list(self._records)

    def add(
        self,
        connection: int,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        json: Any,
    ) -> Exchange:
        with self._changed:
            self._requests += 1
            exchange = Exchange(self._requests, connection, method, path, query, headers, json)
            self._records.append(exchange)
            self._changed.notify_all()
        return exchange

    @contextmanager
    def change(self) -> Generator[None]:
        """For changing a record. At the end of the block all waits check their condition again."""
        with self._changed:
            yield
            self._changed.notify_all()

    def end(self, exchange: Exchange, *, finished: bool = False, closed_by_client: bool = False) -> None:
        """Record how an exchange ended; only the first call counts."""
        with self.change():
            if exchange.ended_at is not None:
                return
            exchange.finished, exchange.closed_by_client = finished, closed_by_client
            exchange.ended_at = time.monotonic()
            self._ended += 1
            self._closed += closed_by_client

    def has_requests(self, n: int) -> Callable[[], bool]:
        return lambda: self._requests >= n

    def has_closed(self, n: int) -> Callable[[], bool]:
        return lambda: self._closed >= n

    def has_ended(self, n: int) -> Callable[[], bool]:
        return lambda: self._ended >= n

    def wait(self, expected: str, holds: Callable[[], bool], timeout: float) -> list[Exchange]:
        """Block until `holds`. Raises `TimeoutError` with the last records."""
        with self._changed:
            if not self._changed.wait_for(holds, timeout):
                raise TimeoutError(self._describe(expected, timeout))
            return list(self._records)

    async def until(self, expected: str, holds: Callable[[], bool], timeout: float) -> list[Exchange]:  # noqa: ASYNC109
        """Wait like `wait`, without blocking the caller's loop, asyncio's or trio's."""
        deadline = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(self._describe(expected, timeout))
            await anyio.sleep(0.002)  # a check is cheap, and a thread that waits would outlive the test
        return self.records()

    def _describe(self, expected: str, timeout: float) -> str:
        last = list(islice(reversed(self._records), 5))[::-1]
        lines = "".join(f"\n  {record}" for record in last)
        return (
            f"expected {expected} within {timeout:g} s, got {self._requests} requests, {self._ended} over, "
            f"{self._closed} closed by the client{lines}"
        )
