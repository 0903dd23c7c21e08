"""A client of the user's: what it must be, and which of its own settings count.

Its headers, cookies, parameters, proxies, certificates and event hooks are its own affair: it adds or uses them itself.
Its address, time-outs and redirects are read here, because the request of a transport would replace them in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit


class HttpClient(Protocol):
    """The part of `httpx.AsyncClient` that is used here; `httpx2.AsyncClient` has the same."""

    @property
    def is_closed(self) -> bool: ...
    def build_request(self, method: str, url: str, /, *, content: Any, headers: Any, timeout: Any) -> Any: ...
    async def send(self, request: Any, /, *, stream: bool, follow_redirects: bool) -> Any: ...
    async def aclose(self) -> None: ...


_LOGIN_IN_URL = re.compile(r"[^/?#]*//[^/?#]*@")
_WRITE_AUTHORIZATION = frozenset(("BasicAuth", "DigestAuth", "NetRCAuth"))


def checked_client(client: Any) -> HttpClient:
    """Return the client.

    Raises: TypeError: it is no async client of the httpx family.
    """
    is_class = isinstance(client, type)
    sends = all(callable(getattr(client, name, None)) for name in ("build_request", "send"))
    is_sync = hasattr(client, "close") and not hasattr(client, "aclose")
    if sends and not is_sync and not is_class:
        return client
    of: type[Any] = client if is_class else type(client)
    package = of.__module__.partition(".")[0]
    if package == "openai":
        advice = "give its api_key and base_url to the session, or a stream that it opened to rxstream.from_openai"
    elif is_class:
        advice = "make one by calling it"
    elif is_sync and sends:
        advice = "a plain `with Session()` too needs the async client, with the same arguments"
    elif hasattr(client, "handle_async_request"):
        advice = "it is a transport, so write httpx.AsyncClient(transport=…)"
    else:
        advice = "make one with httpx.AsyncClient(…)"
    what = f"the class {of.__qualname__}" if is_class else f"{package}.{of.__qualname__}"
    raise TypeError(f"expected an httpx.AsyncClient or httpx2.AsyncClient as http_client, got {what}: {advice}")


def base_url_of(client: HttpClient | None) -> str | None:
    """The client's own base URL, if it has one."""
    return str(getattr(client, "base_url", None) or "") or None


def timeouts_of(client: HttpClient | None) -> tuple[float | None, float | None] | None:
    """Seconds to connect and to wait for a byte, if the client's user has set them; each None without limit.

    The 5 seconds that httpx has by default are not a user's choice, and too few for a model that thinks.
    """
    timeout: Any = getattr(client, "timeout", None)
    if not all(hasattr(timeout, name) for name in ("connect", "read")) or timeout == type(timeout)(5.0):
        return None
    return timeout.connect, timeout.read


def follows_redirects(client: HttpClient | None) -> bool:
    """Whether the client's user has told it to follow redirects."""
    return getattr(client, "follow_redirects", False) is True


def header_names(client: HttpClient | None) -> set[str]:
    """The names of the headers that the client itself adds, in lower case."""
    headers: Mapping[str, str] = getattr(client, "headers", None) or {}
    return {name.lower() for name in headers}


def login_of(client: HttpClient | None, url: str) -> str | None:
    """What would replace the `Authorization` of a request, as an error names it; None: nothing would.

    httpx makes one of a user name in the URL, and of an `auth=` with a name and a password. An `auth=` that is a
    function or a class of the user's does what it wants with the request, which has the key.
    """
    names = {cls.__name__ for cls in type(getattr(client, "auth", None)).__mro__}
    if not _WRITE_AUTHORIZATION.isdisjoint(names):
        return "the auth= of http_client"
    return "the user name in base_url" if _LOGIN_IN_URL.match(url) else None


def without_login(url: str) -> str:
    """The URL without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def keep_query(client: HttpClient, url: str) -> dict[str, Any]:
    """Arguments for `build_request` with which a client that has parameters of its own keeps those of the URL."""
    if not getattr(client, "params", None):
        return {}
    return {"params": parse_qsl(urlsplit(url).query, keep_blank_values=True)}


def unchanged(request: Any) -> Any:
    """An `auth=` that does nothing."""
    return request
