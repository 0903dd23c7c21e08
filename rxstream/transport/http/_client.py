"""The HTTP client of a transport that was given none, and its proxy.

It is httpx's. Where `httpx-aiohttp` is installed and the loop is asyncio's, aiohttp sends below it, at half the CPU
(docs/decisions/the-fast-client.md). Through a proxy httpx sends itself, because aiohttp knows no SOCKS.

The proxy is found with the standard library, because httpx prepares every proxy of the environment: it fails with
`ALL_PROXY=socks5://…` where its extra is missing, also for a host that `NO_PROXY` excepts.
"""

import os
from functools import cache
from importlib.util import find_spec
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

from rxstream.errors import ConnectError, RxStreamError
from rxstream.errors._redaction import note_secrets
from rxstream.transport.http._address import host_and_port, is_loopback, secrets_in
from rxstream.transport.http._external_client import HttpClient
from rxstream.transport.http._idle import on_trio
from rxstream.transport.http._one_piece import OnePiece, Pieces

_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_PIECE = 256 * 1024
"""Bytes."""
_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for `url`. A loopback address has none: the key would leave the machine.

    Raises: RxStreamError: the proxy cannot be used.
    """
    from urllib.request import getproxies, proxy_bypass  # slow to import; httpx needs it too

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_loopback(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    variable = f"{parts.scheme.upper()}_PROXY or ALL_PROXY"
    scheme, where = _scheme_and_place(proxy)
    if scheme not in _SCHEMES or where is None:
        raise RxStreamError(
            f"expected a proxy like http://host:port or socks5://host:port in {variable}, got another text: correct it"
        )
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise RxStreamError(
            f"the SOCKS proxy {where} of {variable} needs a package that is not installed: "
            "pip install 'rxstream[socks]', or add the server to NO_PROXY"
        )
    note_secrets(secrets_in(proxy))
    return proxy


def _scheme_and_place(proxy: str) -> tuple[str, str | None]:
    try:
        parts = urlsplit(proxy)
        return parts.scheme, host_and_port(proxy) if parts.hostname else None
    except ValueError:  # of the port
        return "", None


def own_client(proxy: str | None, *, with_aiohttp: bool) -> HttpClient:
    """A client that sends through `proxy`, and asks the environment for no other.

    `with_aiohttp`: send with aiohttp where that can be. It refuses a URL with a user name beside an `Authorization`,
    and does not give the connection of an upgrade.

    Raises: ConnectError: the certificates of the environment cannot be used.
    """
    import httpx  # slow to import, and not needed with a client of the user's or with a tape

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    try:
        if with_aiohttp and proxy is None and not on_trio() and find_spec("httpx_aiohttp") is not None:
            return httpx.AsyncClient(transport=_aiohttp_transport(httpx.create_ssl_context()))
        return httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(limits=limits, proxy=proxy))
    except OSError:
        pass
    names = " and ".join(name for name in _CERTIFICATES if os.environ.get(name))
    raise ConnectError(
        f"the file of certificates or keys that {names} names cannot be read: correct it", should_retry=False
    )


def _aiohttp_transport(context: SSLContext) -> Any:
    import aiohttp
    import httpx
    from httpx_aiohttp import AiohttpTransport

    class LargeBody(httpx.AsyncByteStream):
        def __init__(self, content: bytes) -> None:
            self._content = content

        def __aiter__(self) -> Pieces:
            return Pieces(self._content, _PIECE)

    class PiecewiseTransport(AiohttpTransport):
        """Sends a large request in pieces: aiohttp warns of more than 1 MiB in one, which may hold up the loop."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if len(request.content) > _PIECE:
                body = LargeBody(request.content)
                request = httpx.Request(
                    request.method, request.url, headers=request.headers, stream=body, extensions=request.extensions
                )
            return await super().handle_async_request(request)

    def make() -> aiohttp.ClientSession:
        # The one that AiohttpTransport makes has room for 100 connections, and keeps the cookies that httpx keeps.
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return PiecewiseTransport(verify=context, client=make)


@cache
def _body_class() -> type[Any]:
    import httpx

    class Body(httpx.ByteStream):
        """A body of bytes. The iterator of httpx is a generator, and trio warns where one is left unfinished."""

        def __aiter__(self) -> Any:
            return OnePiece(b"".join(self))

    return Body


def replace_generator(request: Any) -> None:
    """Let a request of httpx give its body without a generator, so that it may be cancelled while it is sent."""
    body = request.stream
    if type(body).__module__.partition(".")[0] == "httpx" and type(body).__name__ == "ByteStream":
        request.stream = _body_class()(b"".join(body))
