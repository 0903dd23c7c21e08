"""As much HTTP/1.1 as the local server needs, over an asyncio connection.

h11 reads the requests. The answers are written here, because some tests need
a broken answer, and h11 refuses to write one.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11

MAX_HEAD = 64 * 1024
MAX_BODY = 32 * 1024 * 1024
_READ = 64 * 1024


class BadRequestError(Exception):
    """The client's request is not valid; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClientGoneError(Exception):
    """The client closed its side."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    version: str

    @property
    def keep_alive(self) -> bool:
        connection = self.headers.get("connection", "").lower()
        return connection != "close" if self.version == "HTTP/1.1" else connection == "keep-alive"

    def json(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Connection:
    """One accepted connection. It also reads, and keeps, what comes during an answer, so that a close is noticed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = bytearray()
        """Bytes that were read and not parsed."""
        # Without a buffer, what is counted as sent has been given to the kernel.
        writer.transport.set_write_buffer_limits(0)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def request(self) -> HttpRequest | None:
        """The next request, or None if the client has closed the connection.

        Raises `BadRequestError`, and `ClientGoneError` if the client closed in the middle of a request.
        """
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        try:
            return await self._read(http)
        except h11.RemoteProtocolError as error:
            raise BadRequestError(error.error_status_hint, f"expected an HTTP/1.1 request: {error}") from None
        finally:
            self._received[:0] = http.trailing_data[0]

    async def wait_closed(self) -> None:
        """Return as soon as the client has closed its side, or has sent much more than it should."""
        while len(self._received) <= MAX_HEAD and await self._fill():
            pass

    async def read(self) -> bytes:
        """The next bytes, none at the end: for a connection that speaks another protocol from now on."""
        if not self._received:
            await self._fill()
        data = bytes(self._received)
        self._received.clear()
        return data

    async def send(self, data: bytes | bytearray) -> None:
        """Give the bytes to the kernel. Raises `ClientGoneError` if the connection is closed."""
        if self._writer.transport.is_closing():
            raise ClientGoneError
        self._writer.write(bytes(data))
        try:
            await self._writer.drain()
        except ConnectionError:
            raise ClientGoneError from None

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        no_linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._writer.transport.abort()

    async def _read(self, http: h11.Connection) -> HttpRequest | None:
        head: h11.Request | None = None
        body = bytearray()
        begun = False
        while True:
            if self._received:
                begun = True
                http.receive_data(bytes(self._received))
                self._received.clear()
            event = http.next_event()
            if isinstance(event, h11.Request):
                head = event
                if not head.http_version.startswith(b"1."):
                    raise BadRequestError(505, f"expected HTTP/1, got HTTP/{head.http_version.decode()}")
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY:
                    raise BadRequestError(413, f"expected a body of at most {MAX_BODY} bytes, got more")
            elif isinstance(event, h11.EndOfMessage):
                assert head is not None  # h11 tells of a request before it tells of its end
                return _request(head, bytes(body))
            else:
                if http.they_are_waiting_for_100_continue:
                    await self.send(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                if not await self._fill():
                    if begun:
                        raise ClientGoneError
                    return None

    async def _fill(self) -> bool:
        try:
            data = await self._reader.read(_READ)
        except ConnectionError:
            return False
        self._received += data
        return bool(data)


def _request(head: h11.Request, body: bytes) -> HttpRequest:
    url = urlsplit(head.target.decode("latin-1"))
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    version = f"HTTP/{head.http_version.decode()}"
    return HttpRequest(head.method.decode(), unquote(url.path), dict(parse_qsl(url.query)), headers, body, version)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes, missing: int = 0) -> bytes:
    """One HTTP chunk. The length in it is `missing` bytes more than the chunk holds."""
    closing = b"" if missing else b"\r\n"
    return b"%x\r\n%b%b" % (len(data) + missing, data, closing)


LAST_CHUNK = b"0\r\n\r\n"
