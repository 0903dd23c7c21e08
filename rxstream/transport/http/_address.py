"""Base URLs: checked, joined with a path, named in errors."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from rxstream.transport._headers import SECRET_NAME

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_PORTS = {"http": 80, "https": 443}


def checked_base_url(base_url: str) -> str:
    """Return `base_url`.

    Raises:
        ValueError: it is not an absolute http(s) URL.
    """
    hint = "write it like https://api.openai.com/v1"
    if _UNSAFE.search(base_url):
        raise ValueError(f"the base URL must not hold a space, a line end or a control character: {hint}")
    try:
        parts = urlsplit(base_url)
        parts.port  # noqa: B018  (a property that raises)
    except ValueError:
        parts = None
    if parts is None:  # the message of urllib quotes the URL, which may hold a password
        raise ValueError(f"the base URL is not valid: check its host and port, and {hint}")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"the base URL must have http:// or https:// and a host: {hint}")
    return base_url


def join_url(base_url: str, path: str, params: Mapping[str, str | int] | None = None) -> str:
    """The URL of `path` below `base_url`.

    The path of the base is kept, with or without `/v1`. Its query (Azure's `api-version`) is kept too, and `params`
    follow it. A fragment is dropped.

        >>> join_url("https://host.example/openai/v1/?api-version=preview", "/responses", {"after": 3})
        'https://host.example/openai/v1/responses?api-version=preview&after=3'

    Raises:
        ValueError: the base is not an http(s) URL, or the path holds characters that a URL cannot.
    """
    parts = urlsplit(checked_base_url(base_url))
    if _UNSAFE.search(path):
        raise ValueError("the path must not hold a space, a line end or a control character: percent-encode it")
    below, _, path_query = path.partition("?")
    queries = [parts.query, path_query, urlencode(dict(params or {}))]
    return urlunsplit(
        (
            parts.scheme,
            parts.netloc,
            f"{parts.path.rstrip('/')}/{below.lstrip('/')}",
            "&".join(query for query in queries if query),
            "",
        )
    )


def host_and_port(url: str) -> str:
    """`host:port`, as errors name a server: without user name, password and query."""
    parts = urlsplit(url)
    host = parts.hostname or "?"
    return f"[{host}]:{_port(parts)}" if ":" in host else f"{host}:{_port(parts)}"


def secrets_in(url: str) -> list[str]:
    """The password of a URL, or its user name where that is all, and the fields of its query that hold keys."""
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    named = [value for name, value in parse_qsl(parts.query) if SECRET_NAME.search(name)]
    return [secret for secret in (unquote(password or user), *named) if secret]


def is_loopback(url: str) -> bool:
    """Whether the host of `url` is a loopback address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_private(url: str) -> bool:
    """Whether others cannot read what is sent to `url`: it has TLS, or the host is this machine."""
    return urlsplit(url).scheme == "https" or is_loopback(url)


def is_openai(url: str) -> bool:
    """Whether `url` is an address of OpenAI: `api.openai.com`, or that of a region, such as `eu.api.openai.com`."""
    host = urlsplit(checked_base_url(url)).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def same_origin(old: str, new: str) -> bool:
    """Whether a request for `old`, with its key, may be sent to `new`: the same origin, or the same host with TLS."""
    a, b = urlsplit(old), urlsplit(new)
    if a.hostname != b.hostname:
        return False
    if a.scheme == b.scheme:
        return _port(a) == _port(b)
    return (a.scheme, _port(a), b.scheme, _port(b)) == ("http", 80, "https", 443)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS.get(parts.scheme, 0)
