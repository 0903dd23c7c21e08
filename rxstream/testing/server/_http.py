"""The part of HTTP/1.1 that the local server needs, over an asyncio connection."""

import asyncio
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

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
        self._early = bytearray()
        # Without a buffer, what is counted as sent has been given to the kernel.
        writer.transport.set_write_buffer_limits(0)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def request(self) -> HttpRequest | None:
        """The next request, or None where the client has closed the connection.

        Raises `BadRequestError`; `ClientGoneError` where it closed in the middle of a request.
        """
        while (end := self._early.find(b"\r\n\r\n")) < 0:
            if len(self._early) > MAX_HEAD:
                raise BadRequestError(431, "The head of the request is too large.")
            if not await self._fill():
                if self._early:
                    raise ClientGoneError
                return None
        first, *lines = bytes(self._take(end + 4)[:-4]).decode("latin-1").split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequestError(400, "Expected an HTTP/1 request.")
        method, target, version = words
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urlsplit(target)
        body = await self._body(headers)
        return HttpRequest(method, unquote(url.path), dict(parse_qsl(url.query)), headers, body, version)

    async def gone(self) -> None:
        """Return as soon as the client has closed its side, or has sent much more than it should."""
        while len(self._early) <= MAX_HEAD and await self._fill():
            pass

    async def send(self, data: bytes | bytearray) -> None:
        """Give the bytes to the kernel. Raises `ClientGoneError` where the connection is closed."""
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

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunked_body()
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            raise BadRequestError(400, "Content-Length must be a number.") from None
        return await self._exactly(length)

    async def _chunked_body(self) -> bytes:
        body = bytearray()
        while True:
            while (end := self._early.find(b"\r\n")) < 0:
                if len(self._early) > MAX_HEAD or not await self._fill():
                    raise ClientGoneError
            try:
                size = int(self._take(end + 2).split(b";")[0], 16)
            except ValueError:
                raise BadRequestError(400, "The length of a chunk must be a number.") from None
            body += (await self._exactly(size + 2))[:-2]
            if len(body) > MAX_BODY:
                raise BadRequestError(413, "The body is too large.")
            if size == 0:
                return bytes(body)

    async def _exactly(self, length: int) -> bytes:
        if not 0 <= length <= MAX_BODY:
            raise BadRequestError(413, "The body is too large.")
        while len(self._early) < length:
            if not await self._fill():
                raise ClientGoneError
        return bytes(self._take(length))

    def _take(self, length: int) -> bytearray:
        taken = self._early[:length]
        del self._early[:length]
        return taken

    async def _fill(self) -> bool:
        try:
            data = await self._reader.read(_READ)
        except ConnectionError:
            return False
        self._early += data
        return bool(data)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A status line and headers."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode("latin-1")


def chunk(data: bytes, missing: int = 0) -> bytes:
    """One HTTP chunk; its length is `missing` bytes more than it holds."""
    closing = b"" if missing else b"\r\n"
    return b"%x\r\n%b%b" % (len(data) + missing, data, closing)


LAST_CHUNK = b"0\r\n\r\n"
