"""The exceptions of HTTP clients as our own errors.

An exception of an HTTP client holds the request, and with it the key. So its message is copied here and the exception
is dropped: an error of ours is never raised `from` one of theirs, nor while one of theirs is being handled.

Exceptions are recognised by name: `httpx` and `httpx2` have the same names, and neither has to be installed.
"""

import errno
import os
from collections.abc import Iterator
from typing import Any, cast

from rxstream.errors import (
    ConnectError,
    ConnectTimeoutError,
    DisconnectedError,
    HeadTooLargeError,
    IdleTimeoutError,
    ProtocolError,
    RxStreamError,
)
from rxstream.errors._redaction import one_line
from rxstream.transport.http._address import host_and_port

# httpx-aiohttp raises ConnectTimeout for aiohttp's ServerDisconnectedError, and the base class for its time-outs.
_NEVER_CONNECTED = frozenset(
    ("ConnectTimeout", "PoolTimeout", "ConnectError", "ProxyError", "UnsupportedProtocol", "InvalidURL")
)
_TOO_SLOW = frozenset(("ReadTimeout", "WriteTimeout"))
_WIRE = frozenset(
    (
        "HTTPError",  # the root of httpx and httpx2
        "InvalidURL",
        "ClientError",  # aiohttp
        "ClosedResourceError",  # anyio, trio
        "BrokenResourceError",
        "OSError",
    )
)


# An `OSError` of a file, which an event hook of the client has read.
_FILE = frozenset(
    ("FileNotFoundError", "PermissionError", "FileExistsError", "IsADirectoryError", "NotADirectoryError")
)

_OTHER_LOOP = (
    *("loop is closed", "a different event loop", "a different loop"),
    *("must be called from async context", "no running event loop"),
)
_LARGE_HEAD = ("Receive buffer too long", "Too many headers received", "Got more than")
"""h11 says the first, aiohttp the others."""

_GONE = frozenset(("StreamConsumed", "StreamClosed", "ResponseNotRead"))


def is_wire_failure(error: Exception) -> bool:
    """Whether `error` comes from the connection, and not from a mistake in a program."""
    names = _names(error)
    return _other_loop(error) or not (_WIRE.isdisjoint(names) or names & _FILE)


def answer_in(error: Exception) -> Any | None:
    """The answer that an event hook of the client has raised as an error, with httpx's `raise_for_status`."""
    return getattr(error, "response", None) if "HTTPStatusError" in _names(error) else None


def server_in(error: Exception, where: str) -> str:
    """The server of the request that failed: an event hook may send requests of its own. `where` if it has none."""
    try:
        return host_and_port(str(cast(Any, error).request.url))
    except (AttributeError, RuntimeError, ValueError):
        return where


def body_is_gone(error: Exception) -> bool:
    """Whether `error` says that the body of an answer was read or closed before."""
    return not _GONE.isdisjoint(_names(error))


def hook_took_body(where: str, request_id: str | None) -> RxStreamError:
    """The error for such an answer."""
    return RxStreamError(
        f"an event hook of the HTTP client has read or closed the body of the answer from {where}, and it is gone: "
        "read it there with `await response.aread()`, which keeps it",
        request_id=request_id,
    )


def before_answer(error: Exception, where: str, connect: float | None, idle: float | None) -> RxStreamError:
    """The error for a request that failed before the head of its answer had come. `connect`, `idle`: its limits."""
    names = _names(error)
    if _other_loop(error):
        return ConnectError(
            f"the HTTP client for {where} has connections of another event loop: make a client for each loop (each "
            "`with Session()` has a loop of its own), or leave http_client out",
            should_retry=False,
        )
    if str(error).startswith("Invalid URL in location header"):  # httpx reads it though it does not follow it
        return ProtocolError(f"{where} redirects to an address that is not valid: set base_url to the right address")
    closed = any("ServerDisconnectedError" in _names(cause) for cause in _causes(error))  # aiohttp
    if not closed and not _NEVER_CONNECTED.isdisjoint(names):
        if "PoolTimeout" in names:
            return ConnectError(
                f"no connection to {where} is free, because the HTTP client's limit is reached: "
                "raise its max_connections, or run fewer streams at once"
            )
        if _is_slow_connection(error, names):
            waited = "in time" if connect is None else f"within {connect:g} s"
            return ConnectTimeoutError(
                f"no connection to {where} {waited}: check base_url and the network, or raise connect_timeout",
                seconds=connect,
            )
        reason = _reason(error)
        if "WRONG_VERSION_NUMBER" in reason:
            return ConnectError(f"{where} does not speak TLS ({reason}): write http:// in base_url, or another port")
        if _untrusted(error):
            return ConnectError(
                f"cannot reach {where}: {reason}; check base_url, or name the certificate of your own "
                "authority in SSL_CERT_FILE",
                should_retry=False,
            )
        return ConnectError(f"cannot reach {where}: {reason}; check base_url and the network")
    if _is_too_slow(names):
        return no_answer(where, idle)
    if _is_large_head(error):
        return HeadTooLargeError(
            f"expected the head of an answer from {where}, got more than the HTTP client takes "
            f"({_reason(error)}): check that base_url is right; an http_client with another limit may read it"
        )
    what = "sent what is not HTTP" if _is_not_http(error) else "closed the connection before it answered"
    reason = "server disconnected" if closed else _reason(error)  # the message of aiohttp's may be the head so far
    return ConnectError(f"{where} {what}: {reason}; try again, and check that base_url names an HTTP server")


