"""Sends one answer of the local server: its head, its frames at their pace, and the end of the connection."""

import asyncio
from collections.abc import Callable, Sequence

from rxstream.testing.answers._answer import Answer, ReceivedRequest, Reply
from rxstream.testing.server._http import LAST_CHUNK, Connection, chunk, head
from rxstream.testing.server._log import Exchange, ExchangeLog

_BATCH = 16 * 1024


class Sender:
    """Sends the answer to one request, and updates its record."""

    def __init__(
        self, connection: Connection, wait_limit: float, record: Exchange | None = None, log: ExchangeLog | None = None
    ) -> None:
        self._connection = connection
        self._wait_limit = wait_limit
        self._record = record
        self._log = log
        self.usable = True
        """Whether the connection may carry another request."""

    async def send_reply(self, reply: Reply, *, close: bool = False) -> None:
        """Send a status and a body."""
        if reply.silent:
            await self._hang()
            return
        self.usable = not (close or reply.verbatim)
        if reply.verbatim:
            self._record_status(200)
            await self._send(reply.body, events=0, last=True)
            return
        self._record_status(reply.status)
        headers = {**self._headers(), "content-length": str(len(reply.body)), **reply.headers}
        await self._connection.send(head(reply.status, headers | ({"connection": "close"} if close else {})))
        await self._send(reply.body, events=0, last=True)

    async def send_stream(self, answer: Answer, request: ReceivedRequest, pace: float | None, *, http10: bool) -> None:
        """Send a stream of frames. Raises `ClientGoneError` if the client closed first."""
        chunked = answer.ending != "length" and not http10
        self.usable = chunked and answer.ending == "eof"
        headers = {**self._headers(), "content-type": "text/event-stream; charset=utf-8"}
        if chunked:
            headers["transfer-encoding"] = "chunked"
        elif answer.ending == "length":
            headers["content-length"] = str(sum(map(len, answer.sent_frames(request))) + 1)
        else:
            headers["connection"] = "close"
        self._record_status(200)
        await self._connection.send(head(200, headers))
        await self._send_frames(
            answer, request, times_of_frames(answer.pace if answer.pace is not None else pace), chunked
        )
        await self._end_connection(answer, chunked)

    async def _send_frames(
        self, answer: Answer, request: ReceivedRequest, time_of: Callable[[int], float] | None, chunked: bool
    ) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        batch, count = bytearray(), 0
        for number, frame in enumerate(answer.sent_frames(request)):
            if time_of is not None and (wait := begun + time_of(number) - clock()) > 0:
                await self._send(batch, events=count)
                batch, count = bytearray(), 0
                await asyncio.sleep(wait)
            batch += chunk(frame) if chunked else frame
            count += 1
            if len(batch) >= _BATCH:
                await self._send(batch, events=count)
                batch, count = bytearray(), 0
                await asyncio.sleep(0)  # other connections may run
        if chunked and answer.ending == "eof":
            batch += LAST_CHUNK
        await self._send(batch, events=count, last=answer.ending != "hang")

    async def _end_connection(self, answer: Answer, chunked: bool) -> None:
        if answer.ending == "hang":
            await self._hang()
        elif answer.ending == "rst":
            self._connection.reset()
        elif answer.ending == "chunk" and chunked:
            await self._connection.send(chunk(b"event: resp", missing=64))

    async def _send(self, data: bytes | bytearray, *, events: int, last: bool = False) -> None:
        # The record is updated first, so that a client that has read these bytes finds them in the log.
        if self._record is not None and self._log is not None:
            with self._log.change():
                self._record.events_sent += events
                self._record.bytes_sent += len(data)
                self._record.finished = last
        if data:
            await self._connection.send(data)

    async def _hang(self) -> None:
        self.usable = False
        await asyncio.sleep(self._wait_limit)

    def _record_status(self, status: int) -> None:
        if self._record is not None and self._log is not None:
            with self._log.change():
                self._record.status = status

    def _headers(self) -> dict[str, str]:
        return {"x-request-id": f"req_{self._record.number:032x}"} if self._record is not None else {}


def times_of_frames(pace: float | Sequence[float] | None) -> Callable[[int], float] | None:
    """A function from the number of a frame to its time, in seconds after the first. None means at once."""
    if pace is None:
        return None
    if isinstance(pace, int | float):
        return lambda number: number / pace
    times = list(pace)
    return (lambda number: times[min(number, len(times) - 1)]) if times else None
