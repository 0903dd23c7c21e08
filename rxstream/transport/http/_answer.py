"""One HTTP answer that is being read, from any HTTP client, and the errors that are made of it."""

import sys
import time
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from rxstream.errors import (
    ContentTypeError,
    DisconnectedError,
    PreviousResponseNotFoundError,
    ProtocolError,
    RxStreamError,
    StatusError,
)
from rxstream.errors._redaction import one_line
from rxstream.transport.http._error_body import message_and_code
from rxstream.transport.http._failures import amid_answer, body_is_gone, hook_took_body, is_wire_failure, too_slow
from rxstream.transport.http._idle import ReadTimeout, ReadTimeoutError
from rxstream.transport.http._inflate import Inflate
from rxstream.transport.http._one_piece import OnePiece

_BODY_KEPT = 1024
BODY_READ = 64 * 1024  # more of an error body is read than kept, so that its JSON is whole
BODY_SECONDS = 5.0
_STEPS_LEFT = 50_000
"""More pieces than a client can have read already: two reads of 64 KiB, in chunks of a byte, which take six."""

_CLOSE_SECONDS = 2.0
_MESSAGE_KEPT = 500

_ADVICE = {
    401: "check OPENAI_API_KEY or Session(api_key=…)",
    403: "this key has no permission: check its project, its permissions and the model",
    404: "check the model's name, ids, and that base_url is the one of a Responses API (many end in /v1)",
    408: "the server's time-out is over: try again",
    413: "send less input",
    429: "too many requests, or the quota is used up: wait, or look at the limits of your plan",
}


