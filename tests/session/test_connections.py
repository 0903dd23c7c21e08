"""Proxies and certificates of the environment."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from rxstream.errors import ConnectError, RxStreamError, TransportError
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport
from tests.session._modes import Heard, in_session, modes

KEY = "sk-canary-0123456789"

# Made for this test, and trusted nowhere.
CERTIFICATE = """\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIIH+h6GnG+iTXpGvu8+j+JUn0t3ORmXeyxu7MggTTr/zoAoGCCqGSM49
AwEHoUQDQgAEHu3gBGdfGpkmEYHd/Wkfk83HEs3nyMDpCj5hXvOdYb1G58Asp45i
8LdSyEkPO+SdKnEApI3jwS+SA9oK/QDKLw==
-----END EC PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUYMAUf7VCk5NY6Zk336BuLFhYwoUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTIzMjAwMVoYDzIxMjYxMTAx
MjMyMDAxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQe7eAEZ18amSYRgd39aR+TzccSzefIwOkKPmFe851hvUbnwCynjmLw
t1LISQ875J0qcQCkjePBL5ID2gr9AMovo28wbTAdBgNVHQ4EFgQUCr/NFF3LQmDw
auss5YKtEro+i2wwHwYDVR0jBBgwFoAUCr/NFF3LQmDwauss5YKtEro+i2wwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAPXjjV5Jc0q5xeSQbrE1YWT7ljfds9+HyUM7C2DinBdQAiEA
+l4F+2TbEd5DGbISeBwVb5jrHPeYMw64f9CO0mtIs1U=
-----END CERTIFICATE-----
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.startswith("SSL"):
            monkeypatch.delenv(name)


def ask(base_url: str, mode: str = "with", max_retries: int = 2) -> Heard:
    heard = Heard()
    options = {"api_key": KEY, "base_url": base_url, "max_retries": max_retries}
    in_session(mode, lambda session: heard.subscribe(session.response(model="m", input="Hi")), **options)
    return heard


@contextmanager
def tls_server(folder: Path) -> Generator[tuple[int, list[None]]]:
    """A server with a certificate that nobody trusts; its port, and an entry for each connection."""
    file = folder / "server.pem"
    file.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    connections: list[None] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connections.append(None)
                    with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as wrapped:
                        wrapped.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], connections
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@modes
def test_a_certificate_that_is_not_trusted_is_not_tried_again(mode: str, tmp_path: Path) -> None:
    with tls_server(tmp_path) as (port, connections):
        error = ask(f"https://localhost:{port}/v1", mode).error
    assert isinstance(error, ConnectError)
    assert "certificate" in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert error.should_retry is False
    assert len(connections) == 1


PROXIES = {
    "dead": "http://127.0.0.1:1",
    "no address": "http://[::1",
    "no port": f"http://user:{KEY}@proxy.example:port",
    "no scheme": "ftp://proxy.example",
    "socks": "socks5://127.0.0.1:1",
}


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_this_machine_is_not_reached_through_a_proxy(name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, PROXIES[name])
    with LocalServer([answers.text("Hi")]) as server:
        assert ask(server.base_url).completed()


def test_a_proxy_never_sees_the_key_of_a_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer([answers.text("Hi")]) as server, LocalServer([answers.http_error(500)]) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        for host in ("127.0.0.1", "localhost"):
            assert ask(server.base_url.replace("127.0.0.1", host)).completed()
        assert len(proxy.log) == 0


@pytest.mark.parametrize("name", ["no address", "no port", "no scheme"])
def test_a_proxy_that_cannot_be_used_is_one_clear_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", PROXIES[name])
    error = ask("https://api.example.test/v1").error
    assert isinstance(error, RxStreamError)
    assert not isinstance(error, TransportError), "it would be tried again"
    assert "ALL_PROXY" in str(error)
    assert "canary" not in str(error)
    assert error.__context__ is None


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_one_clear_error(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    error = ask("https://api.example.test/v1").error
    assert isinstance(error, ConnectError)
    assert "SSL_CERT_FILE" in str(error)
    assert error.should_retry is False


@pytest.mark.parametrize("scheme", ["http", "HTTP", "hTTp"])
def test_a_key_without_encryption_is_warned_of_however_it_is_written(scheme: str) -> None:
    with pytest.warns(UserWarning, match="without encryption"):
        HttpTransport(base_url=f"{scheme}://api.example.test/v1", api_key=KEY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HttpTransport(base_url=f"{scheme}s://api.example.test/v1", api_key=KEY)
        HttpTransport(base_url=f"{scheme}://LOCALHOST/v1", api_key=KEY)
