"""The requests of a gateway."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import anyio
from reactivex import Observable
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rxstream.errors import DisconnectedError, ResponseFailedError, RxStreamError
from rxstream.gateway._body import read_body
from rxstream.gateway._callers import Authorize, stream_id_of
from rxstream.gateway._errors import RequestError, error_response, not_found, text_of
from rxstream.gateway._limits import GatewayLimits, Slot
from rxstream.gateway._metrics import GatewayMetrics
from rxstream.gateway._opening import Opening
from rxstream.gateway._outgoing import OutgoingEvents
from rxstream.gateway._stored import HistoryFold, has_stream, response_json, stored_response
from rxstream.gateway._upstream import ANSWER_HEADERS, Upstream, while_connected, with_fallback
from rxstream.operators import probe
from rxstream.relay import Log, cancel, follow, publish
from rxstream.response.history._history import History
from rxstream.rx._lift import lift
from rxstream.rx._loops import Signal
from rxstream.sinks import result
from rxstream.typing import Operator
from rxstream.web import EventStreamResponse, to_sse

_logger = logging.getLogger("rxstream")


class Gateway:
    """What `gateway(…)` serves. See there."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        authorize: Authorize,
        moderate: Sequence[Operator[Any, Any]],
        log: Log | None,
        log_options: dict[str, Any],
        streams_all: bool,
        fallback: Upstream | None,
        fallback_model: str | None,
        limits: GatewayLimits,
        shutdown_seconds: float,
        inspect: bool,
    ) -> None:
        self.metrics = GatewayMetrics()
        self._upstream = upstream
        self._authorize = authorize
        self._moderate = moderate
        self._log = log
        self._log_options = log_options
        self._streams_all = streams_all
        """Whether a request without `stream` is streamed too, because something has to see its events."""
        self._fallback = fallback
        self._fallback_model = fallback_model
        self._limits = limits
        self._shutdown_seconds = shutdown_seconds
        self._has_probes = inspect
        self._open: set[Opening] = set()
        """Of the streams that are sent to a client, or folded for one."""
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
        for opening in tuple(self._open):
            opening.fail(DisconnectedError("the gateway is stopping"))

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
        caller = await self._caller(request, None)
        raw, body = await read_body(request, self._limits.body_bytes)
        await self._check_references(caller, body)
        with self._slot() as slot:
            if self._is_streamed(body):
                return await self._stream(request, caller, body, slot)
            return await self._pass_on(request, "/responses", slot, raw)

    async def retrieve(self, request: Request) -> ASGIApp:
        """`GET /v1/responses/{id}`, also with `stream=true` and `starting_after=N`."""
        log, response_id, stream_id = await self._named_stream(request)
        with self._slot() as slot:
            if log is not None and request.query_params.get("stream", "").lower() in ("true", "1"):
                after = _position(request.query_params.get("starting_after"))
                if await has_stream(log, stream_id):
                    return self._send(self._follow(log, stream_id, self._headers_up(request)), slot, after=after)
            elif log is not None and (stored := await stored_response(log, stream_id)) is not None:
                return JSONResponse(stored)
            return await self._pass_on(request, self._own_path(response_id), slot)

    async def cancel(self, request: Request) -> ASGIApp:
        """`POST /v1/responses/{id}/cancel`. As in the API, that of an ended response changes nothing."""
        log, response_id, stream_id = await self._named_stream(request)
        stored = await stored_response(log, stream_id) if log is not None else None
        if log is None or stored is None:
            with self._slot() as slot:
                return await self._pass_on(request, self._own_path(response_id) + "/cancel", slot)
        if stored.get("background") and stored.get("status") in ("queued", "in_progress"):
            with suppress(RxStreamError):  # here it is cancelled in any case
                answer = await self._upstream.pass_on(request, f"{_path(response_id)}/cancel")
                await answer.aclose()
        await cancel(log, stream_id)
        return JSONResponse(await stored_response(log, stream_id))

    async def health(self, _: Request) -> ASGIApp:
        """`GET /healthz`: 200, or 503 while it stops."""
        return JSONResponse({"status": "stopping"}, 503) if self.is_stopping else JSONResponse({"status": "ok"})

    async def show_metrics(self, _: Request) -> ASGIApp:
        """`GET /metrics`."""
        return PlainTextResponse(self.metrics.text(), media_type="text/plain; version=0.0.4")

    # ------------------------------------------------------------------ a stream

    async def _stream(self, request: Request, caller: str, body: dict[str, Any], slot: Slot) -> ASGIApp:
        began = anyio.current_time()
        headers = self._headers_up(request)
        answer_headers: dict[str, str] = {}
        ANSWER_HEADERS.set(answer_headers)
        try:
            opening = self._opening(self._source(body, headers, dict(request.query_params)))
        except (TypeError, ValueError) as error:
            raise RequestError(400, str(error)) from None
        first = await while_connected(self._session, request.receive, opening.first)
        self.metrics.first_event(anyio.current_time() - began)
        response = getattr(first, "response", None)
        if self._log is not None and caller and response is not None and response.id:
            stream_id = stream_id_of(caller, response.id)
            if await self._publish(self._log, opening, stream_id, body, slot):
                opening = self._follow(self._log, stream_id, headers)
                if body.get("background") and not body.get("stream"):
                    return JSONResponse(response_json(response), headers=answer_headers)
        if body.get("stream"):
            return self._send(opening, slot, headers=answer_headers)
        folded = await while_connected(self._session, request.receive, partial(self._fold, opening))
        return JSONResponse(folded, headers=answer_headers)

    def _source(self, body: dict[str, Any], headers: dict[str, str], query: dict[str, str]) -> Observable[Any]:
        """The events that go down. Raises: TypeError, ValueError: the request cannot be sent."""
        events = self._upstream.response(body, headers, query)
        if self._fallback is not None:
            other = {**body, "model": self._fallback_model or body.get("model")}
            events = with_fallback(
                events, self._fallback.response(other, self._fallback.headers_up(headers.items(), foreign=True), {})
            )
        renumbers = bool(self._moderate) or not body.get("background")
        if self._has_probes:
            events = events.pipe(probe("server"))
        for number, operator in enumerate(self._moderate, 1):
            events = events.pipe(probe(f"operator {number}", operator) if self._has_probes else operator)
        return events.pipe(lift(partial(OutgoingEvents, self.metrics, renumbers=renumbers)))

    async def _publish(self, log: Log, opening: Opening, stream_id: str, body: dict[str, Any], slot: Slot) -> bool:
        """Run the stream into the log from now on. False: the log has not taken it, and it can be sent without."""
        options = dict(self._log_options)
        if self._moderate or self._fallback is not None or not body.get("background"):
            options["takeover_within"] = 0.0  # the rest would come unmoderated, of another server, or not at all
        publication = publish(opening.events, log, stream_id, session=self._session, **options)
        release = slot.keep()

        async def run() -> None:
            try:
                await publication
            except RxStreamError as error:
                _logger.info("a published response has ended with %s", type(error).__name__)
            finally:
                opening.taken.set()
                release()

        self._session.spawn(run)
        await opening.taken.wait()
        if opening.is_taken:
            opening.detach()
        else:
            _logger.warning("the log has not taken a response, which is sent without it, and cannot be asked for again")
        return opening.is_taken

    def _follow(self, log: Log, stream_id: str, headers: dict[str, str]) -> Opening:
        resume = partial(self._upstream.session.resume, extra_headers=headers)
        return self._opening(follow(log, stream_id, takeover=resume, session=self._session))

    def _opening(self, source: Observable[Any]) -> Opening:
        return Opening(self._session, source, self._open)

    def _send(
        self, opening: Opening, slot: Slot, *, after: int | None = None, headers: dict[str, str] | None = None
    ) -> ASGIApp:
        """The events as the answer, from the one behind the number `after` on."""
        release = slot.keep()
        stream = EventStreamResponse(opening.events, to_sse(after=after, text_of_error=text_of), headers=headers)

        async def send_events(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await stream(scope, receive, send)
            finally:
                opening.dispose()
                release()

        return send_events

    async def _fold(self, opening: Opening) -> dict[str, Any]:
        """The response at its end. Raises: the error of a stream that has none."""
        history = History()
        with suppress(ResponseFailedError):  # the response says so itself
            await result(opening.events.pipe(lift(partial(HistoryFold, history))))
        return response_json(history.response())

    async def _pass_on(self, request: Request, path: str, slot: Slot, body: bytes | None = None) -> ASGIApp:
        """The request as it is, and its answer as it is."""
        try:
            send = partial(self._upstream.pass_on, request, path, body)
            answer = await while_connected(self._session, request.receive, send)
        except ValueError as error:
            raise RequestError(400, str(error)) from None
        release = slot.keep()

        async def send_answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await answer(scope, receive, send)
            finally:
                release()

        return send_answer

    # ------------------------------------------------------------------ what is checked

    def _check_request(self, request: Request) -> None:
        if self._idle is None:
            raise RequestError(503, "The lifespan of the gateway does not run: the application has to run it.")
        if self.is_stopping:
            raise RequestError(503, "The gateway is stopping.", headers={"retry-after": "1"})
        head = len(request.scope["raw_path"]) + len(request.scope["query_string"])
        if head + sum(len(name) + len(value) for name, value in request.headers.raw) > self._limits.header_bytes:
            raise RequestError(431, f"The headers are larger than {self._limits.header_bytes} bytes.")

    async def _caller(self, request: Request, response_id: str | None) -> str:
        answer = self._authorize(request, response_id)
        caller = await answer if inspect.isawaitable(answer) else answer
        if isinstance(caller, str):
            return caller
        if response_id is not None:
            raise not_found(response_id)
        raise RequestError(401, "The API key is not accepted.", code="invalid_api_key")

    async def _named_stream(self, request: Request) -> tuple[Log | None, str, str]:
        """The log if it may have the stream, the id of the response, and its id in the log."""
        response_id: str = request.path_params["response_id"]
        caller = await self._caller(request, response_id)
        return self._log if caller else None, response_id, stream_id_of(caller, response_id)

    def _own_path(self, response_id: str) -> str:
        """The path of a response at the server. Raises: RequestError: the caller may not read it there.

        With a key of the gateway the server would give any caller's response, and it knows nothing of moderation.
        """
        if self._upstream.holds_key or self._moderate:
            raise not_found(response_id)
        return _path(response_id)

    async def _check_references(self, caller: str, body: dict[str, Any]) -> None:
        """With a key of the gateway the server would continue any caller's response.

        Raises: RequestError: the caller's is not known here.
        """
        if not self._upstream.holds_key:
            return
        previous = body.get("previous_response_id")
        if previous is not None:
            log = self._log if caller else None
            if log is None or not await has_stream(log, stream_id_of(caller, str(previous))):
                message = f"Previous response with id '{previous}' not found."
                raise RequestError(400, message, code="previous_response_not_found", param="previous_response_id")
        if body.get("conversation") is not None:
            raise RequestError(400, "The gateway has no conversations: send the items.", param="conversation")

    def _headers_up(self, request: Request) -> dict[str, str]:
        try:
            return self._upstream.headers_up(request.headers.items())
        except ValueError as error:
            raise RequestError(400, str(error)) from None

    def _is_streamed(self, body: dict[str, Any]) -> bool:
        """Whether the server is asked for a stream. Raises: RequestError: the answer could not be moderated."""
        if body.get("stream"):
            return True
        if not body.get("background") or self._log is not None:
            return self._streams_all
        if self._moderate:
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


def _path(response_id: str) -> str:
    return f"/responses/{quote(response_id, safe='')}"


def _position(text: str | None) -> int | None:
    if text is None or (text.isascii() and text.isdecimal() and len(text) <= 15):
        return None if text is None else int(text)
    raise RequestError(400, "Invalid 'starting_after': it must be an integer.", param="starting_after")
