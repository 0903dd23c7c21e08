"""The server behind the gateway: what goes up, what comes down, and requests that are passed on as they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

import anyio
import reactivex as rx
from reactivex import Observable
from reactivex import operators as ops
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from rxstream import operators as rxs
from rxstream.errors import RxStreamError
from rxstream.session import Session
from rxstream.transport import HttpTransport, Wire
from rxstream.transport import Request as WireRequest
from rxstream.transport._headers import SECRET_NAME, checked_headers
from rxstream.transport.http._address import host_and_port, join_url, secrets_in
from rxstream.transport.http._client import own_client, proxy_for, replace_generator
from rxstream.transport.http._external_client import login_of
from rxstream.transport.http._failures import before_answer, is_wire_failure

_T = TypeVar("_T")

_NOT_UP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "expect", "host", "content-length", "content-type", "content-encoding"),
        *("accept", "accept-encoding", "cookie", "origin", "referer", "forwarded", "via", "x-real-ip"),
    )
)
"""Headers of a connection (RFC 9110, 7.6.1), of a body that is written anew, and of the place where the client is."""

_OF_ACCOUNT = ("openai-organization", "openai-project")
_DOWN = ("x-", "openai-", "retry-after", "content-type")
"""Headers of an answer that begin so come down: ids of requests, rate limits, versions."""

ANSWER_HEADERS: ContextVar[dict[str, str] | None] = ContextVar("rxstream_gateway_answer_headers", default=None)
"""Where the headers of the server's answer to a stream are noted. A task of the session has the caller's context."""


class Upstream:
    """A server and, while the block of `open` runs, a session that reads from it.

    Args:
        url: with or without `/v1`; a path prefix and a query are kept.
        key: of the gateway; None: requests go up with the caller's own.
        timeouts: of each request, as `session.response(timeout=…)` takes them.
        retries: further tries of a request before its first event.
        tape: a path, as of a `Session`.
    """

    def __init__(
        self, url: str, key: str | None, timeouts: Mapping[str, Any], retries: int = 0, tape: str | None = None
    ) -> None:
        self.url = url
        self.holds_key = bool(key or secrets_in(url))
        """Whether the key of the account is the gateway's, and callers share it."""
        self._key = key
        self._timeouts = timeouts
        self._retries = retries
        self._tape = tape
        HttpTransport(base_url=url, api_key=key)  # raises for what cannot be used

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Session, None]:
        with_aiohttp = login_of(None, self.url) is None
        self._client = own_client(proxy_for(self.url), with_aiohttp=with_aiohttp)
        transport = _NotingTransport(self._client, base_url=self.url, api_key=self._key)
        self.session = Session(
            "",
            transport=transport,
            tape=self._tape,
            max_retries=self._retries,
            retry_stream_errors=self._retries > 0,  # else the first events would be held back for a moment
        )
        try:
            async with self.session:
                yield self.session
        finally:
            with anyio.CancelScope(shield=True):
                await self._client.aclose()

    def headers_up(self, headers: Iterable[tuple[str, str]], *, foreign: bool = False) -> dict[str, str]:
        """The headers of a caller that go up. `foreign`: the server is not the one that the caller's key is for.

        Raises: ValueError: one cannot be sent.
        """
        given = list(headers)
        named = {name.strip().lower() for key, value in given if key == "connection" for name in value.split(",")}
        up = {
            name: value for name, value in given if name not in _NOT_UP | named and not name.startswith("x-forwarded-")
        }
        if self.holds_key or foreign:
            up = {
                name: value
                for name, value in up.items()
                if name == "idempotency-key" or not (SECRET_NAME.search(name) or name in _OF_ACCOUNT)
            }
        return checked_headers(up)

    def response(
        self, body: Mapping[str, Any], headers: Mapping[str, str], query: Mapping[str, str]
    ) -> Observable[Any]:
        """The stream of a request. A background response is resumed where its connection is lost.

        Raises: ValueError, TypeError: it cannot be sent.
        """
        return self.session.response(
            resume=bool(body.get("background")),
            extra_body={**body, "stream": True},
            extra_headers=headers,
            extra_query=query,
            timeout=dict(self._timeouts) or None,  # type: ignore[arg-type]  # checked when the gateway was made
        )

    async def pass_on(self, request: Request, path: str, body: bytes | None = None) -> PassedAnswer:
        """Send a request as it is, and return its answer.

        Raises: the errors of a stream before its first event; ValueError: it cannot be sent.
        """
        url = join_url(self.url, f"{path}?{request.url.query}" if request.url.query else path)
        up = self.headers_up(request.headers.items())
        up["accept"], up["accept-encoding"] = request.headers.get("accept", "application/json"), "identity"
        if body is not None:
            up["content-type"] = request.headers.get("content-type", "application/json")
        if self._key is not None:
            up["authorization"] = f"Bearer {self._key}"
        connect, idle = self._timeouts.get("connect", 10.0), self._timeouts.get("idle", 600.0)
        failure: RxStreamError
        try:
            prepared = self._client.build_request(
                request.method, url, content=body, headers=up, timeout=(connect, idle, idle, connect)
            )
            replace_generator(prepared)
            return PassedAnswer(await self._client.send(prepared, stream=True, follow_redirects=False), self.session)
        except Exception as error:  # it holds the request, and with it the key
            if not is_wire_failure(error):
                raise
            failure = before_answer(error, host_and_port(url), connect, idle)
        raise failure


class PassedAnswer:
    """The answer of the server, as it came: an ASGI application."""

    def __init__(self, answer: Any, session: Session) -> None:
        self._answer = answer
        self._session = session

    @property
    def status(self) -> int:
        return self._answer.status_code

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5.0):
            await self._answer.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers_down(self._answer.headers).items()]

        async def send_all() -> None:
            await send({"type": "http.response.start", "status": self._answer.status_code, "headers": headers})
            async for piece in self._answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        try:
            with suppress(ClientDisconnect):
                await while_connected(self._session, receive, send_all)
        finally:
            await self.aclose()


def headers_down(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that come down."""
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower().startswith(_DOWN) and not name.lower().startswith("x-accel-")
    }


async def while_connected(session: Session, receive: Receive, job: Callable[[], Awaitable[_T]]) -> _T:
    """What `job` returns. Raises: what it raises; ClientDisconnect: the client has gone, and the job was cancelled."""
    with anyio.CancelScope() as scope:

        async def watch() -> None:
            message: MutableMapping[str, Any] = {}
            while message.get("type") != "http.disconnect":
                message = await receive()
            scope.cancel()

        watching = session.spawn(watch)
        try:
            return await job()
        finally:
            watching.dispose()
    raise ClientDisconnect


def with_fallback(events: Observable[Any], other: Observable[Any]) -> Observable[Any]:
    """`other` where the server could not answer. What it refuses is refused: a wrong key, a wrong request."""
    errors: list[Exception] = []

    def choose(_: object) -> Observable[Any]:
        passes = isinstance(errors[-1], RxStreamError) and errors[-1].retryable
        return other if passes else rx.throw(errors[-1])

    return events.pipe(ops.do_action(on_error=errors.append), rxs.fallback_to(rx.defer(choose)))


class _NotingTransport(HttpTransport):
    """Notes the headers of each answer for the request that it answers."""

    @asynccontextmanager
    async def open(self, request: WireRequest) -> AsyncGenerator[Wire, None]:
        async with super().open(request) as wire:
            headers = ANSWER_HEADERS.get()
            if headers is not None:
                headers.update(headers_down(wire.headers))
                headers.pop("content-type", None)
            yield wire
