"""The transports of a session: what sends its requests, with which key, to which server."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio

from rxstream.session._tasks import TaskLoop
from rxstream.transport import HttpClient, HttpTransport, RecordingTransport, Transport
from rxstream.transport.http._address import is_openai
from rxstream.transport.http._external_client import (
    base_url_of,
    checked_client,
    header_names,
    login_of,
    timeouts_of,
)

if TYPE_CHECKING:
    from rxstream.transport.websocket._transport import WebSocketTransport

_OPENAI = "https://api.openai.com/v1"


class SessionTransports:
    """Makes each transport when it is first needed. The arguments are those of `Session`.

    Raises: TypeError, ValueError: a key, a client or a transport that cannot be used.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        http_client: HttpClient | None,
        transport: Transport | Literal["websocket"] | None,
        *,
        organization: str | None,
        project: str | None,
        headers: Mapping[str, str] | None,
        connect_timeout: float | None,
        idle_timeout: float | None,
        max_frame_bytes: int,
        tape: str | os.PathLike[str] | None,
    ) -> None:
        if api_key is not None and not isinstance(api_key, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"expected the key as a str, got {type(api_key).__name__}: call it first, or give each request its "
                'own, response(..., extra_headers={"authorization": f"Bearer {key}"})'
            )
        if http_client is not None:
            checked_client(http_client)
        self.over_websocket = transport == "websocket"
        self._websocket: WebSocketTransport | None = None
        if transport == "websocket":
            transport = _check_websocket()
        if transport is not None:
            _check_transport(transport)
            if http_client is not None:
                raise ValueError("http_client and transport are both given, and only one can send: leave one out")
        # An empty argument is an answer too. With the environment's instead, a key would reach another server.
        if base_url is None:
            base_url = base_url_of(http_client) or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        base_url = str(base_url)
        if self.over_websocket and base_url.startswith(("ws://", "wss://")):
            base_url = "http" + base_url.removeprefix("ws")
        self._base_url = base_url
        self._external_client = http_client
        self._external_transport = transport
        if api_key is None and not self._has_login():
            api_key = os.environ.get("OPENAI_API_KEY")
        self._api_key = api_key or None
        self._organization = organization
        self._project = project
        self._headers = dict(headers or {})
        connect, idle = timeouts_of(http_client) or (10.0, 600.0)
        self._connect_timeout = connect_timeout or connect
        self._idle_timeout = idle_timeout or idle
        self._max_frame_bytes = max_frame_bytes
        self._tape = Path(tape) if tape is not None else None
        self._recording: RecordingTransport | None = None
        self._http: HttpTransport | None = None

    @property
    def to_openai(self) -> bool:
        """Whether requests go to OpenAI's own address."""
        return self._external_transport is None and is_openai(self._base_url)

    @property
    def traced_url(self) -> str | None:
        """Where requests go; None where that is the business of a transport."""
        return self._base_url if self._external_transport is None else None

    def check_sending(self) -> None:
        """Raise now, not in `subscribe`, for what cannot be sent."""
        self.require_key()
        if self._external_transport is None:
            self._http_transport()

    def require_key(self) -> None:
        """Raises: ValueError: requests go to OpenAI, and there is no key."""
        if self._api_key is not None or self._external_transport is not None or not is_openai(self._base_url):
            return
        if not self._has_login() and "authorization" not in {name.lower() for name in self._headers}:
            raise ValueError(
                "expected an API key, got none: set OPENAI_API_KEY, or pass Session(api_key=…). "
                "For a server that needs none, set OPENAI_BASE_URL or base_url=. "
                "`python -m rxstream.testing` starts one on your machine"
            )

    def _has_login(self) -> bool:
        """Whether the client or the address brings an `Authorization`, which the environment's key must not replace."""
        client = self._external_client
        return login_of(client, self._base_url) is not None or "authorization" in header_names(client)

    # ------------------------------------------------------------------ each

    def of_events(self, open_loop: Callable[[], TaskLoop]) -> Transport:
        """Sends the requests of streams, and writes their tapes. `open_loop` gives the loop of the session."""
        transport = self._external_transport
        if transport is None:
            transport = self._websocket_transport(open_loop) if self.over_websocket else self._http_transport()
        if self._tape is None:
            return transport
        if self._recording is None:  # one for all streams of the session, because it numbers their tapes
            self._recording = RecordingTransport(transport, self._tape)
        return self._recording

    def websocket(self, open_loop: Callable[[], TaskLoop]) -> WebSocketTransport | None:
        """What steers; None over HTTP."""
        return self._websocket_transport(open_loop) if self.over_websocket else None

    def without_tape(self) -> Transport:
        """Sends requests whose answers are no stream of the user's."""
        return self._external_transport or self._http_transport()

    def of_json(self) -> HttpTransport:
        """Sends requests whose answer is JSON."""
        external = self._external_transport
        return external if isinstance(external, HttpTransport) else self._http_transport()

    def _http_transport(self) -> HttpTransport:
        if self._http is None:
            try:
                self._http = HttpTransport(
                    self._external_client,
                    base_url=self._base_url,
                    api_key=self._api_key,
                    headers=self._headers_to_send(),
                    connect_timeout=self._connect_timeout,
                    idle_timeout=self._idle_timeout,
                    upgrades=self.over_websocket,
                    max_frame_bytes=self._max_frame_bytes,
                )
            except ValueError as error:
                raise error.with_traceback(None)  # noqa: B904  (the same error, without the frames that hold the key)
        return self._http

    def _websocket_transport(self, open_loop: Callable[[], TaskLoop]) -> WebSocketTransport:
        if self._websocket is None:
            from rxstream.transport.websocket._transport import WebSocketTransport

            self._websocket = WebSocketTransport(
                self._http_transport(),
                open_loop().background,
                idle_timeout=self._idle_timeout,
                max_frame_bytes=self._max_frame_bytes,
            )
        return self._websocket

    def _headers_to_send(self) -> dict[str, str]:
        """Organization, project, and the headers of the user, which win."""
        organization, project = self._organization, self._project
        if is_openai(self._base_url):  # no other server is told the environment's
            organization = os.environ.get("OPENAI_ORG_ID") if organization is None else organization
            project = os.environ.get("OPENAI_PROJECT_ID") if project is None else project
        names = {"openai-organization": organization, "openai-project": project}
        own = {name.lower(): value for name, value in self._headers.items()}
        return {name: value for name, value in names.items() if value} | own

    # ------------------------------------------------------------------ closing

    async def leave_loop(self) -> None:
        """Close the connections that a transport of the user's has on this loop, which ends here."""
        external = self._external_transport
        if isinstance(external, (HttpTransport, RecordingTransport)):
            await external.aclose()

    async def aclose(self) -> None:
        """Close what was made here."""
        http, self._http, self._recording = self._http, None, None
        websocket, self._websocket = self._websocket, None
        with anyio.CancelScope(shield=True):
            if websocket is not None:
                await websocket.aclose()
            if http is not None and self._external_client is None:
                await http.aclose()


def _check_websocket() -> None:
    """Raises: ModuleNotFoundError: the package is missing."""
    if find_spec("websockets") is None:
        raise ModuleNotFoundError(
            "transport='websocket' needs a package that is not installed: pip install 'rxstream[websocket]'",
            name="websockets",
        )


def _check_transport(transport: Any) -> None:
    """Raises: TypeError: no transport of Frames."""
    if isinstance(transport, type) or not callable(getattr(transport, "open", None)):
        of: type[Any] = transport if isinstance(transport, type) else type(transport)
        what = f"the class {of.__qualname__}" if of is transport else of.__qualname__
        if hasattr(of, "handle_async_request"):
            advice = "a transport of httpx goes into http_client=httpx.AsyncClient(transport=…)"
        elif hasattr(of, "build_request"):
            advice = "an HTTP client goes into http_client="
        else:
            advice = "make one, such as HttpTransport, MemoryTransport or TapeTransport, or write 'websocket'"
        raise TypeError(f"expected a transport of rxstream.transport, got {what}: {advice}")
