"""Frames over HTTP, with any client that has the methods of `httpx.AsyncClient`."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import urljoin, urlsplit

import anyio
from anyio.lowlevel import RunVar, RunvarToken

from rxstream._version import __version__
from rxstream.errors import ConnectError, FrameTooLargeError, ProtocolError, RxStreamError
from rxstream.errors._redaction import note_secrets
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES, Decoder
from rxstream.transport._base import Request, Wire
from rxstream.transport._headers import checked_headers, checked_key, secrets_of
from rxstream.transport.http._address import (
    checked_base_url,
    host_and_port,
    is_private,
    join_url,
    same_origin,
    secrets_in,
)
from rxstream.transport.http._answer import HttpAnswer, HttpResponse
from rxstream.transport.http._answer_frames import AnswerFrames, expect_frames
from rxstream.transport.http._client import own_client, proxy_for, replace_generator
from rxstream.transport.http._external_client import (
    HttpClient,
    checked_client,
    follows_redirects,
    header_names,
    keep_query,
    login_of,
    unchanged,
    without_login,
)
from rxstream.transport.http._failures import answer_in, before_answer, is_wire_failure, no_answer, server_in

_MAX_REDIRECTS = 5
_numbers = count()  # a RunVar is known by its name


class HttpTransport:
    """Frames over HTTP.

    Args:
        client: any `httpx.AsyncClient` or `httpx2.AsyncClient`, also one with the transport of `httpx-aiohttp`. It is
            not closed. Its headers, cookies, parameters and event hooks count. None: a client of its own for each event
            loop, made for the first request, closed by `aclose`.
        base_url: of the server, with or without `/v1`; a path prefix and a query are kept.
        api_key: sent as `Authorization: Bearer …`, and redacted in the text of the server in errors.
        headers: sent with each request; they replace the key's and the usual ones of the same name. With an `api-key`
            among them or the client's, `Authorization` is not made of the key.
        connect_timeout: seconds to get a connection.
        idle_timeout: seconds without a single byte from the server, comments included; time in which the stream is
            paused does not count. The head of the answer must be whole within both time-outs together. None: no limit.
        max_frame_bytes: the limit of a Frame, in decompressed bytes.
        follow_redirects: follow up to five redirects that keep method and body and stay on the host, also where the
            client is set to follow. Any other is a `StatusError`, because following it would send key and prompt to
            another server.
        on_comment: called with each comment of a stream.
        upgrades: whether `upgrade` will be called. The client of its own is plain httpx then, because aiohttp does not
            give its connection.

    Raises:
        ValueError: a URL, a header or a key that cannot be sent; a key beside the login of the client or the URL.
        TypeError: the client is not an async client of the httpx family.
    """

    def __init__(
        self,
        client: HttpClient | None = None,
        *,
        base_url: str,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = 600.0,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        follow_redirects: bool = False,
        on_comment: Callable[[str], object] | None = None,
        upgrades: bool = False,
    ) -> None:
        if client is not None:
            checked_client(client)
        own_names = {name.lower() for name in headers or {}}
        key = {} if api_key is None else {"authorization": f"Bearer {checked_key(api_key)}"}
        if "api-key" in own_names | header_names(client):
            key = {}
        self._external_client = client
        self._own_clients: RunVar[_OwnClient | None] = RunVar(f"rxstream client {next(_numbers)}")
        """The own client of each event loop: its connections cannot be used on another."""
        self._proxy: str | None = None
        """The proxy of the own client; one of the user's client is not known."""
        self._base_url = checked_base_url(base_url)
        if urlsplit(base_url).path.rstrip("/").endswith("/responses"):
            raise ValueError("/responses is added to the base URL, which ends in it already: leave it out")
        self._login = login_of(client, base_url)
        if self._login is not None and (key or "authorization" in own_names):
            raise ValueError(
                f"{'the API key' if key else 'an Authorization header'} and {self._login} are both given, and only one "
                "can be sent as Authorization: leave one of them out"
            )
        self._headers = checked_headers(
            {"user-agent": f"rxstream/{__version__}", "accept-encoding": "identity"}, key, headers or {}
        )
        secrets = [*secrets_of(self._headers), *secrets_in(base_url), *([api_key] if api_key else [])]
        note_secrets(secrets)
        self._connect = connect_timeout
        self._idle = idle_timeout
        self._max = max_frame_bytes
        self._follow = follow_redirects or follows_redirects(client)
        self._on_comment = on_comment
        self._with_aiohttp = self._login is None and not upgrades
        if secrets and not is_private(base_url):
            warnings.warn(
                f"the API key will be sent to {host_and_port(base_url)} without encryption: use https:// in base_url",
                stacklevel=2,
            )

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Send `request`; the wire closes when the block is left. See `Transport.open`.

        Raises:
            ConnectError: no connection, or it closed before the answer.
            ConnectTimeoutError: no connection in time.
            IdleTimeoutError: no answer in time; from the iteration: nothing arrived for too long.
            HeadTooLargeError: the head of the answer is larger than the client takes.
            StatusError: a status that is not 2xx.
            ContentTypeError: the answer is not an event stream. One without any content type is read as one. The JSON
                of a whole response, from a server that ignored `stream`, is one Frame, which `normalize` reads.
            DisconnectedError, FrameTooLargeError, ProtocolError: from the iteration.
            ValueError: the path or the headers of the request cannot be sent.
        """
        answer = await self._send(request, accept="text/event-stream")
        try:
            await expect_frames(answer)
            frames = AnswerFrames(
                answer,
                Decoder(max_frame_bytes=self._max, at_eof="whole_json", on_comment=self._on_comment),
                max_frame_bytes=self._max,
            )
            yield Wire(
                frames,
                status=answer.status,
                headers=answer.headers,
                request_id=answer.request_id,
                bytes_read=lambda: answer.bytes_read,
            )
        finally:
            await answer.aclose()

    async def request_json(self, request: Request) -> Any:
        """Send a request and return the JSON of its answer. Raises: as `open`."""
        answer = await self._send(request, accept="application/json")
        try:
            answer.inflate()
            body = bytearray()
            while (data := await answer.read()) is not None:
                body += data
                if len(body) > self._max:
                    raise FrameTooLargeError(
                        f"an answer is larger than max_frame_bytes={self._max}: raise it if that is expected",
                        limit=self._max,
                        request_id=answer.request_id,
                    )
        finally:
            await answer.aclose()
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
        raise answer.content_error("with something that is not JSON", bytes(body))

    async def upgrade(self, request: Request) -> HttpAnswer:
        """Send a request to switch to another protocol; return the answer, a 101. It is the caller's to close.

        Raises: as `open`; StatusError for any other status.
        """
        return await self._send(request, accept="*/*", upgrade=True)

    async def aclose(self) -> None:
        """Close the transport's own client of this event loop. A request after that makes another."""
        own = self._own_clients.get(None)
        if own is not None:
            self._own_clients.reset(own.token)
            await own.client.aclose()

    async def _send(self, request: Request, *, accept: str, upgrade: bool = False) -> HttpAnswer:
        """The answer to `request`, once its head has arrived with a status of 2xx, or 101; else its error."""
        try:
            message = self._message(request, accept)
        except ValueError as error:
            raise error.with_traceback(None)  # noqa: B904  (the same error, without the frames that hold the headers)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = await self._exchange(message)
            if answer.status == 101 if upgrade else 200 <= answer.status < 300:
                return answer
            try:
                target = _next_url(answer, message.method, message.url) if self._follow else None
                if target is None:
                    raise answer.status_error(await answer.start())
            finally:
                await answer.aclose()
            message = replace(message, url=target)
        raise ProtocolError(f"{message.where} redirects more than {_MAX_REDIRECTS} times: check base_url")

    def _message(self, request: Request, accept: str) -> _Message:
        content, kind = _content(request.json)
        headers = checked_headers({"accept": accept, **kind}, self._headers, request.headers)
        url = join_url(self._base_url, request.path, request.params)
        connect, idle = request.limit("connect", self._connect), request.limit("idle", self._idle)
        return _Message(request.method, url, headers, content, connect, idle)

    async def _exchange(self, message: _Message) -> HttpAnswer:
        """One request, up to the head of its answer."""
        connect, idle = message.connect, message.idle
        note_secrets([*secrets_of(message.headers), *secrets_in(message.url)])
        client = self._client()
        where, url = message.where, message.url
        auth: dict[str, Any] = {}
        if self._login is not None and "authorization" in message.headers:  # of this request
            url, auth = without_login(url), {"auth": unchanged}
        if self._proxy is not None:
            where = f"{where} through the proxy {host_and_port(self._proxy)}"
        if client.is_closed:
            raise ConnectError("the HTTP client is closed: keep it open for as long as streams run", should_retry=False)
        # The read time-out of a client starts again with every byte. The scope limits a head that arrives byte by byte.
        seconds = None if connect is None or idle is None else connect + idle
        response: HttpResponse | None = None
        failure: RxStreamError | None = None
        with anyio.move_on_after(seconds):
            try:
                prepared = client.build_request(
                    message.method,
                    url,
                    content=message.content,
                    headers=message.headers,
                    timeout=(connect, idle, idle, connect),
                    **keep_query(client, url),
                )
                replace_generator(prepared)
                try:
                    response = await client.send(prepared, stream=True, follow_redirects=False, **auth)
                finally:  # with the headers that the client itself has added
                    note_secrets(secrets_of(getattr(prepared, "headers", {})))
                    del prepared  # its repr, which tools show with a traceback, has the password of a URL
            except Exception as error:
                response = answer_in(error)
                if response is None and not is_wire_failure(error):
                    raise
                other = server_in(error, message.where)
                if other != message.where:
                    where = other
                if response is None:
                    failure = before_answer(error, where, connect, idle)
        if response is not None:
            return HttpAnswer(response, where=where, idle=idle)
        raise failure or no_answer(where, seconds)

    def _client(self) -> HttpClient:
        if self._external_client is not None:
            return self._external_client
        own = self._own_clients.get(None)
        if own is None:
            self._proxy = proxy_for(self._base_url)
            own = _OwnClient(own_client(self._proxy, with_aiohttp=self._with_aiohttp))
            own.token = self._own_clients.set(own)
        return own.client


