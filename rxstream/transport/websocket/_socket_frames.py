"""One response on a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import anyio

from rxstream.errors import (
    ConnectError,
    ConnectionLimitError,
    DisconnectedError,
    ProtocolError,
    RxStreamError,
    TransportError,
)
from rxstream.sse import Frame
from rxstream.transport.http._idle import ReadTimeout
from rxstream.transport.websocket._messages import (
    CONNECTION_LIMIT,
    LastMessage,
    last_message,
    response_begun,
    steer_message,
)
from rxstream.transport.websocket._socket import Socket
from rxstream.transport.websocket._socket_end import NORMAL
from rxstream.transport.websocket._steering import Steering

_REASON_SECONDS = 1.0
"""Seconds to look for the message or the code of a server that has closed before the request was sent."""

_STEER_SECONDS = 1.0
"""Seconds to wait, after the end of a response, for the answer to input that was sent shortly before."""


class SocketFrames:
    """The Frames of one response, up to the message that ends it; if it is steered, those of its successors too."""

    def __init__(self, socket: Socket, idle_timeout: float | None) -> None:
        """Must be called on the loop; `close` it where no read will follow."""
        self._socket = socket
        self._seconds = idle_timeout
        self._timeout = ReadTimeout(idle_timeout)
        self._first: Sequence[Frame] | None = None
        """What has come before the iteration."""
        self._reading = False
        """Whether a read has begun and not ended: it waits, it failed, or there will be none."""
        self._failure: RxStreamError | None = None
        """What the next read raises."""
        self._ended = False
        self.last: LastMessage | None = None
        """How the response has ended; None: it has not, or the connection has."""
        self.response_id: str | None = None
        """Of the response that runs."""
        self._steering = Steering()

    @property
    def leaves_usable(self) -> bool:
        """Whether the next response can be requested on the same socket.

        After an error that no server names as the last message, more may follow, and would be read as the next
        response.
        """
        last = self.last
        is_last = last is not None and (not last.is_error or last.status is not None)
        return is_last and self._socket.usable and not self._steering.open

    async def start(self, message: bytes) -> None:
        """Send the request, and wait for the first message.

        Raises: ConnectError, IdleTimeoutError, ProtocolError; ConnectionLimitError, StatusError (also
        PreviousResponseNotFoundError): that message is an error.
        """
        socket = self._socket
        where, request_id = socket.answer.where, socket.answer.request_id
        failure: TransportError | None = None
        try:
            await socket.send(message, self._seconds)
        except TransportError as error:
            failure = error
        try:
            with anyio.move_on_after(None if failure is None else _REASON_SECONDS):
                self._first = await self._next()
        except ConnectionLimitError:
            raise
        except DisconnectedError as error:
            failure = failure or error
        if self._first is None and failure is None:
            raise socket.end.error(where, request_id, answered=False)
        if self._first is None:
            raise ConnectError(
                f"{where} closed the connection before it answered: {str(failure).rstrip('.')}; try again",
                request_id=request_id,
            )
        last = self.last
        if last is not None and last.status is not None and len(self._first) == 1:
            raise socket.answer.status_error(self._first[0].data.encode("utf-8", "replace"), last.status, last.headers)

    async def steer(self, items: Any) -> Mapping[str, Any]:
        """Send input for the response that runs; return the event by which the server accepts it.

        Raises: SteerFailedError, TransportError.
        """
        answer = self._steering.sent()
        try:
            await self._socket.send(steer_message(self.response_id or "", items), self._seconds)
        except BaseException:
            self._steering.forget(answer)
            raise
        return await answer.wait()

    async def settle(self) -> None:
        """Wait for answers to input that was sent in the moment in which the response ended."""
        if self.last is None or not self._steering.waits_for_answer:
            return
        self._reading = False  # leaving the stream has cancelled a read, which loses nothing
        with anyio.move_on_after(_STEER_SECONDS):
            while self._steering.waits_for_answer and await self._next() is not None:
                pass

    def close(self) -> None:
        self._timeout.close()
        self._reading = True
        self._steering.lost(self._socket.answer.request_id)

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._ended or (self.last is not None and not self._steering.open):
            raise StopAsyncIteration
        frames = await self._next()
        if frames is None:
            self._ended = True
            socket = self._socket
            if socket.end.code != NORMAL:
                raise socket.end.error(socket.answer.where, socket.answer.request_id, answered=True)
            raise StopAsyncIteration
        return frames

    async def _next(self) -> Sequence[Frame] | None:
        """The Frames that came together; None where the server has closed the socket."""
        if self._failure is not None:
            raise self._failure
        request_id = self._socket.answer.request_id
        if self._reading:  # a read that was cancelled, or a wire that was left, is not the end of the response
            raise DisconnectedError("an earlier read of this wire failed, or it was left", request_id=request_id)
        self._reading = True
        messages = await self._socket.receive(self._timeout, self._seconds)
        self._reading = False
        frames: list[Frame] = []
        for message in messages:
            try:
                text = str(message, "utf-8")
            except UnicodeDecodeError:
                self._failure = ProtocolError(
                    f"expected messages in UTF-8 from {self._socket.answer.where}, got other bytes: "
                    "it is the server's mistake, so report it",
                    request_id=request_id,
                )
                break
            last = last_message(text)
            if last is not None and last.code == CONNECTION_LIMIT:
                self._failure = ConnectionLimitError(
                    f"{self._socket.answer.where} has ended the WebSocket, because it has been open for as long as it "
                    "may: ask again, and another one is opened",
                    request_id=request_id,
                )
                break
            frames.append(Frame(data=text))
            if self._steering.used or self.response_id is None:
                begun = self._steering.feed(text) if self._steering.used else response_begun(text)
                if begun is not None:
                    self.response_id, self.last = begun, None
            if last is not None:
                self.last, self._socket.response_id = last, last.response_id
                if not self._steering.open:
                    break
        if self._failure is not None and not frames:
            raise self._failure
        return frames or None