def no_answer(where: str, seconds: float | None) -> IdleTimeoutError:
    """The error for a server that accepted the request and sent nothing."""
    waited = "in time" if seconds is None else f"within {seconds:g} s"
    return IdleTimeoutError(f"{where} did not answer {waited}: try again, or raise idle_timeout", seconds=seconds)


def amid_answer(error: Exception, where: str, seconds: float | None, request_id: str | None) -> RxStreamError:
    """The error for a connection that failed while the stream was being read."""
    if _is_too_slow(_names(error)):
        return too_slow(where, seconds, request_id)
    return DisconnectedError(
        f"the connection to {where} broke in the middle of the stream: {_reason(error)}",
        request_id=request_id,
    )


def too_slow(where: str, seconds: float | None, request_id: str | None) -> IdleTimeoutError:
    """The error for a stream in which nothing arrived for too long."""
    waited = "too long" if seconds is None else f"{seconds:g} s"
    return IdleTimeoutError(
        f"nothing arrived from {where} for {waited}: try again, or raise idle_timeout",
        seconds=seconds,
        request_id=request_id,
    )


def _other_loop(error: Exception) -> bool:
    """Whether a client has connections of another loop: one that has ended, or runs in another thread, or of trio."""
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OTHER_LOOP)


def _untrusted(error: Exception) -> bool:
    return any("SSLCertVerificationError" in _names(cause) for cause in _causes(error))


def _is_slow_connection(error: Exception, names: frozenset[str]) -> bool:
    """Whether it is a time-out, which the client of aiohttp's name for a lost connection is not."""
    if "ConnectTimeout" not in names:
        return False
    causes = [_names(cause) for cause in _causes(error)]
    return not any("ClientConnectionError" in cause and "ServerTimeoutError" not in cause for cause in causes)


def _is_large_head(error: Exception) -> bool:
    return any(text in str(cause) for cause in _causes(error) for text in _LARGE_HEAD)


def _is_not_http(error: Exception) -> bool:
    """Whether the answer cannot be read. aiohttp also says it of a broken body that came in one read with its head."""
    causes = [(type(cause).__module__.split(".")[0], type(cause).__name__) for cause in _causes(error)]
    return not {("h11", "RemoteProtocolError"), ("aiohttp", "HttpProcessingError")}.isdisjoint(causes)


def _is_too_slow(names: frozenset[str]) -> bool:
    return not _TOO_SLOW.isdisjoint(names) or ("TimeoutException" in names and "ConnectTimeout" not in names)


def _names(error: BaseException) -> frozenset[str]:
    return frozenset(cls.__name__ for cls in type(error).__mro__)


def _reason(error: Exception) -> str:
    """The message of the innermost cause, such as "Connection refused"."""
    *_, cause = _causes(error)
    if isinstance(cause, OSError) and "SSLError" not in _names(cause) and cause.errno in errno.errorcode:
        return os.strerror(cause.errno or 0)
    return one_line(str(cause), 200) or type(cause).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, its cause, and so on; of a group the first."""
    yield error
    cause = error.__cause__ or error.__context__
    while isinstance(cause, BaseExceptionGroup):
        cause = cast("BaseExceptionGroup[BaseException]", cause).exceptions[0]
    if cause is not None:
        yield from _causes(cause)
