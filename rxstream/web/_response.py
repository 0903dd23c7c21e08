"""The answer for Starlette and FastAPI. It is a module of its own, because it imports Starlette."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reactivex import Observable
from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rxstream.web._event_stream import EventStream
from rxstream.web._stream_format import StreamFormat


class EventStreamResponse(Response):
    """A stream of events as the answer of an endpoint of Starlette or FastAPI: `return EventStreamResponse(events)`.

    It is an `EventStream`, which says what is sent and when the subscription is disposed. It needs `starlette`.

    Args:
        source: the events of a response or of a run.
        format: `to_sse()`, if not given, `to_ui_messages()`, `to_ag_ui(…)`, or your own `StreamFormat`.
        status_code: the HTTP status.
        headers: further headers, or other values for those of `EventStream`.
        heartbeat: so many seconds without a part, and a comment is sent; None: never.
        buffer: how many parts may wait for the client.
        background: runs once the stream has ended, also when the client has gone.

    Raises: as `EventStream`.
    """

    def __init__(
        self,
        source: Observable[Any],
        format: StreamFormat[Any] | None = None,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        heartbeat: float | None = 15.0,
        buffer: int = 64,
        background: BackgroundTask | None = None,
    ) -> None:
        stream = EventStream(source, format, status=status_code, headers=headers, heartbeat=heartbeat, buffer=buffer)
        self._stream = stream
        self.status_code = status_code
        self.background = background
        self.init_headers(stream.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Of the response: a middleware or a cookie may have changed them since.
        self._stream.status = self.status_code
        self._stream.raw_headers = self.raw_headers
        await self._stream(scope, receive, send)
        if self.background is not None:
            await self.background()
