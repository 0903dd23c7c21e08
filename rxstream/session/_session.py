"""Session: what owns the HTTP client and every task, and hands out cold Observables."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, asynccontextmanager
from contextvars import Token
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, Unpack

import anyio
from anyio.from_thread import start_blocking_portal
from reactivex import Observable, abc

from rxstream.events import StreamingEvent
from rxstream.events._parse import prepare
from rxstream.response.decoding._frames_to_events import NormalReading, Reading
from rxstream.rx._context import RUNTIME, Runtime
from rxstream.rx._loops import caller
from rxstream.rx._observable import PushObservable
from rxstream.session._request import ResponseRequest
from rxstream.session._scheduler import AnyIOScheduler
from rxstream.session._subscription import Reader, Stream
from rxstream.session._tasks import Job, Loop
from rxstream.timing._backoff import Backoff
from rxstream.transport import HttpClient, HttpTransport, RecordingTransport, Request, TapeTransport, Transport

_log = logging.getLogger("rxstream")

_OPENAI = "https://api.openai.com/v1"


class Session:
    """Streams of responses, as long as the block lasts.

    `async with Session()` runs on your asyncio or trio loop, on your thread. `with Session()` runs one background
    thread with a loop of its own, shared by all streams of the session. Either way every notification of a stream
    comes on that loop's thread, one at a time.

    Leaving the block waits for what still runs, and then raises what no `on_error` took (one error as it is, several
    as an `ExceptionGroup`). Leaving it by an exception cancels what still runs. Afterwards nothing is open: no task,
    no socket, no thread.

    Args:
        api_key: The key; else `OPENAI_API_KEY`. A server at another `base_url` may need none.
        base_url: With or without `/v1`, as your server has it; a path prefix and a query are kept. Else
            `OPENAI_BASE_URL`, else the official address.
        http_client: Any `httpx.AsyncClient` or `httpx2.AsyncClient` to send with; it stays yours and stays open.
        transport: Frames from somewhere else than HTTP: `MemoryTransport`, `TapeTransport`, your own.
        organization, project: Sent as headers; else `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`.
        headers: Sent with every request.
        max_retries: Further tries for a request that failed before its first event (connection errors, 408, 409,
            429, 5xx; the server's `retry-after` is honoured). Nothing is sent again once an event has come.
        connect_timeout: Seconds to reach the server.
        idle_timeout: Seconds without a single byte after which a stream ends with `IdleTimeoutError`.
        normalize: Repair the dialects of servers (see `operators.normalize`). False: every event as it came.
        tape: A path to record each stream to: its Frames and when they came, never a header or the key. The second
            stream goes to `name-2.suffix` beside it, and so on.

    Raises:
        ValueError: an argument that cannot be used; no key where one is needed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        http_client: HttpClient | None = None,
        transport: Transport | None = None,
        organization: str | None = None,
        project: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_retries: int = 2,
        connect_timeout: float = 10.0,
        idle_timeout: float = 600.0,
        normalize: bool = True,
        tape: str | os.PathLike[str] | None = None,
    ) -> None:
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {max_retries}")
        self._api_key = api_key or os.environ.get("OPENAI_API_KEY") or None
        self._base_url = base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI
        self._given_client = http_client
        self._given_transport = transport
        self._headers = dict(headers or {})
        for header, value in (
            ("OpenAI-Organization", organization or os.environ.get("OPENAI_ORG_ID")),
            ("OpenAI-Project", project or os.environ.get("OPENAI_PROJECT_ID")),
        ):
            if value:
                self._headers.setdefault(header, value)
        self._backoff = Backoff(max_retries, random.random)
        self._connect_timeout = connect_timeout
        self._idle_timeout = idle_timeout
        self._reader: Reader = NormalReading if normalize else Reading
        self._tape = Path(tape) if tape is not None else None
        self._recording: RecordingTransport | None = None
        self._loop: Loop | None = None
        self._http: HttpTransport | None = None
        self._exit = ExitStack()
        self._leaver = caller()
        self._token: Token[Runtime | None] | None = None

    # ------------------------------------------------------------------ entering and leaving

    async def __aenter__(self) -> Self:
        await self._open()
        self._token = RUNTIME.set(self._loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        self._leaver = caller()
        await self._close(error)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio", name="rxstream"))
            stack.enter_context(portal.wrap_async_context_manager(self._serving()))
            self._exit = stack.pop_all()
        self._token = RUNTIME.set(self._loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget()
        self._leaver = caller()
        self._exit.__exit__(kind, error, trace)

    @asynccontextmanager
    async def _serving(self) -> AsyncGenerator[None]:
        await self._open()
        try:
            yield
        except BaseException as error:
            await self._close(error)
            raise
        else:
            await self._close(None)

    async def _open(self) -> None:
        if self._loop is not None:
            raise RuntimeError("this Session is open already: make another one, or use this one's streams")
        loop = Loop()
        await loop.open()
        self._loop = loop
        loop.background(_prepare)

    def _forget(self) -> None:
        if self._token is not None:
            try:
                RUNTIME.reset(self._token)
            except ValueError:  # left in another context than entered, as test fixtures do
                RUNTIME.set(None)
            self._token = None

    async def _close(self, error: BaseException | None) -> None:
        loop = self._opened()
        try:
            if error is None:
                try:
                    await loop.idle(self._leaver)
                except BaseException as cut:
                    error = cut
                    raise
        finally:
            try:
                await loop.close()
            finally:
                self._loop = None
                http, self._http, self._recording = self._http, None, None
                if http is not None and self._given_client is None:
                    with anyio.CancelScope(shield=True):
                        await http.aclose()
                if error is not None:
                    _note(error, loop.unhandled)
        if error is None and len(loop.unhandled) == 1:
            raise loop.unhandled[0]
        if error is None and loop.unhandled:
            raise ExceptionGroup("several streams of the session failed, and no on_error took it", loop.unhandled)

    # ------------------------------------------------------------------ streams

    def response(self, **request: Unpack[ResponseRequest]) -> Observable[StreamingEvent]:
        """The stream of one response, cold: each subscription sends one request, and nothing is sent before.

        Marbles::

            response  -C-a-b_-c-|

        Takes the API's own request fields (`model=`, `input=`, `tools=`, …); `stream` is set. Fields that it does not
        know pass through.

        Emits: each event as it arrives, typed; unknown ones as `UnknownEvent`.
        Completes: after `response.completed` or `response.incomplete`.
        Errors: `ResponseFailedError`, `ApiError` after their events; `TruncatedError` where the wire closed early;
        `ConnectError`, `StatusError`, `IdleTimeoutError`, `DisconnectedError`, `ContentTypeError`, `ProtocolError`.

        Raises: ValueError where a key is needed and missing, and for an address, a key or a header that cannot be sent;
        TypeError for `stream=False`.
        """
        body: dict[str, Any] = {**request}
        body.update(body.pop("extra_body", None) or {})
        if body.get("stream", True) is not True:
            raise TypeError("rxstream only streams: leave `stream` out")
        body["stream"] = True
        self._need_key()
        if self._given_transport is None:
            self._http_transport()  # what cannot be sent is said here, not to the subscriber
        return self._observable(None, Request("POST", "/responses", json=body))

    def replay(
        self, tape: str | os.PathLike[str] | IO[str] | IO[bytes], *, speed: float | None = 1.0
    ) -> Observable[StreamingEvent]:
        """The stream that a tape holds: one that was recorded, or any plain `.sse` file.

        Args:
            tape: A path, or a file that is open for reading.
            speed: 1.0 keeps the times of the recording, 2.0 is twice as fast, None does not wait at all.

        Emits, completes, errors: as the recorded stream did; `TruncatedError` where the tape ends early.
        """
        return self._observable(TapeTransport(tape, speed=speed), Request("GET", "/replay"))

    def _observable(self, transport: Transport | None, request: Request) -> Observable[StreamingEvent]:
        running: list[Stream] = []
        warned = False

        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            nonlocal running, warned
            loop = self._opened()
            running = [stream for stream in running if not stream.over]
            if running and not warned:
                warned = True
                _log.warning(
                    "a second subscription to the same response sends a second request; "
                    "to share one among subscribers, pipe it through rxs.shared()"
                )
            opening = partial((transport or self._transport()).open, request)
            stream = Stream(loop, opening, self._reader, observer, self._backoff)
            running.append(stream)
            return stream

        return PushObservable(subscribe)

    # ------------------------------------------------------------------ for operators and sinks

    @property
    def scheduler(self) -> AnyIOScheduler:
        """Timers on this session's loop, for Rx's own timed operators. Ours find it by themselves."""
        return self._opened().scheduler

    def spawn(self, job: Job) -> abc.DisposableBase:
        """Run `job()` on the session's loop, from any thread; disposing cancels it.

        The session waits for it when it is left; what it raises is raised from there.
        """
        return self._opened().spawn(job)

    async def request_json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One plain request to the same server with the same key, on the session's loop: its JSON answer.

        Not repeated on failure. Errors: as a stream's before its first event.
        """
        self._need_key()
        return await self._http_transport().request_json(Request(method, path, json=body))

    # ------------------------------------------------------------------ inside

    def _opened(self) -> Loop:
        if self._loop is None:
            raise RuntimeError(
                "this Session is not open: subscribe inside its `with Session() as session:` "
                "or `async with Session() as session:` block"
            )
        return self._loop

    def _need_key(self) -> None:
        if self._api_key is None and self._base_url == _OPENAI and self._given_transport is None:
            raise ValueError(
                "no API key: set OPENAI_API_KEY, or pass Session(api_key=…). "
                "A server of your own that needs none is named by base_url= or OPENAI_BASE_URL"
            )

    def _transport(self) -> Transport:
        transport = self._given_transport or self._http_transport()
        if self._tape is None:
            return transport
        if self._recording is None:  # one for all streams of the session, for it numbers their tapes
            self._recording = RecordingTransport(transport, self._tape)
        return self._recording

    def _http_transport(self) -> HttpTransport:
        if self._http is None:
            self._http = HttpTransport(
                self._given_client,
                base_url=self._base_url,
                api_key=self._api_key,
                headers=self._headers,
                connect_timeout=self._connect_timeout,
                idle_timeout=self._idle_timeout,
            )
        return self._http


def _note(error: BaseException, unhandled: list[Exception]) -> None:
    """Leave nothing unsaid, though it is for another reason that the session is left."""
    for lost in unhandled:
        error.add_note(f"also, in a stream of the session: {type(lost).__name__}: {lost}")
    if unhandled and not isinstance(error, Exception):  # a cancellation may be swallowed by who asked for it
        names = ", ".join(type(lost).__name__ for lost in unhandled)
        _log.warning("the session was cut short, and no on_error took what had failed before: %s", names)


async def _prepare() -> None:
    """Build the models of the usual events while the first request is on its way, not when the first event comes."""
    prepare()
