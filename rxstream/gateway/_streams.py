"""The streams of a gateway: from the server, into the log and out of it, to a client."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
from reactivex import Observable
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rxstream.errors import DisconnectedError, ResponseFailedError, RxStreamError
from rxstream.gateway._callers import stream_id_of
from rxstream.gateway._errors import RequestError, text_of
from rxstream.gateway._limits import Slot
from rxstream.gateway._logged import LoggedFormat
from rxstream.gateway._metrics import GatewayMetrics
from rxstream.gateway._opening import Opening
from rxstream.gateway._outgoing import OutgoingEvents
from rxstream.gateway._stored import HistoryFold, response_json
from rxstream.gateway._upstream import ANSWER_HEADERS, Upstream, while_connected, with_fallback
from rxstream.operators import probe
from rxstream.relay import Log, follow, follow_frames, publish
from rxstream.response.history._history import History
from rxstream.rx._lift import lift
from rxstream.sinks import result
from rxstream.typing import Operator
from rxstream.web import EventStreamResponse, StreamFormat, to_sse

_logger = logging.getLogger("rxstream")


class GatewayStreams:
    """Makes the answer of a request whose events have to be seen.

    Args:
        log_options: of `publish`.
        has_probes: whether each operator is watched.
    """

    def __init__(
        self,
        upstream: Upstream,
        metrics: GatewayMetrics,
        *,
        moderate: Sequence[Operator[Any, Any]],
        log: Log | None,
        log_options: dict[str, Any],
        fallback: Upstream | None,
        fallback_model: str | None,
        has_probes: bool,
    ) -> None:
        self._upstream = upstream
        self._metrics = metrics
        self._moderate = moderate
        self._log = log
        self._log_options = log_options
        self._fallback = fallback
        self._fallback_model = fallback_model
        self._has_probes = has_probes
        self._open: set[Opening] = set()
        """Of the streams that are sent to a client, or folded for one."""

    def end(self) -> None:
        """End all that are sent, with an error."""
        for opening in tuple(self._open):
            opening.fail(DisconnectedError("the gateway is stopping"))

    async def create(self, request: Request, caller: str, body: dict[str, Any], slot: Slot) -> ASGIApp:
        """The answer to a new response. Raises: the error of a stream before its first event; RequestError."""
        began = anyio.current_time()
        headers = headers_up(self._upstream, request)
        answer_headers: dict[str, str] = {}
        ANSWER_HEADERS.set(answer_headers)
        try:
            opening = self._opening(self._source(body, headers, dict(request.query_params)))
        except (TypeError, ValueError) as error:
            raise RequestError(400, str(error)) from None
        session = self._upstream.session
        first = await while_connected(session, request.receive, opening.first)
        self._metrics.first_event(anyio.current_time() - began)
        response = getattr(first, "response", None)
        if self._log is not None and caller and response is not None and response.id:
            stream_id = stream_id_of(caller, response.id)
            if await self._publish(self._log, opening, stream_id, body, slot):
                if body.get("stream"):
                    return self._send_logged(self._log, stream_id, headers, slot, answer_headers=answer_headers)
                if body.get("background"):
                    return JSONResponse(response_json(response), headers=answer_headers)
                opening = self._opening(follow(self._log, stream_id, session=session))
        if body.get("stream"):
            return self._send(opening, to_sse(text_of_error=text_of), slot, answer_headers)
        folded = await while_connected(session, request.receive, partial(_fold, opening))
        return JSONResponse(folded, headers=answer_headers)

    def follow(self, request: Request, log: Log, stream_id: str, after: int | None, slot: Slot) -> ASGIApp:
        """A stream of the log as the answer, from the event behind the number `after` on. Raises: RequestError."""
        return self._send_logged(log, stream_id, headers_up(self._upstream, request), slot, after=after)

    # ------------------------------------------------------------------ inside

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
        return events.pipe(lift(partial(OutgoingEvents, self._metrics, renumbers=renumbers)))

    async def _publish(self, log: Log, opening: Opening, stream_id: str, body: dict[str, Any], slot: Slot) -> bool:
        """Run the stream into the log from now on. False: the log has not taken it, and it can be sent without."""
        options = dict(self._log_options)
        if self._moderate or self._fallback is not None or not body.get("background"):
            options["takeover_within"] = 0.0  # the rest would come unmoderated, of another server, or not at all
        session = self._upstream.session
        publication = publish(opening.events, log, stream_id, session=session, **options)
        release = slot.keep()

        async def run() -> None:
            try:
                await publication
            except RxStreamError as error:
                _logger.info("a published response has ended with %s", type(error).__name__)
            finally:
                opening.taken.set()
                release()

        session.spawn(run)
        await opening.taken.wait()
        if opening.is_taken:
            opening.detach()
        else:
            _logger.warning("the log has not taken a response, which is sent without it, and cannot be asked for again")
        return opening.is_taken

    def _send_logged(
        self,
        log: Log,
        stream_id: str,
        headers: dict[str, str],
        slot: Slot,
        *,
        after: int | None = None,
        answer_headers: dict[str, str] | None = None,
    ) -> ASGIApp:
        session = self._upstream.session
        resume = partial(session.resume, extra_headers=headers)
        opening = self._opening(follow_frames(log, stream_id, takeover=resume, session=session))
        return self._send(opening, LoggedFormat(after), slot, answer_headers)

    def _opening(self, source: Observable[Any]) -> Opening:
        return Opening(self._upstream.session, source, self._open)

    def _send(self, opening: Opening, format: StreamFormat[Any], slot: Slot, headers: dict[str, str] | None) -> ASGIApp:
        """The events as the answer."""
        release = slot.keep()
        stream = EventStreamResponse(opening.events, format, headers=headers)

        async def send_events(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await stream(scope, receive, send)
            finally:
                opening.dispose()
                release()

        return send_events


async def _fold(opening: Opening) -> dict[str, Any]:
    """The response at its end. Raises: the error of a stream that has none."""
    history = History()
    with suppress(ResponseFailedError):  # the response says so itself
        await result(opening.events.pipe(lift(partial(HistoryFold, history))))
    return response_json(history.response())


def headers_up(upstream: Upstream, request: Request) -> dict[str, str]:
    """Raises: RequestError: one cannot be sent."""
    try:
        return upstream.headers_up(request.headers.items())
    except ValueError as error:
        raise RequestError(400, str(error)) from None