class HttpResponse(Protocol):
    """The part of `httpx.Response` that is used here."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def aiter_raw(self) -> AsyncIterator[bytes]: ...
    async def aclose(self) -> None: ...


class HttpAnswer:
    """The head of an answer, and its body piece by piece."""

    def __init__(self, response: HttpResponse, *, where: str, idle: float | None) -> None:
        self._response = response
        self._where = where
        self._idle_seconds = idle
        self._idle = ReadTimeout(idle)
        self.status = response.status_code
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        request_id = self.headers.get("x-request-id") or self.headers.get("apim-request-id")
        self.request_id = one_line(request_id, 200) if request_id else None
        whole = _whole_body(response)
        self._decoded = whole is not None
        """Whether the client has read the body already, and has decompressed it."""
        self._raw = response.aiter_raw() if whole is None else OnePiece(whole)
        self._pieces: AsyncIterator[bytes] = self._raw
        self._inflating: AsyncGenerator[bytes, None] | None = None
        self._closed = False
        self.bytes_read = 0
        """Of the body, decompressed."""
        self._gone = False
        """Whether an event hook of the client has read or closed the body."""

    @property
    def where(self) -> str:
        """The server, as errors name it."""
        return self._where

    @property
    def network_stream(self) -> Any | None:
        """The connection behind a 101, with `read`, `write` and `aclose`; None where the client does not give it."""
        extensions: Mapping[str, Any] = getattr(self._response, "extensions", None) or {}
        return extensions.get("network_stream")

    @property
    def content_type(self) -> str | None:
        """Type and subtype, in lower case; None where the header is missing."""
        header = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return one_line(header, 100) or None

    def inflate(self) -> None:
        """Decompress what follows, if it is compressed. Raises: ContentTypeError for an unknown encoding."""
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("identity", "") or self._decoded:
            return
        try:
            inflate = Inflate(encoding)
        except ValueError:  # its message quotes the server, so nothing is raised while it is being handled
            inflate = None
        if inflate is None:
            named = one_line(encoding, 50)
            raise self.content_error(f"with content-encoding {named!r}, although identity was requested", b"")
        self._pieces = self._inflating = self._inflated(inflate)

    async def _inflated(self, inflate: Inflate) -> AsyncGenerator[bytes, None]:
        try:
            async for data in self._raw:
                for number, piece in enumerate(inflate.feed(data)):
                    if number:  # nothing is read in between, so the loop gets no turn by itself
                        await anyio.lowlevel.checkpoint()
                    yield piece
        except zlib.error as error:
            raise ProtocolError(
                f"the compressed body from {self._where} is not valid: {error}", request_id=self.request_id
            ) from None
        if not inflate.whole:
            raise DisconnectedError(
                f"the compressed body from {self._where} ended early: try again", request_id=self.request_id
            )

    async def read(self) -> bytes | None:
        """The next bytes of the body; None at its end. Raises: TransportError, ProtocolError."""
        if self._closed:  # its generators have ended, which must not be read as the end of the body
            raise DisconnectedError("the wire is closed: read it inside its `async with`", request_id=self.request_id)
        try:
            with self._idle.read:
                data = await anext(self._pieces)
            self.bytes_read += len(data)
            return data
        except StopAsyncIteration:
            return None
        except ReadTimeoutError:
            failure: RxStreamError = too_slow(self._where, self._idle_seconds, self.request_id)
        except Exception as error:
            if body_is_gone(error):
                self._gone = True
                failure = hook_took_body(self._where, self.request_id)
            elif not is_wire_failure(error):
                raise
            else:
                failure = amid_answer(error, self._where, self._idle_seconds, self.request_id)
        raise failure

    async def start(self) -> bytes:
        """The first bytes of the body, as many as come without a failure within five seconds."""
        with suppress(RxStreamError):
            self.inflate()
            return await self.rest()
        return b""

    async def rest(self) -> bytes:
        """The next bytes of a body that is being read, as many as come without a failure within five seconds."""
        rest = bytearray()
        with anyio.move_on_after(BODY_SECONDS), suppress(RxStreamError):
            while len(rest) < BODY_READ and (data := await self.read()) is not None:
                rest += data
        return bytes(rest[:BODY_READ])

    async def aclose(self) -> None:
        """Close the socket, now, whatever state the answer is in."""
        outer = sys.exception()  # while an error closes the answer, it is the context of each other
        self._closed = True
        self._idle.close()
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True), suppress(Exception):
            await self._response.aclose()
            if self._inflating is not None:
                await self._inflating.aclose()
        # A client reads through several nested generators. If one is left unfinished, the garbage collector closes it:
        # trio warns of that, and asyncio starts a task for each. The socket is closed, so one more step ends each of
        # them; the cancelled scope keeps that step from waiting.
        with anyio.CancelScope(shield=True) as scope:
            scope.cancel()
            try:
                for step in range(_STEPS_LEFT):
                    if step % 64 == 63:
                        await anyio.lowlevel.cancel_shielded_checkpoint()  # other tasks may run
                    await anext(self._raw)
            except Exception as error:
                _drop_frames(error, outer)

    def status_error(
        self, body: bytes, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> StatusError:
        """The error for a status that is not 2xx. A WebSocket gives one, and headers, with an error in a message."""
        status = self.status if status is None else status
        headers = self.headers if headers is None else headers
        message, code = message_and_code(body)
        message = one_line(message, _MESSAGE_KEPT)
        location = headers.get("location")
        if 300 <= status < 400:
            target = f"to {one_line(location, 300)!r}" if location else "without a location"
            advice = f"it redirects {target}, which is not followed; set base_url to the right address"
        else:
            advice = _ADVICE.get(status, "the server has a problem: try again later" if status >= 500 else "")
        if status == 429 and code == "insufficient_quota":
            advice = "the quota is used up, and waiting will not help: look at your plan and its billing"
        if self._gone:
            gone = "an event hook raised before the body was read, so call `await response.aread()` in it first"
            advice = f"{advice}; {gone}" if advice else gone
        return status_class(code)(
            ": ".join(
                part.rstrip(".") for part in (f"{self._where} answered {_phrase(status)}", message, advice) if part
            ),
            status=status,
            body=one_line(body.decode("utf-8", "replace"), _BODY_KEPT),
            code=one_line(code, 100) if code else None,
            retry_after=retry_after_of(headers),
            should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "")),
            request_id=self.request_id,
        )

    def content_error(self, what: str, body: bytes) -> ContentTypeError:
        """The error for an answer that is not an event stream. `what` ends the sentence "… answered 200 OK"."""
        message = one_line(message_and_code(body)[0], _MESSAGE_KEPT).rstrip(".")
        return ContentTypeError(
            f"{self._where} answered {_phrase(self.status)} {what}, which is not an event stream"
            + (f": {message}" if message else "")
            + "; check that base_url is the one of a Responses API (many end in /v1)",
            status=self.status,
            content_type=self.content_type,
            body=one_line(body.decode("utf-8", "replace"), _BODY_KEPT),
            request_id=self.request_id,
        )


def _whole_body(response: HttpResponse) -> bytes | None:
    """The body that the client has read already: `content=` of a `MockTransport`, or `aread` in an event hook."""
    if not getattr(response, "is_stream_consumed", False):
        return None
    try:
        return getattr(response, "content", None)
    except Exception as error:
        if not body_is_gone(error):
            raise
        return None


def status_class(code: str | None) -> type[StatusError]:
    """The class of the error for a status with that code."""
    return PreviousResponseNotFoundError if code == "previous_response_not_found" else StatusError


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms`, else from `retry-after` in seconds or as an HTTP date."""
    with suppress(ValueError, KeyError):
        return _seconds(float(headers["retry-after-ms"]) / 1000)
    value = headers.get("retry-after", "")
    with suppress(ValueError):
        return _seconds(float(value))
    from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

    try:
        return _seconds(parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _seconds(value: float) -> float | None:
    """0 for a time in the past; None for one that is not finite."""
    return max(value, 0.0) if abs(value) < float("inf") else None


def _drop_frames(error: BaseException, outer: BaseException | None) -> None:
    """Drop the tracebacks of an exception and of its causes, up to the one that was being handled before.

    aiohttp raises one and the same exception object for each connection that was closed. Each time its traceback gets
    longer, and the frames in it keep what they refer to.
    """
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is not None and link is not outer:
            chain += [link.__cause__, link.__context__]
            link.__traceback__ = link.__cause__ = link.__context__ = None
