"""A real web server on loopback for the tests: uvicorn, on a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

import rxstream
from tests.ports import free_port
from tests.waiting import BOUND, wait_for

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@contextmanager
def served(
    app: App, *, lifespan: bool = False, make: Callable[[uvicorn.Config], uvicorn.Server] = uvicorn.Server
) -> Iterator[str]:
    """The address of the app, while it runs. Leaving waits until it has ended."""
    config = uvicorn.Config(
        app,
        port=0,
        log_level="error",
        lifespan="on" if lifespan else "off",
        ws="none",
        timeout_graceful_shutdown=int(BOUND),
    )
    server = make(config)
    listener = socket.socket()
    listener.bind(("127.0.0.1", free_port()))  # a browser comes back to a server that has closed
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        assert server.started
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(BOUND)
        listener.close()
        assert not thread.is_alive(), "a request of the server has not ended"


def with_session(base_url: str, *routes: BaseRoute) -> Starlette:
    """An application whose `app.state.session` reads from a local server."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async with rxstream.Session("none", base_url=base_url) as session:
            app.state.session = session
            yield

    return Starlette(routes=list(routes), lifespan=lifespan)


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, timeout=BOUND, trust_env=False)
