"""A test service for LaunchDarkly's SSE contract tests, over this package's own HTTP transport and decoder.

The contract: `GET /` tells what the client can do; `POST /` starts a client that reads `streamUrl` and reports what it
gets by numbered POSTs to `callbackUrl`; `DELETE` of its location stops it. Reconnecting after an end or an error is
the service's own loop: the transport opens one wire for one request.
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.abc
import httpx

from rxstream.errors import ContentTypeError, RxStreamError
from rxstream.transport import HttpTransport, Request
from tests.transport.http._peer import Peer
from tests.waiting import BOUND

CAPABILITIES = ["bom", "comments", "headers", "post", "server-directed-shutdown-request"]


@asynccontextmanager
async def contract_test_service() -> AsyncGenerator[str, None]:
    """The URL of a service that runs as long as the block."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=BOUND) as http,
        listener,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(listener.serve, _Service(url, http, tasks).answer)
        yield url
        tasks.cancel_scope.cancel()


class _Service:
    def __init__(self, url: str, http: httpx.AsyncClient, tasks: anyio.abc.TaskGroup) -> None:
        self._url = url
        self._http = http
        self._tasks = tasks
        self._clients: dict[str, anyio.CancelScope] = {}

    async def answer(self, stream: anyio.abc.SocketStream) -> None:
        async with stream:
            peer = Peer(stream)
            await peer.read_request()
            status, field, body = "200 OK", "", b""
            if (peer.method, peer.path) == ("GET", "/"):
                body = json.dumps({"name": "rxstream", "capabilities": CAPABILITIES}).encode()
            elif (peer.method, peer.path) == ("POST", "/"):
                path = f"/clients/{len(self._clients)}"
                self._clients[path] = anyio.CancelScope()
                self._tasks.start_soon(self._run, self._clients[path], json.loads(peer.body))
                status, field = "201 Created", f"Location: {self._url}{path}\r\n"
            elif peer.method == "DELETE" and peer.path in self._clients:
                self._clients[peer.path].cancel()
                status = "204 No Content"
            else:
                status = "404 Not Found"
            await peer.send(f"HTTP/1.1 {status}\r\n{field}Content-Length: {len(body)}\r\n\r\n", body)

    async def _run(self, scope: anyio.CancelScope, params: dict[str, Any]) -> None:
        send, receive = anyio.create_memory_object_stream[dict[str, Any]](inf)
        with scope:
            async with send, receive, anyio.create_task_group() as tasks:
                tasks.start_soon(self._report, params["callbackUrl"], receive)
                await self._listen(params, send.send_nowait)

    async def _report(self, url: str, messages: AsyncGenerator[dict[str, Any], None]) -> None:
        number = 0
        async for message in messages:
            number += 1
            await self._http.post(f"{url}/{number}", json=message)

    async def _listen(self, params: dict[str, Any], report: Callable[[dict[str, Any]], None]) -> None:
        target = urlsplit(params["streamUrl"])
        transport = HttpTransport(
            self._http,
            base_url=f"{target.scheme}://{target.netloc}",
            follow_redirects=True,
            on_comment=lambda text: report({"kind": "comment", "comment": text}),
        )
        request = Request(
            params.get("method") or "GET",
            target.path,
            json=json.loads(params["body"]) if params.get("body") else None,
            headers=params.get("headers") or {},
        )
        delay = params.get("initialDelayMs")
        while True:
            try:
                async with transport.open(request) as wire:
                    async for batch in wire:
                        for frame in batch:
                            event = {"type": frame.event, "data": frame.data, "id": frame.id}
                            report({"kind": "event", "event": event})
            except RxStreamError as error:
                report({"kind": "error", "error": f"{type(error).__name__}: {error}"})
                if isinstance(error, ContentTypeError) and error.status == 204:
                    return  # the server asks not to come again
            await anyio.sleep(0.1 if delay is None else delay / 1000)