class _OwnClient:
    """A transport's own client of one event loop, and the token that removes it there."""

    token: RunvarToken[Any]

    def __init__(self, client: HttpClient) -> None:
        self.client = client


@dataclass(frozen=True, slots=True)
class _Message:
    """What is sent. Its repr, which tools show with a traceback, has neither key nor prompt."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(repr=False)
    connect: float | None
    idle: float | None

    @property
    def where(self) -> str:
        """The server, as errors name it."""
        return host_and_port(self.url)


def _content(body: Mapping[str, Any] | None) -> tuple[bytes | None, dict[str, str]]:
    """The bytes of a JSON body, and its headers."""
    if body is None:
        return None, {}
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate; as an escape it is legal JSON, which the server may accept or not
        content = json.dumps(body, allow_nan=False).encode()
    return content, {"content-type": "application/json"}


def _next_url(answer: HttpAnswer, method: str, url: str) -> str | None:
    """Where a redirect leads, if it may be followed with the same method, body and headers.

    Ours, because httpx makes a GET of a POST that is answered with 301, 302 or 303, and sends a body to other hosts.
    """
    if answer.status not in (307, 308) and not (answer.status in (301, 302, 303) and method in ("GET", "HEAD")):
        return None
    location = answer.headers.get("location", "").strip()
    try:
        target = checked_base_url(urljoin(url, location)) if location else None
    except ValueError:
        return None
    return target if target is not None and same_origin(url, target) else None
