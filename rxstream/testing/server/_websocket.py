"""The WebSocket mode of the local server: each message asks for an answer, one after the other, or steers one.

A response that is steered ends behind its next item, and the next answer of the script is its successor.

`websockets` reads the messages and makes the frames. The deliberate breaking of them is ours.
"""

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, cast

from rxstream.testing.answers._answer import Answer, JsonDict, ReceivedRequest, Reply, compact, data_in
from rxstream.testing.server._http import MAX_BODY, ClientGoneError, Connection, HttpRequest, head
from rxstream.testing.server._log import Exchange, ExchangeLog
from rxstream.testing.server._sender import times_of_frames
from rxstream.testing.server._steering import RunningResponse, items_of

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_LAST = ("error", "response.completed", "response.failed", "response.incomplete")
_NORMAL = 1000

_quiet = logging.Logger("rxstream.testing", logging.CRITICAL)
"""Without it `websockets` logs each message at DEBUG, and a test for prompts in the log would find them."""

CutResponse = Callable[[str, list[JsonDict]], object]
"""Told the id and the items of a response that is cut."""

DecideAnswer = Callable[[JsonDict], Reply | tuple[Answer, ReceivedRequest]]


def is_upgrade(request: HttpRequest) -> bool:
    """Whether a request asks for a WebSocket."""
    headers = request.headers
    return request.method == "GET" and headers.get("upgrade", "").lower() == "websocket"


