"""The proxies of the environment: used, passed over, or named where they fail."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from rxstream.errors import ConnectError, RxStreamError
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport, Request
from tests.transport.http._peer import CHUNKED, LAST, Peer, serve

pytestmark = pytest.mark.anyio

FAR = "http://api.example.com/v1"
VARIABLES = [f"{name}_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def status(base_url: str, **options: Any) -> int | None:
    transport = HttpTransport(base_url=base_url, **options)
    try:
        async with transport.open(
            Request("POST", "/responses", json={"model": "m", "input": "Hi", "stream": True})
        ) as wire:
            async for _ in wire:
                pass
            return wire.status
    finally:
        await transport.aclose()


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
async def test_a_proxy_is_used(environment: pytest.MonkeyPatch, variable: str) -> None:
    async def forward(peer: Peer) -> None:
        await peer.send(CHUNKED)
        await peer.chunk("data: {}\n\n")
        await peer.send(LAST)

    async with serve(forward) as proxy:
        environment.setenv(variable, f"127.0.0.1:{proxy.port}")
        assert await status(FAR) == 200
        assert proxy.peer.path == "http://api.example.com/v1/responses"


@pytest.mark.parametrize(
    ("variable", "base_url"), [("ALL_PROXY", FAR), ("HTTP_PROXY", FAR), ("HTTPS_PROXY", FAR.replace("http", "https"))]
)
async def test_a_dead_proxy_is_named_and_not_its_password(
    environment: pytest.MonkeyPatch, dead_port: int, variable: str, base_url: str
) -> None:
    environment.setenv(variable, f"http://me:canary@127.0.0.1:{dead_port}")
    with pytest.raises(ConnectError, match=f"through the proxy 127.0.0.1:{dead_port}: Connection refused") as raised:
        await status(base_url)
    assert "api.example.com" in str(raised.value)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["http", "socks5", "nonsense"])
@pytest.mark.parametrize("excepted", ["", "*", "127.0.0.1"])
async def test_a_server_on_this_machine_has_no_proxy(
    environment: pytest.MonkeyPatch, dead_port: int, scheme: str, excepted: str
) -> None:
    environment.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{dead_port}")
    environment.setenv("NO_PROXY", excepted)
    with LocalServer([answers.text("Hi")]) as server:
        assert await status(server.base_url) == 200


@pytest.mark.parametrize("excepted", ["example.com", ".example.com", "*", "localhost, api.example.com"])
async def test_a_host_in_no_proxy_needs_nothing_for_socks(
    environment: pytest.MonkeyPatch, dead_port: int, excepted: str
) -> None:
    environment.setenv("ALL_PROXY", f"socks5://127.0.0.1:{dead_port}")
    environment.setenv("NO_PROXY", excepted)

    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    environment.setattr(socket, "getaddrinfo", no_such_host)  # nothing leaves this machine
    with pytest.raises(ConnectError) as raised:
        await status(FAR)
    assert "proxy" not in str(raised.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
async def test_a_socks_proxy_without_its_package_names_the_extra(
    environment: pytest.MonkeyPatch, dead_port: int, scheme: str
) -> None:
    environment.setattr("rxstream.transport.http._client.find_spec", lambda name: None)
    environment.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{dead_port}")
    with pytest.raises(RxStreamError, match=r"rxstream\[socks\]") as raised:
        await status(FAR)
    assert type(raised.value) is RxStreamError, "so it is not tried again"


@pytest.mark.skipif(importlib.util.find_spec("socksio") is None, reason="needs rxstream[socks]")
async def test_a_dead_socks_proxy_is_named(environment: pytest.MonkeyPatch, dead_port: int) -> None:
    environment.setenv("ALL_PROXY", f"socks5://127.0.0.1:{dead_port}")
    with pytest.raises(ConnectError, match=f"through the proxy 127.0.0.1:{dead_port}"):
        await status(FAR)


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://", "http://host:port", "http://[::1"])
async def test_a_proxy_that_is_none_is_refused(environment: pytest.MonkeyPatch, proxy: str) -> None:
    environment.setenv("ALL_PROXY", proxy)
    with pytest.raises(RxStreamError, match="ALL_PROXY"):
        await status(FAR)
