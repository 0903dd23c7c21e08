"""One WebSocket: bytes of the connection <-> messages.

`websockets` has the protocol without I/O; the bytes are read and written here, on the connection of the HTTP client.
So one implementation serves asyncio and trio, and proxies, TLS and the login are those of HTTP.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio
from websockets.exceptions import InvalidState, PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from rxstream.errors import DisconnectedError, FrameTooLargeError, ProtocolError, RxStreamError
from rxstream.errors._redaction import one_line
from rxstream.transport.http._answer import HttpAnswer
from rxstream.transport.http._failures import amid_answer, too_slow
from rxstream.transport.http._idle import ReadTimeout, ReadTimeoutError
from rxstream.transport.websocket._socket_end import NORMAL, SocketEnd

_READ = 64 * 1024
_READ_AHEAD = 256 * 1024
"""Bytes of messages that are read, so that pings are answered, while the subscriber is paused."""
_CLOSE_SECONDS = 0.1
"""Seconds to send a Close frame. The other side's is not waited for."""

_quiet = logging.Logger("rxstream.websocket", logging.CRITICAL)
"""Without it `websockets` logs each message at DEBUG, with prompts and answers."""

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class Socket:
    """An open WebSocket. One response at a time is read from it."""

    def __init__(self, answer: HttpAnswer, stream: Any, *, max_frame_bytes: int) -> None:
        self.answer = answer
        self._stream = stream
        self._max = max_frame_bytes
        self._protocol = Protocol(Side.CLIENT, max_size=max_frame_bytes, logger=_quiet)
        self._fragments = bytearray()
        """The beginning of a message that comes in several frames."""
        self._messages: deque[bytes] = deque()
        """Whole messages that no response has taken."""
        self._waiting = 0
        """Bytes in `_messages`."""
        self._received = 0
        """Bytes that were read, ever."""
        self._received_before = 0
        """Of them, those before the response that is read."""
        self._eof = False
        self._failure: RxStreamError | None = None
        """Why nothing more can be read, if the other side did not close it."""
        self._reads = anyio.Lock(fast_acquire=True)
        self._writes = anyio.Lock(fast_acquire=True)
        self._is_read = False
        """Whether a response waits for a message."""
        self._background_read: anyio.CancelScope | None = None
        self._idle = anyio.Event()
        """Set while no response uses it."""
        self.closed = False
        self.response_id: str | None = None
        """The last response on it. A server may keep its state with the connection alone."""

    @property
    def usable(self) -> bool:
        """Whether another response can be requested on it."""
        return not (self.closed or self._ended)

    @property
    def bytes_read(self) -> int:
        """Bytes that were read since the response began, with the heads of their frames."""
        return self._received - self._received_before

    @property
    def _ended(self) -> bool:
        protocol = self._protocol
        return self._eof or self._failure is not None or protocol.state is not OPEN or protocol.parser_exc is not None

    # ------------------------------------------------------------------ for one response

    def begin(self) -> None:
        """A response uses it from now on. What came after the last one belongs to nothing."""
        self._idle = anyio.Event()
        self._messages.clear()
        self._waiting = 0
        self._received_before = self._received

    def release(self) -> None:
        """No response uses it."""
        self._idle.set()

    async def send(self, message: bytes, seconds: float | None) -> None:
        """Send a message, of which a piece has to go every so many seconds. Raises: TransportError."""
        try:
            self._protocol.send_text(message)
        except InvalidState:
            raise self.end.error(self.answer.where, self.answer.request_id, answered=False) from None
        await self._flush(seconds)

    async def receive(self, limit: ReadTimeout, seconds: float | None) -> Sequence[bytes]:
        """The messages that came together; none where the other side has closed it.

        Raises: IdleTimeoutError, DisconnectedError, ProtocolError, FrameTooLargeError.
        """
        self._is_read = True
        try:
            while not self._messages:
                if self._ended:
                    self._raise_failure()
                    return []
                await self._read(limit, seconds)
        finally:
            self._is_read = False
        messages, self._messages, self._waiting = self._messages, deque(), 0
        return messages

    @property
    def end(self) -> SocketEnd:
        """How the other side has closed it."""
        close = self._protocol.close_rcvd
        return SocketEnd() if close is None else SocketEnd(close.code, close.reason)

    async def aclose(self) -> None:
        """Close it, now."""
        if self.closed:
            return
        self.closed = True
        self._idle.set()
        if self._background_read is not None:
            self._background_read.cancel()
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_CLOSE_SECONDS):
                if self._protocol.state is OPEN and not self._writes.locked():
                    self._protocol.send_close(NORMAL)
                    await self._flush_quietly()
            await self.answer.aclose()

    # ------------------------------------------------------------------ between responses, and in pauses

    async def keep(self, seconds: float) -> None:
        """Answer pings while no response is read, and notice a close and a dead connection. Runs until it is closed.

        After `seconds` without a byte a ping is sent; after as many more without one the connection is given up.
        """
        pinged, received = False, 0
        while self.usable:
            with anyio.move_on_after(seconds) as quiet:
                if self._idle.is_set() or (not self._is_read and self._waiting < _READ_AHEAD):
                    await self._read_in_background()
                elif not self._is_read:
                    await anyio.sleep(seconds)
                else:
                    await self._idle.wait()
            if not quiet.cancelled_caught:
                continue
            if self._received != received or self._waiting >= _READ_AHEAD:
                pinged, received = False, self._received
            elif pinged:
                self._failure = DisconnectedError(
                    f"{self.answer.where} has not answered a ping for {seconds:g} s: try again",
                    request_id=self.answer.request_id,
                )
                break
            else:
                pinged = True
                try:
                    self._protocol.send_ping(b"")
                    await self._flush()
                except (InvalidState, RxStreamError):
                    break
        await self.aclose()

    async def _read_in_background(self) -> None:
        """Read once, until a response wants to read."""
        data: bytes | None = None
        try:
            with anyio.CancelScope() as self._background_read:
                async with self._reads:
                    try:
                        data = await self._stream.read(_READ, None)
                    except Exception as error:
                        self._failure = amid_answer(error, self.answer.where, None, self.answer.request_id)
                    if data is not None:
                        self._feed(data)
        finally:
            self._background_read = None
        if data is not None:
            await self._flush_quietly()

    # ------------------------------------------------------------------ bytes

    async def _read(self, limit: ReadTimeout, seconds: float | None) -> None:
        if self._background_read is not None:
            self._background_read.cancel()
        async with self._reads:
            if self._messages or self._ended:  # the background has read them
                return
            failure: RxStreamError | None = None
            try:
                with limit.read:
                    self._feed(await self._stream.read(_READ, None))
            except ReadTimeoutError:
                failure = too_slow(self.answer.where, seconds, self.answer.request_id)
            except Exception as error:
                failure = amid_answer(error, self.answer.where, seconds, self.answer.request_id)
        if failure is not None:
            self._failure = self._failure or failure
            return
        await self._flush_quietly()

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        if data:
            self._protocol.receive_data(data)
        else:
            self._eof = True
            self._protocol.receive_eof()
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame) or frame.opcode not in _DATA:
                continue
            if not frame.fin:
                self._fragments += frame.data
                continue
            message = bytes(self._fragments + frame.data if self._fragments else frame.data)
            self._fragments.clear()
            self._messages.append(message)
            self._waiting += len(message)

    async def _flush(self, seconds: float | None = None) -> None:
        async with self._writes:
            for data in self._protocol.data_to_send():
                if not data:  # the end of the stream, which follows with `aclose`
                    continue
                failure: RxStreamError | None = None
                try:
                    await self._stream.write(data, seconds)
                except Exception as error:
                    failure = amid_answer(error, self.answer.where, seconds, self.answer.request_id)
                if failure is not None:
                    raise failure

    async def _flush_quietly(self) -> None:
        """Send what answers the other side: pongs. Where that fails, reading shows why."""
        with suppress(RxStreamError):
            await self._flush()

    def _raise_failure(self) -> None:
        """Raise why nothing more can be read, unless the other side has closed it."""
        if self._failure is not None:
            raise self._failure
        broken = self._protocol.parser_exc
        if broken is None or isinstance(broken, EOFError):
            return
        if isinstance(broken, PayloadTooBig):
            raise FrameTooLargeError(
                f"a message is larger than max_frame_bytes={self._max}: raise it if such events are expected",
                request_id=self.answer.request_id,
            )
        raise ProtocolError(
            f"{self.answer.where} broke the protocol of WebSockets: {one_line(str(broken), 200)}",
            request_id=self.answer.request_id,
        )