class SocketConversation:
    """One WebSocket of the local server. Its messages are recorded in the log, with the method `WEBSOCKET`."""

    def __init__(
        self,
        connection: Connection,
        request: HttpRequest,
        number: int,
        decide: DecideAnswer,
        cut: CutResponse,
        log: ExchangeLog,
        pace: Callable[[], float | None],
        patience: float,
    ) -> None:
        from websockets.protocol import Protocol, Side  # an extra, which only this needs

        self._connection = connection
        self._request = request
        self._number = number
        self._decide = decide
        self._cut = cut
        self._log = log
        self._pace = pace
        self._patience = patience
        self._protocol = Protocol(Side.SERVER, max_size=MAX_BODY, logger=_quiet)
        self._messages: asyncio.Queue[Any] = asyncio.Queue()
        """The JSON of each message that was not answered yet."""
        self._open = True
        self._running: RunningResponse | None = None
        self._steered = asyncio.Event()
        self._steers = 0
        self._waiting_inputs: dict[str, list[Any]] = {}
        """The inputs for responses whose calls the client has to answer first."""

    async def run(self) -> None:
        """Shake hands, and answer until one side closes."""
        nonce = self._request.headers.get("sec-websocket-key", "").encode()
        accept = base64.b64encode(hashlib.sha1(nonce + _GUID).digest()).decode()
        upgrade = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept}
        await self._connection.send(head(101, {**upgrade, "x-request-id": f"req_{self._number:032x}"}))
        reading = asyncio.ensure_future(self._read())
        try:
            while self._open:
                body = await self._next(reading)
                if body is None:
                    return
                await self._exchange(body, reading)
        finally:
            reading.cancel()
            await asyncio.wait((reading,))

    async def _next(self, reading: "asyncio.Future[None]") -> Any:
        """The next message; None where the client has closed, or sends nothing."""
        getting = asyncio.ensure_future(self._messages.get())
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.wait((getting, reading), return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else None
        finally:
            getting.cancel()

    async def _read(self) -> None:
        from websockets.frames import Opcode

        parts: list[bytes] = []
        while data := await self._connection.read():
            self._protocol.receive_data(data)
            for frame in cast("list[Any]", self._protocol.events_received()):
                if frame.opcode in (Opcode.TEXT, Opcode.CONT):
                    parts.append(bytes(frame.data))
                    if frame.fin:
                        self._receive(_json_of(b"".join(parts)))
                        parts.clear()
            await self._flush()
            if self._protocol.close_rcvd is not None or self._protocol.parser_exc is not None:
                return

    def _receive(self, message: Any) -> None:
        if self._running is not None and _is_steer(message):
            self._running.arrived.append(message)
            self._steered.set()
        else:
            self._messages.put_nowait(message)

    async def _exchange(self, body: Any, reading: "asyncio.Future[None]") -> None:
        request = self._request
        record = self._log.add(self._number, "WEBSOCKET", request.path, request.query, request.headers, body)
        answering = asyncio.ensure_future(self._answer(body, record))
        try:
            await asyncio.wait((answering, reading), return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self._open = False
                self._log.end(record, closed_by_client=True)
                return
            answering.result()
            self._log.end(record, finished=True)
        except ClientGoneError:
            self._open = False
            self._log.end(record, closed_by_client=True)
        finally:
            answering.cancel()
            await asyncio.wait((answering,))
            self._log.end(record)

    async def _answer(self, body: Any, record: Exchange) -> None:
        if _is_steer(body):
            await self._answer_steer(RunningResponse({}), body, record)
            return
        if isinstance(body, dict):
            fields = cast(JsonDict, body)
            queued = self._waiting_inputs.pop(str(fields.get("previous_response_id")), None)
            body = {**fields, "input": [*queued, *items_of(fields.get("input"))]} if queued else fields
        reply: Reply | tuple[Answer, ReceivedRequest] = self._decide(body)
        with self._log.change():
            record.status = reply.status if isinstance(reply, Reply) else 200
        if isinstance(reply, Reply):
            await self._send_reply(reply, record)
        else:
            running: RunningResponse | None = RunningResponse(cast(JsonDict, body))
            while running is not None:
                self._running = running
                await self._send_answer(*reply, record, running)
                running = await self._after(running, record)
                if running is not None:
                    reply = self._decide(running.body)
                    if isinstance(reply, Reply):
                        await self._send_reply(reply, record)
                        return

    async def _send_reply(self, reply: Reply, record: Exchange) -> None:
        if reply.silent:
            await self._hang()
        elif reply.verbatim:
            self._open = False
            await self._send(reply.body, record, events=0, last=True)
        else:
            error = _error_event(reply)
            await self._send(self._frame(compact(error)), record, events=1, last=True)
            if error["error"].get("code") == "websocket_connection_limit_reached":
                await self._close(_NORMAL)

    async def _after(self, running: RunningResponse, record: Exchange) -> RunningResponse | None:
        """What follows a response: its successor, if input was accepted."""
        while running.arrived:
            await self._answer_steer(running, running.arrived.popleft(), record)
        self._running = None
        pending = running.pending()
        for event in pending:
            await self._send(self._frame(compact(event)), record, events=1)
        if pending:
            self._waiting_inputs[running.id] = running.inputs
        successor = None if pending or not self._open else running.successor()
        return RunningResponse(successor) if successor is not None else None

    async def _answer_steer(self, running: RunningResponse, message: JsonDict, record: Exchange) -> None:
        request = self._request
        own = record
        if record.json is not message:
            own = self._log.add(self._number, "WEBSOCKET", request.path, request.query, request.headers, message)
        self._steers += 1
        await self._send(self._frame(compact(running.answer(message, f"steer_{self._steers}"))), own, events=1)
        if own is not record:
            self._log.end(own, finished=True)

    async def _wait(self, seconds: float, running: RunningResponse, record: Exchange) -> None:
        """Wait for the time of the next event, and answer what comes meanwhile."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while True:
            while running.arrived:
                await self._answer_steer(running, running.arrived.popleft(), record)
            if clock() >= until:
                return
            self._steered.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._steered.wait(), until - clock())

    async def _send_answer(
        self, answer: Answer, request: ReceivedRequest, record: Exchange, running: RunningResponse
    ) -> None:
        time_of = times_of_frames(answer.pace if answer.pace is not None else self._pace())
        clock = asyncio.get_running_loop().time
        begun = clock()
        frames = answer.all_frames(request)
        last = ""
        for number, data in enumerate(_messages_of(islice(frames, answer.after))):
            await self._wait(begun + time_of(number) - clock() if time_of is not None else 0.0, running, record)
            ending = running.ending(data)
            if ending is not None:
                self._cut(running.id, running.output)
                await self._send(self._frame(compact(ending)), record, events=1)
                return
            last = data = running.note(data)
            ends = answer.after is None and _type_of(data) in _LAST
            await self._send(self._frame(data), record, events=1, last=ends)
            await asyncio.sleep(0)  # other connections may run
        part = self._frame(next(_messages_of(frames), ""))[: answer.plus or 9] if answer.after is not None else b""
        await self._end(answer, part, is_whole=_type_of(last) in _LAST)

    async def _end(self, answer: Answer, part: bytes, *, is_whole: bool) -> None:
        """End the response as the answer wants it. `part`: the first bytes of the frame that does not come."""
        if answer.ending == "eof" and is_whole:
            return
        self._open = False
        if answer.plus or answer.ending in ("chunk", "length"):
            await self._connection.send(part)
        if answer.ending == "hang":
            await self._hang()
        elif answer.ending == "rst":
            self._connection.reset()
        elif answer.ending == "eof" and not answer.plus:
            await self._close(_NORMAL)

    async def _close(self, code: int) -> None:
        self._open = False
        self._protocol.send_close(code)
        await self._flush()

    async def _hang(self) -> None:
        self._open = False
        await asyncio.sleep(self._patience)

    async def _send(self, frame: bytes, record: Exchange, *, events: int, last: bool = False) -> None:
        with self._log.change():  # before the bytes, so that a client that has read them finds them in the log
            record.events_sent += events
            record.bytes_sent += len(frame)
            record.finished = last
        await self._connection.send(frame)

    def _frame(self, text: str) -> bytes:
        from websockets.frames import Frame, Opcode

        return Frame(Opcode.TEXT, text.encode("utf-8", "surrogatepass")).serialize(mask=False)

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                await self._connection.send(data)


def _messages_of(frames: Iterator[bytes]) -> Iterator[str]:
    """The data of each frame of an event stream. Comments and `[DONE]` are none."""
    for frame in frames:
        data = data_in(frame)
        if data and data != "[DONE]":
            yield data


def _is_steer(message: Any) -> bool:
    return isinstance(message, dict) and cast(JsonDict, message).get("type") == "response.steer"


def _error_event(reply: Reply) -> JsonDict:
    """An HTTP error as the message that stands for it."""
    body = _json_of(reply.body)
    error: object = cast(JsonDict, body).get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        error = {"message": reply.body.decode("utf-8", "replace")}
    return {"type": "error", "status": reply.status, "error": error, "headers": dict(reply.headers)}


def _json_of(message: bytes) -> Any:
    try:
        return json.loads(message)
    except ValueError:
        return message.decode("utf-8", "replace")


def _type_of(data: str) -> object:
    event = _json_of(data.encode("utf-8", "replace")) if data else None
    return cast(JsonDict, event).get("type") if isinstance(event, dict) else None
