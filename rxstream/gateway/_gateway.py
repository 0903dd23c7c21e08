"""The requests of a gateway."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rxstream.errors import RxStreamError
from rxstream.gateway._access import Access
from rxstream.gateway._body import read_body
from rxstream.gateway._errors import RequestError, error_response, refused_key
from rxstream.gateway._limits import GatewayLimits, Slot
from rxstream.gateway._metrics import GatewayMetrics
from rxstream.gateway._stored import stored_response
from rxstream.gateway._streams import GatewayStreams
from rxstream.gateway._upstream import PassedAnswer, Upstream, while_connected
from rxstream.relay import cancel
from rxstream.rx._loops import Signal

_logger = logging.getLogger("rxstream")


class Gateway:
    """What `gateway(…)` serves. See there."""

    def __init__(
        self,
        upstream: Upstream,
        streams: GatewayStreams,
        access: Access,
        metrics: GatewayMetrics,
        *,
        fallback: Upstream | None,
        has_log: bool,
        moderates: bool,
        streams_all: bool,
        limits: GatewayLimits,
        shutdown_seconds: float,
    ) -> None:
        self.metrics = metrics
        self._upstream = upstream
        self._streams = streams
        self._access = access
        self._fallback = fallback
        self._has_log = has_log
        self._moderates = moderates
        self._streams_all = streams_all
        """Whether a request without `stream` is streamed too, because something has to see its events."""
        self._limits = limits
        self._shutdown_seconds = shutdown_seconds
        self._idle: Signal | None = None
        self.is_stopping = True
        """Whether no more requests are accepted. It begins with the lifespan of the application."""

    # ------------------------------------------------------------------ its life

    @asynccontextmanager
    async def lifespan(self, _: object = None) -> AsyncGenerator[None, None]:
        """Open the connections. At the end open streams may finish for `shutdown_seconds`; then they are ended."""
        with suppress(_StoppingError):
            async with AsyncExitStack() as stack:
                if self._fallback is not None:
                    await stack.enter_async_context(self._fallback.open())
                self._session = await stack.enter_async_context(self._upstream.open())
                self._idle = Signal()
                self.is_stopping = False
                try:
                    yield
                finally:
                    with anyio.CancelScope(shield=True):
                        await self.stop()
                raise _StoppingError  # the session cancels what runs without a client: another process goes on with it

    async def stop(self) -> None:
        """Accept no more requests; let open streams finish for `shutdown_seconds`, and then end them with an error."""
        if self.is_stopping:
            return
        self.is_stopping = True
        with anyio.move_on_after(self._shutdown_seconds):
            while self.metrics.open_streams and self._idle is not None:
                self._idle.clear()
                await self._idle.wait()
        self._streams.end()

    # ------------------------------------------------------------------ the requests

    def endpoint(self, handle: Callable[[Request], Awaitable[ASGIApp]]) -> Callable[[Request], Awaitable[ASGIApp]]:
        """`handle` with the limits that count for every request, and its errors in the words of the API."""

        async def answer(request: Request) -> ASGIApp:
            try:
                self._check_request(request)
                return await handle(request)
            except RequestError as error:
                return error.response()
            except ClientDisconnect:
                return Response(status_code=499)  # as nginx calls it; it goes to the metrics only
            except RxStreamError as error:
                _logger.warning("a request has failed: %s: %s", type(error).__name__, error)
                return error_response(error, holds_key=self._upstream.holds_key)

        return answer

    async def create(self, request: Request) -> ASGIApp:
        """`POST /v1/responses`."""
        caller = await self._access.caller(request)
        raw, body = await read_body(request, self._limits.body_bytes)
        await self._access.check_references(caller, body)
        with self._slot() as slot:
            if self._is_streamed(body):
                return await self._streams.create(request, caller, body, slot)
            return await self._pass_on(request, "/responses", slot, raw)

    async def retrieve(self, request: Request) -> ASGIApp:
        """`GET /v1/responses/{id}`, also with `stream=true` and `starting_after=N`."""
        named = await self._access.named_response(request)
        log = named.log
        with self._slot() as slot:
            if log is not None and request.query_params.get("stream", "").lower() in ("true", "1"):
                after = _position(request.query_params.get("starting_after"))
                if await named.kept_by() is not None:
                    return self._streams.follow(request, log, named.stream_id, after, slot)
            elif log is not None and (stored := await stored_response(log, named.stream_id)) is not None:
                return JSONResponse(stored)
            self._access.check_unkept(named)
            return await self._pass_on(request, named.path, slot)

    async def cancel(self, request: Request) -> ASGIApp:
        """`POST /v1/responses/{id}/cancel`. As in the API, that of an ended response changes nothing."""
        named = await self._access.named_response(request)
        log = named.log
        stored = await stored_response(log, named.stream_id) if log is not None else None
        if log is None or stored is None:
            self._access.check_unkept(named)
            with self._slot() as slot:
                return await self._pass_on(request, named.path + "/cancel", slot)
        if stored.get("background") and stored.get("status") in ("queued", "in_progress"):
            with suppress(RxStreamError):  # here it is cancelled in any case
                answer = await self._upstream.pass_on(request, named.path + "/cancel")
                await answer.aclose()
        await cancel(log, named.stream_id)
        return JSONResponse(await stored_response(log, named.stream_id))

    async def delete(self, request: Request) -> ASGIApp:
        """`DELETE /v1/responses/{id}`: first at the server, so that it can be tried again where that fails."""
        named = await self._access.named_response(request)
        log = await named.kept_by()
        if log is None:
            self._access.check_unkept(named, shows_text=False)
        with self._slot() as slot:
            answer = await self._answer(request, named.path)
            if log is None or not (answer.status < 300 or answer.status in _NOT_KEPT):
                return _sending(answer, slot)
            await answer.aclose()
            await log.delete(named.stream_id)
            return JSONResponse({"id": named.response_id, "object": "response", "deleted": True})

    async def input_items(self, request: Request) -> ASGIApp:
        """`GET /v1/responses/{id}/input_items`. The log has no input, so the server is asked."""
        named = await self._access.named_response(request)
        self._access.check_input_items(named, is_kept=await named.kept_by() is not None)
        with self._slot() as slot:
            return await self._pass_on(request, named.path + "/input_items", slot)

    async def health(self, _: Request) -> ASGIApp:
        """`GET /healthz`: 200, or 503 while it stops."""
        return JSONResponse({"status": "stopping"}, 503) if self.is_stopping else JSONResponse({"status": "ok"})

    async def show_metrics(self, _: Request) -> ASGIApp:
        """`GET /metrics`."""
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    # ------------------------------------------------------------------ inside

    async def _pass_on(self, request: Request, path: str, slot: Slot, body: bytes | None = None) -> ASGIApp:
        """The request as it is, and its answer as it is."""
        return _sending(await self._answer(request, path, body), slot)

    async def _answer(self, request: Request, path: str, body: bytes | None = None) -> PassedAnswer:
        """Of the server. Raises: RequestError: the request cannot be sent, or the key of the gateway is refused."""
        try:
            send = partial(self._upstream.pass_on, request, path, body)
            answer = await while_connected(self._session, request.receive, send)
        except ValueError as error:
            raise RequestError(400, str(error)) from None
        if self._upstream.holds_key and answer.status in (401, 403):  # its text may name the key
            await answer.aclose()
            raise refused_key()
        return answer

    def _check_request(self, request: Request) -> None:
        if self._idle is None:
            raise RequestError(503, "The lifespan of the gateway does not run: the application has to run it.")
        if self.is_stopping:
            raise RequestError(503, "The gateway is stopping.", headers={"retry-after": "1"})
        head = len(request.scope["raw_path"]) + len(request.scope["query_string"])
        if head + sum(len(name) + len(value) for name, value in request.headers.raw) > self._limits.header_bytes:
            raise RequestError(431, f"The headers are larger than {self._limits.header_bytes} bytes.")

    def _is_streamed(self, body: dict[str, Any]) -> bool:
        """Whether the server is asked for a stream. Raises: RequestError: the answer could not be moderated."""
        if body.get("stream"):
            return True
        if not body.get("background") or self._has_log:
            return self._streams_all
        if self._moderates:
            raise RequestError(400, "The gateway moderates, and has no log: set stream=true, or background=false.")
        return False  # it answers at once, and is asked for later

    def _slot(self) -> Slot:
        if self.metrics.open_streams >= self._limits.open_streams:
            raise RequestError(
                429, "Too many streams are open.", code="rate_limit_exceeded", headers={"retry-after": "1"}
            )
        return Slot(self._count)

    def _count(self, change: int) -> None:
        self.metrics.open_streams += change
        if not self.metrics.open_streams and self._idle is not None:
            self._idle.set()


class _StoppingError(Exception):
    """The session is left by it, so that it cancels what runs."""


_NOT_KEPT = (404, 405, 501)
"""Statuses of a server that does not have a response, or keeps none. What the log has of it can go."""


def _sending(answer: PassedAnswer, slot: Slot) -> ASGIApp:
    release = slot.keep()

    async def send_answer(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await answer(scope, receive, send)
        finally:
            release()

    return send_answer


def _position(text: str | None) -> int | None:
    if text is None or (text.isascii() and text.isdecimal() and len(text) <= 15):
        return None if text is None else int(text)
    raise RequestError(400, "Invalid 'starting_after': it must be an integer.", param="starting_after")
