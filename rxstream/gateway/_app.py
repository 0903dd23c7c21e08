"""`gateway(…)`: the application."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rxstream.gateway._access import Access
from rxstream.gateway._callers import AllowReference, Authorize, token_of
from rxstream.gateway._errors import RequestError
from rxstream.gateway._gateway import Gateway
from rxstream.gateway._limits import GatewayLimits
from rxstream.gateway._metrics import GatewayMetrics
from rxstream.gateway._streams import GatewayStreams
from rxstream.gateway._upstream import Upstream
from rxstream.relay import Log
from rxstream.session import RequestTimeouts
from rxstream.session._time_limits import checked_timeouts
from rxstream.typing import Operator
from rxstream.web import probes_app


def gateway(
    upstream: str,
    *,
    key: str | None = None,
    authorize: Authorize | None = None,
    allow_reference: AllowReference | None = None,
    moderate: Operator[Any, Any] | Sequence[Operator[Any, Any]] = (),
    log: Log | None = None,
    ttl: float = 3600.0,
    lease: float = 10.0,
    takeover_within: float = 60.0,
    record: str | os.PathLike[str] | None = None,
    fallback: str | None = None,
    fallback_key: str | None = None,
    fallback_model: str | None = None,
    timeouts: RequestTimeouts | None = None,
    retries: int = 0,
    limits: GatewayLimits | None = None,
    cors: Sequence[str] = (),
    shutdown_seconds: float = 10.0,
    inspect: bool = False,
) -> Starlette:
    """An ASGI application that speaks the Responses API, in front of a server that speaks it.

    Clients name it as their base URL: `http://HOST:PORT/v1`. It serves `POST /v1/responses`, `GET /v1/responses/{id}`
    (also `?stream=true&starting_after=N`), `DELETE` of it, its `input_items` and `cancel`, `/healthz` and `/metrics`.
    Fields and headers that it does not know go up, and events come down, as they came. It needs `rxstream[serve]`.

    Its connections are opened by its lifespan. An application that mounts it runs that:
    `Starlette(routes=[Mount("/ai", app)], lifespan=app.router.lifespan_context)`.

    Args:
        upstream: the base URL of the server, as clients of the API write it.
        key: of the gateway, which all requests go up with. None: each with its caller's own.
        authorize: `authorize(request, response_id)`, see `Authorize`. None: each key is a caller; with `key` or
            `fallback_key` one of them has to be sent.
        allow_reference: `allow_reference(caller, place, id)`, see `AllowReference`. None: all that a request names.
        moderate: operators, such as `rxs.debounce_moderation(check)`, that each stream passes.
        log: keeps the streams of callers, so that they can be asked for again, and run on where their client goes.
            None: a client that goes away ends its stream.
        ttl, lease, takeover_within: seconds, as of `rxstream.relay.publish`. Only background responses are taken over.
        record: a folder, where each stream of the server has a tape.
        fallback: the base URL of a server that is asked where `upstream` cannot answer: no connection, a time-out,
            a status that passes.
        fallback_key, fallback_model: for it. No key of a caller goes there. A `fallback_key` needs `key` or
            `authorize`: a server that is away checks no key of a caller.
        timeouts: the time limits of each stream, as of `session.response(timeout={…})`.
        retries: further tries of a request. Clients of the API try again themselves.
        limits: see `GatewayLimits`.
        cors: origins of pages that may call it; `"*"`: all. None may without.
        shutdown_seconds: for which open streams may go on at the end. Then they get an error.
        inspect: also serve `/inspect`, a page that watches all streams of the process (`rxstream.web.probes_app`): what
            the server sends, and what each operator does with it. It has numbers and no content, and is open to
            all who reach it.

    Raises: TypeError, ValueError: an argument that cannot be used.
    """
    operators = [moderate] if callable(moderate) else list(moderate)
    for operator in operators:
        if not callable(operator):
            raise TypeError(f"expected operators as moderate, got {type(operator).__name__}")
    for name, rule in (("authorize", authorize), ("allow_reference", allow_reference)):
        if rule is not None and not callable(rule):
            raise TypeError(f"expected a function as {name}, got {type(rule).__name__}")
    if fallback is None and (fallback_key or fallback_model):
        raise ValueError("expected fallback=URL with fallback_key or fallback_model, got none")
    if fallback_key and not key and authorize is None:
        raise ValueError(
            "expected authorize= (or key=) with fallback_key: where the server is away, it cannot check the keys of "
            "callers, and all of them would use this one"
        )
    if not shutdown_seconds >= 0:
        raise ValueError(f"expected 0 seconds or more as shutdown_seconds, got {shutdown_seconds}")
    checked = checked_timeouts(cast("Mapping[str, Any]", timeouts or {}))
    metrics = GatewayMetrics()
    server = Upstream(upstream, key, checked, retries, _tape(record))
    other = None if fallback is None else Upstream(fallback, fallback_key, checked, retries)
    streams = GatewayStreams(
        server,
        metrics,
        moderate=operators,
        log=log,
        log_options={"ttl": ttl, "lease": lease, "takeover_within": takeover_within},
        fallback=other,
        fallback_model=fallback_model,
        has_probes=inspect,
    )
    access = Access(
        authorize or (_any_token if key else token_of),
        allow_reference,
        log,
        holds_key=server.holds_key,
        moderates=bool(operators),
    )
    served = Gateway(
        server,
        streams,
        access,
        metrics,
        fallback=other,
        has_log=log is not None,
        moderates=bool(operators),
        streams_all=bool(operators or log is not None or record is not None or fallback is not None),
        limits=limits or GatewayLimits(),
        shutdown_seconds=shutdown_seconds,
    )
    responses = "/v1/responses"
    middleware = [Middleware(_Counting, metrics=served.metrics)]
    if cors:
        middleware.append(
            Middleware(CORSMiddleware, allow_origins=list(cors), allow_methods=["*"], allow_headers=["*"])
        )
    app = Starlette(
        routes=[
            Route(responses, served.endpoint(served.create), methods=["POST"]),
            Route(responses + "/{response_id}", served.endpoint(served.retrieve), methods=["GET"]),
            Route(responses + "/{response_id}", served.endpoint(served.delete), methods=["DELETE"]),
            Route(responses + "/{response_id}/input_items", served.endpoint(served.input_items), methods=["GET"]),
            Route(responses + "/{response_id}/cancel", served.endpoint(served.cancel), methods=["POST"]),
            Route("/healthz", served.health, methods=["GET"]),
            Route("/metrics", served.show_metrics, methods=["GET"]),
            *([Mount("/inspect", probes_app())] if inspect else []),
        ],
        middleware=middleware,
        exception_handlers={HTTPException: _http_error, Exception: _http_error},
        lifespan=served.lifespan,
    )
    app.state.gateway = served
    return app


def _any_token(request: Request, _: str | None) -> str | None:
    return token_of(request) or None


def _tape(folder: str | os.PathLike[str] | None) -> str | None:
    """The first tape of this process. Its session numbers those that follow."""
    if folder is None:
        return None
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return str(path / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.tape")


async def _http_error(request: Request, error: Exception) -> Response:
    """What Starlette answers, in the words of the API."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    messages = {404: f"Invalid URL ({request.method} {request.url.path})", 405: "Not allowed to use this method here."}
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return RequestError(status, messages.get(status, "An error occurred."), headers=headers).response()


class _Counting:
    """Counts requests by route and status."""

    def __init__(self, app: ASGIApp, metrics: GatewayMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")  # no label is of a client's making
                self._metrics.requests[route, message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counted)
