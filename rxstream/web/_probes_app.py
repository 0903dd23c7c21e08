"""The page of probes for Starlette and FastAPI. It is a module of its own, because it imports Starlette."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import timedelta
from importlib.resources import files

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from rxstream.probes import snapshot
from rxstream.rx._timed import seconds_of

_CONNECTION_SECONDS = 5.0
"""After this the event stream ends, and the page asks for the next: a server that is to stop waits for open answers."""

_NOT_KEPT = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def probes_app(*, every: float | timedelta = 0.5) -> Starlette:
    """A page that watches all streams of this process that have probes, as an app to mount.

    `app.mount("/probes", probes_app())`, or alone: `uvicorn.run(probes_app())`. The page is one file that loads nothing
    from elsewhere. `GET /events` below it is the snapshots as an event stream, each the JSON of `probes.snapshot()`.
    It shows names and numbers and no content. All who can reach it can read it, so protect it as other pages of
    operation. It needs `starlette`.

    Args:
        every: seconds between two snapshots.

    Raises: TypeError, ValueError: `every` is not a time of 10 ms or more.
    """
    seconds = seconds_of("every", every, least=0.01)
    html = (files("rxstream.web") / "_probes.html").read_text("utf-8")
    headers = {**_NOT_KEPT, "content-security-policy": _policy(html), "referrer-policy": "no-referrer"}

    async def page(request: Request) -> Response:
        return HTMLResponse(html, headers=headers)

    async def events(request: Request) -> Response:
        return StreamingResponse(_snapshots(seconds), media_type="text/event-stream", headers=_NOT_KEPT)

    return Starlette(routes=[Route("/", page), Route("/events", events)])


async def _snapshots(every: float) -> AsyncIterator[str]:
    yield f"retry: {round(every * 1000)}\n\n"
    end = anyio.current_time() + _CONNECTION_SECONDS
    while True:
        data = json.dumps([asdict(stream) for stream in snapshot()], separators=(",", ":"))
        yield f"data: {data}\n\n"
        if anyio.current_time() + every > end:
            return
        await anyio.sleep(every)


def _policy(html: str) -> str:
    """It runs the one script that the page has, and reads from the server that it came from."""
    hashes = {
        kind: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for kind, text in re.findall(r"<(style|script)>(.*?)</\1>", html, re.DOTALL)
    }
    return (
        f"default-src 'none'; connect-src 'self'; script-src 'sha256-{hashes['script']}'; "
        f"style-src 'sha256-{hashes['style']}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
