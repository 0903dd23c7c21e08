"""Session: it owns the HTTP client and every task, and makes cold Observables."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from contextvars import Token
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self, Unpack

import anyio
import anyio.lowlevel
from anyio.from_thread import start_blocking_portal
from reactivex import Observable, abc

from rxstream.errors import ProtocolError
from rxstream.events import Response, ResponseSteerAcceptedEvent, StreamingEvent
from rxstream.events._parse import prepare
from rxstream.response._ending import Ending
from rxstream.response._succession import SteerableEnding
from rxstream.response.decoding._frames_to_events import FramesToEvents, FramesToNormalEvents
from rxstream.rx._context import RUNTIME, Runtime
from rxstream.rx._loops import caller
from rxstream.rx._observable import PushObservable
from rxstream.session._request import ResponseRequest, request_of, to_json
from rxstream.session._resumable_stream import (
    CancelResponse,
    ResumableStream,
    ResumeOptions,
    checked_after,
    checked_resume_path,
    path_of,
    stream_request,
)
from rxstream.session._scheduler import AnyIOScheduler
from rxstream.session._subscription import MakeDecoder, Subscription
from rxstream.session._tasks import Job, TaskLoop
from rxstream.session._time_limits import RequestTimeouts, checked_seconds, limits_of
from rxstream.session._transports import SessionTransports
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES
from rxstream.timing._backoff import Backoff
from rxstream.timing._timeouts import TimeLimits
from rxstream.transport import HttpClient, Request, TapeTransport, Transport

if TYPE_CHECKING:
    from rxstream.session._run import ContinueBy, RunContext, RunRequest
    from rxstream.telemetry import Telemetry
    from rxstream.tools import RunStreamEvent
    from rxstream.typing import Operator

_log = logging.getLogger("rxstream")

_OF_RUN_SPAN = ("model", "input", "instructions")
"""The fields of a request that the span of a run has; texts only with `content=True`."""


class Session:
    """Streams of responses, inside its `with` or `async with` block.

    `async with Session()` runs on your asyncio or trio loop, on your thread. `with Session()` runs one background
    thread with a loop of its own, shared by all streams of the session. Either way every notification of a stream
    comes on that loop's thread, one at a time.

    Leaving the block waits for what still runs, and then raises the errors that no `on_error` has handled (one as it
    is, several as an `ExceptionGroup`). Leaving it by an exception cancels what still runs. Afterwards nothing is open:
    no task, no socket, no thread.

    Args:
        api_key: The key; None: `OPENAI_API_KEY`. `""` is no key: a server at another `base_url` may need none.
        base_url: Of the server, with or without `/v1`; a path prefix and a query are kept. None: that of `http_client`,
            else `OPENAI_BASE_URL`, else that of OpenAI.
        http_client: Any `httpx.AsyncClient` or `httpx2.AsyncClient` to send with. The session does not close it. None:
            one of its own, of httpx; on asyncio with aiohttp below it, where `rxstream[fast]` is installed.
        transport: Where Frames come from instead of HTTP: `MemoryTransport`, `TapeTransport`, your own. It stays yours,
            and any number of sessions may use it. `"websocket"`: responses come over WebSockets, each of which is kept
            for the next response (needs `rxstream[websocket]`); all else goes over HTTP.
        organization, project: Sent as headers. None: `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`, to OpenAI only.
        headers: Sent with every request. An `api-key` (Azure) replaces the `Authorization` that the key makes.
        max_retries: Further tries for a request that failed before its answer (connection errors, 408, 409,
            429, 5xx; the server's `retry-after` is respected). A stream that broke after its 200 is not sent again.
        retry_stream_errors: Try again too where the server itself reports, in the stream and before any output, an
            error that passes: a rate limit, an overloaded or broken server. For that the events which open a response
            are held back until the next event, a second at most. False: each comes at once, and such an error is final.
        connect_timeout: Seconds to get a connection. None: those of `http_client`, if they were set there, else 10.
        idle_timeout: Seconds without a single byte after which a stream ends with `IdleTimeoutError`. None: those of
            `http_client`, if they were set there, else 600.
        first_event_timeout: Seconds from a request to its first event; then `FirstEventTimeoutError`.
        first_text_timeout: Seconds from the subscription to the first text of an answer or of a refusal; then
            `FirstTextTimeoutError`. Not for answers that may be a tool call alone.
        between_timeout: Seconds between two events; then `BetweenEventsTimeoutError`.
        total_timeout: Seconds from the subscription to the end; then `TotalTimeoutError`.
        poll_timeout: With `resume=True`, seconds for which a response is polled; then `PollTimeoutError`.
        terminal_grace: Seconds to wait for the terminal event after the last item, if the connection stays open; then
            `TruncatedError`. For all of these None: no limit, keep-alives are not events, and time in which the
            stream is paused does not count. With `resume=True` a stream that is silent is resumed first.
        max_frame_bytes: The limit of one frame, and of a whole response, in decompressed bytes; then
            `FrameTooLargeError`. A `transport` has its own.
        max_response_chars: The limit of all texts of one response together: answer, refusal, reasoning, arguments,
            code; then `ResponseTooLargeError`. None: no limit.
        normalize: Repair the dialects of servers (see `operators.normalize`). False: every event as it came.
        max_resumes: With `resume=True`, further tries in a row that bring no new event, before the stream ends with the
            error by which it was lost. The first is made at once, the others wait as those of requests.
        resume_path: Where a stream is reopened with `starting_after`, if it is not the API's place.
        tape: A path to record each stream to: its Frames and their times, never a header or the key. The second
            stream goes to `name-2.suffix` beside it, and so on.
        telemetry: OpenTelemetry spans and metrics of each response and each run: `Telemetry()` of `rxstream.telemetry`
            (needs `rxstream[otel]`). None: none, and nothing of it is imported.

    Raises:
        ValueError: an argument that cannot be used, or no key where one is needed.
        TypeError: `http_client`, `transport` or `telemetry` is something else.
        ModuleNotFoundError: the package for `transport="websocket"` is not installed.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        http_client: HttpClient | None = None,
        transport: Transport | Literal["websocket"] | None = None,
        organization: str | None = None,
        project: str | None = None,
        headers: Mapping[str, str] | None = None,
        max_retries: int = 2,
        retry_stream_errors: bool = True,
        connect_timeout: float | timedelta | None = None,
        idle_timeout: float | timedelta | None = None,
        first_event_timeout: float | timedelta | None = None,
        first_text_timeout: float | timedelta | None = None,
        between_timeout: float | timedelta | None = None,
        total_timeout: float | timedelta | None = None,
        poll_timeout: float | timedelta | None = 3600.0,
        terminal_grace: float | timedelta | None = 30.0,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        max_response_chars: int | None = None,
        normalize: bool = True,
        max_resumes: int = 8,
        resume_path: str = "/responses/{response_id}",
        tape: str | os.PathLike[str] | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, got {max_retries}")
        if max_resumes < 0:
            raise ValueError(f"max_resumes must be 0 or more, got {max_resumes}")
        for name, limit in (("max_frame_bytes", max_frame_bytes), ("max_response_chars", max_response_chars)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name} must be 1 or more, got {limit}")
        self._backoff = Backoff(max_retries, random.random)
        self._retry_stream_errors = retry_stream_errors
        self._resume_backoff = Backoff(max_resumes, random.random)
        self._resume_path = checked_resume_path(resume_path)
        self._transports = SessionTransports(
            api_key,
            base_url,
            http_client,
            transport,
            organization=organization,
            project=project,
            headers=headers,
            connect_timeout=checked_seconds("connect_timeout", connect_timeout),
            idle_timeout=checked_seconds("idle_timeout", idle_timeout),
            max_frame_bytes=max_frame_bytes,
            tape=tape,
        )
        self._limits = TimeLimits(
            first_event=checked_seconds("first_event_timeout", first_event_timeout),
            first_text=checked_seconds("first_text_timeout", first_text_timeout),
            between=checked_seconds("between_timeout", between_timeout),
            total=checked_seconds("total_timeout", total_timeout),
            poll=checked_seconds("poll_timeout", poll_timeout),
            terminal_grace=checked_seconds("terminal_grace", terminal_grace),
        )
        self._max_response_chars = max_response_chars
        self._normalize = normalize
        self._make_decoder: MakeDecoder = FramesToNormalEvents if normalize else FramesToEvents
        if telemetry is not None:
            _check_telemetry(telemetry)
        self._telemetry = telemetry
        self._loop: TaskLoop | None = None
        self._exit = ExitStack()
        self._leaver = caller()  # the task or thread that leaves the block
        self._token: Token[Runtime | None] | None = None

    # ------------------------------------------------------------------ entering and leaving

    async def __aenter__(self) -> Self:
        await self._open()
        self._token = RUNTIME.set(self._loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reset_runtime()
        if self._open_loop().was_forked():
            return
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
        self._reset_runtime()
        if self._open_loop().was_forked():
            return  # what runs belongs to the other process
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
        finally:
            await self._transports.leave_loop()

    async def _open(self) -> None:
        if self._loop is not None:
            raise RuntimeError("this Session is already open: make another one, or use this one's streams")
        loop = TaskLoop()
        await loop.open()
        self._loop = loop
        loop.background(_prepare)

    def _reset_runtime(self) -> None:
        if self._token is not None:
            try:
                RUNTIME.reset(self._token)
            except ValueError:  # it was entered in another context, as test fixtures do
                RUNTIME.set(None)
            self._token = None

    async def _close(self, error: BaseException | None) -> None:
        loop = self._open_loop()
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
                await self._transports.aclose()
                if error is not None:
                    _add_unhandled(error, loop.unhandled)
        if error is None and len(loop.unhandled) == 1:
            raise loop.unhandled[0]
        if error is None and loop.unhandled:
            raise ExceptionGroup("several streams of the session failed without an on_error", loop.unhandled)

    # ------------------------------------------------------------------ streams

    def response(
        self, *, resume: bool = False, cancel_remote: bool = False, **request: Unpack[ResponseRequest]
    ) -> Observable[StreamingEvent]:
        """The stream of one response. It is cold: each subscription sends one request.

        Marbles::

            response  -C-a-b_-c-|

        Takes the API's own request fields (`model=`, `input=`, `tools=`, …); `stream` is set. Unknown fields are sent
        as they are, and models of pydantic, rxstream and `openai` in them as what they dump. As with the official
        client, `extra_body=`, `extra_headers=` and `extra_query=` are added, and `timeout=` is this request's own
        `connect_timeout` and `idle_timeout`; or a dict with any of the session's time limits, such as
        `{"connect": 5, "first_text": 20, "total": 120}` (`RequestTimeouts`).

        Args:
            resume: Read on over further connections where one is lost after the response has begun: the stream from
                the last `sequence_number`, or, where the server has it no more, the rest of the response, polled, as
                `synthetic` events. Each event comes once. The server has to keep the response: `background=True`.
            cancel_remote: Cancel the response on the server where the subscriber disposes or raises before its end, or
                a limit ends the stream (a time limit, `max_response_chars`, `max_frame_bytes`). A background response
                runs on otherwise.

        Emits: each event as it arrives, typed; unknown ones as `UnknownEvent`.
        Completes: after `response.completed` or `response.incomplete`.
        Errors: `ResponseFailedError`, `ApiError` after their events; `TruncatedError` without a terminal event;
        `ConnectError`, `StatusError`, `StreamTimeoutError`, `DisconnectedError`, `ContentTypeError`, `ProtocolError`.
        With `resume`, one of them only after the last try; its `response_id` and `sequence_number` are what
        `session.resume` needs.

        Raises: ValueError where a key is missing, for a URL, a key or a header that cannot be sent, for `resume` or
        `cancel_remote` without `background=True` at OpenAI, and for `background=True` over a WebSocket; TypeError for
        `stream=False`, and for what JSON cannot hold.
        """
        to_send = request_of(request)
        is_background = bool(to_send.json and to_send.json.get("background"))
        if is_background and self._transports.over_websocket:
            raise ValueError(
                "a WebSocket has no background responses: leave background out, or use a Session over HTTP"
            )
        to_openai = self._transports.to_openai
        if (resume or cancel_remote) and to_openai and not is_background:
            raise ValueError(
                "expected background=True with resume or cancel_remote: OpenAI keeps a stream, and cancels a response, "
                "only then"
            )
        self._transports.check_sending()
        stream = self._observable(
            to_send,
            resume=self._resume_options(to_send, cancels=cancel_remote) if resume else None,
            cancel=cancel_remote,
            limits=limits_of(request.get("timeout"), self._limits),
        )
        return self._traced(stream, to_send)

    def run(
        self,
        *,
        through: Sequence[Operator[StreamingEvent, StreamingEvent]] = (),
        continue_by: ContinueBy = "input",
        context: RunContext | None = None,
        resume: bool = False,
        cancel_remote: bool = False,
        **request: Unpack[RunRequest],
    ) -> Observable[RunStreamEvent]:
        """A run: ask the model, run the tools that it calls, ask again with their outputs, until it answers.

        It is cold: each subscription is a run of its own. It takes the request fields of `response` (`model=`,
        `input=`, `tools=`, `text_format=`, …), which every turn sends, and the options of `rxs.run_tools`: `stop_when`,
        `time_limit`, `approve`, `deps`, `max_in_flight`, `on_tool_error`, `ledger`. Functions and tools in `tools` run
        here; dicts are the server's.

        Args:
            through: Operators that each turn passes before the tools see it, such as a moderator. What they emit is
                also what goes back to the model.
            continue_by: "input": each turn sends the whole conversation, its items as they came; this works on every
                server. With `store=False` it also asks for `reasoning.encrypted_content`, unless `include=[]`.
                "previous_response_id": each turn sends only what is new, and the id of the response before. With
                `conversation=` only what is new is sent as well.
            context: What of the conversation a turn sends: rules of `rxstream.tools` such as `keep_tokens(50_000)`, or
                functions of the items, sync or async, that return those to send; one or a list of them. The run itself
                keeps all items. Not for conversations that the server keeps.
            resume, cancel_remote: Of each turn, as of `response`.

        Emits: every event of every turn, and those of `rxstream.tools` between them; the last is a `RunFinishedEvent`,
        whose `input` is what the next run begins with.
        Completes: after it. Errors: as `response`, `rxs.run_tools` and the operators of `through`; what a function of
        `context` raises; TypeError or ValueError if it returns something else than items, or splits a call from its
        output. Disposing: closes the turn and cancels the tools at once.
        Memory: the conversation.

        Raises: as `response` and `rxs.run_tools`; TypeError, ValueError for other options that cannot be used.
        """
        from rxstream.session._run import RunPlan  # it imports all operators

        plan = RunPlan(
            self.response,
            self.resume,
            self._open_loop,
            request,
            through=through,
            continue_by=continue_by,
            context=context,
            resume=resume,
            cancel_remote=cancel_remote,
        )
        run = plan.observable()
        if self._telemetry is None:
            return run
        fields: dict[str, Any] = {name: value for name, value in request.items() if name in _OF_RUN_SPAN}
        return run.pipe(self._telemetry.traced_run(base_url=self._transports.traced_url, **fields))

    def resume(
        self,
        response_id: str,
        *,
        after: int | None = None,
        cancel_remote: bool = False,
        extra_headers: Mapping[str, str] | None = None,
        extra_query: Mapping[str, str | int] | None = None,
        timeout: float | timedelta | RequestTimeouts | None = None,
    ) -> Observable[StreamingEvent]:
        """The stream of a background response that exists already. It is cold, and is resumed as with `resume=True`.

        Args:
            response_id: As `error.response_id` has it.
            after: The `sequence_number` of the last event that you have; None: all events.
            cancel_remote, extra_headers, extra_query, timeout: As of `response`.

        Emits: the events behind that number. Where the server has the stream no more, those that are missing of the
        polled response, `synthetic`: all of them with `after=None`; else its terminal event alone, whose response has
        the whole output, because it is not known what you have.
        Completes, errors: as `response`.

        Raises: TypeError, ValueError: not an id, a number or a time-out; and as `response`.
        """
        checked_after(after)
        first = request_of({"extra_headers": extra_headers, "extra_query": extra_query, "timeout": timeout})
        to_send = stream_request(first, self._resume_path, response_id, after)
        self._transports.check_sending()
        options = self._resume_options(first, response_id, after, cancels=cancel_remote)
        limits = limits_of(timeout, self._limits)
        return self._traced(self._observable(to_send, resume=options, cancel=cancel_remote, limits=limits), to_send)

    async def cancel(self, response_id: str) -> Response:
        """Cancel a background response on the server; return it as it is then.

        Its stream, where one is read, ends with `ResponseCancelledError`. In a `with Session()` hand it to `spawn`:
        `session.spawn(lambda: session.cancel(response_id))`.

        Raises: as `request_json`; TypeError, ValueError: not an id; ProtocolError: the answer is not a response.
        """
        answer = await self.request_json("POST", f"{path_of(response_id)}/cancel")
        try:
            return Response.model_validate(answer)
        except ValueError:
            pass
        raise ProtocolError("expected the cancelled response, got JSON that is not one: check that base_url is right")

    async def steer(self, response_id: str, input: str | Sequence[Any]) -> ResponseSteerAcceptedEvent:
        """Give new input to a response that runs over a WebSocket; return when the server has taken it.

        The server then ends the response, as incomplete with the reason "steered" or as completed, and a successor
        goes on from it with that input: in the same stream, which ends as the successor ends. A response of
        `session.run` can be steered with `continue_by="previous_response_id"` or `conversation`; else that run ends as
        incomplete, because it does not know the new input. In a `with Session()` hand it to `spawn`:
        `session.spawn(lambda: session.steer(response_id, "Shorter, please"))`.

        Args:
            response_id: As the events have it, from `response.created` on.
            input: A text, or messages of the user as in a request.

        Raises: SteerFailedError, with the API's `code`: it was not taken; DisconnectedError: it is not known whether it
        was taken; TypeError, ValueError: no id or no input, or a Session without `transport="websocket"`.
        """
        path_of(response_id)  # it checks the id
        items: Any = to_json(input, "input")
        if not isinstance(items, str | list):
            raise TypeError(f"input expects a text or a list of messages, got {type(input).__name__}")
        if not items:
            raise ValueError("input expects a text or messages, got none")
        loop = self._open_loop()
        websocket = self._transports.websocket(self._open_loop)
        if websocket is None:
            raise ValueError('expected Session(transport="websocket"): a response can be steered on its socket alone')
        return ResponseSteerAcceptedEvent.model_validate(await loop.call(partial(websocket.steer, response_id, items)))

    def replay(
        self, tape: str | os.PathLike[str] | IO[str] | IO[bytes], *, speed: float | None = 1.0
    ) -> Observable[StreamingEvent]:
        """The stream of a tape, or of any plain `.sse` file.

        Args:
            tape: A path, or a file that is open for reading.
            speed: 1.0 keeps the times of the recording, 2.0 is twice as fast, None does not wait at all.

        Emits, completes, errors: as the recorded stream; `TruncatedError` where the tape has no terminal event.
        """
        return self._observable(Request("GET", "/replay"), TapeTransport(tape, speed=speed))

    def _observable(
        self,
        request: Request,
        transport: Transport | None = None,
        *,
        resume: ResumeOptions | None = None,
        cancel: bool = False,
        limits: TimeLimits | None = None,
    ) -> Observable[StreamingEvent]:
        running: list[Subscription] = []
        warned = False

        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            nonlocal running, warned
            loop = self._open_loop()
            running = [stream for stream in running if not stream.over]
            if running and not warned:
                warned = True
                _log.warning(
                    "a second subscription to the same response sends a second request; "
                    "to share one among subscribers, pipe it through rxs.shared()"
                )
            open_wire = partial((transport or self._transports.of_events(self._open_loop)).open, request)
            stream = Subscription(
                loop,
                open_wire,
                self._make_decoder,
                observer,
                self._backoff,
                # a tape fails each time, and so does a response that has failed
                retry_stream_errors=self._retry_stream_errors and transport is None and request.method == "POST",
                make_resumable=partial(ResumableStream, resume) if resume is not None else None,
                cancel_response=self._cancel_with(request) if cancel else None,
                make_ending=SteerableEnding if self._transports.over_websocket else Ending,
                limits=limits or TimeLimits(),
                max_response_chars=self._max_response_chars,
            )
            running.append(stream)
            return stream

        return PushObservable(subscribe)

    # ------------------------------------------------------------------ for operators and sinks

    @property
    def scheduler(self) -> AnyIOScheduler:
        """Timers on this session's loop, for Rx's own timed operators. Ours take it from the session."""
        return self._open_loop().scheduler

    def spawn(self, job: Job) -> abc.DisposableBase:
        """Run `job()` on the session's loop, from any thread; disposing cancels it.

        The session waits for it when it is left; what it raises is raised from there.
        """
        return self._open_loop().spawn(job)

    async def request_json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send one request to the same server with the same key, on the session's loop; return its JSON answer.

        It may be awaited on any loop, while the session is open. There are no retries. Raises: the errors of a stream
        before its first event; RuntimeError where the session is not open.
        """
        loop = self._open_loop()
        self._transports.require_key()
        http = self._transports.of_json()
        return await loop.call(partial(http.request_json, Request(method, path, json=to_json(body))))

    # ------------------------------------------------------------------ inside

    def _traced(self, stream: Observable[StreamingEvent], to_send: Request) -> Observable[StreamingEvent]:
        if self._telemetry is None:
            return stream
        fields = {name: value for name, value in (to_send.json or {}).items() if name != "base_url"}
        return stream.pipe(self._telemetry.traced(base_url=self._transports.traced_url, **fields))

    def _open_loop(self) -> TaskLoop:
        if self._loop is None:
            raise RuntimeError(
                "this Session is not open: subscribe inside its `with Session() as session:` "
                "or `async with Session() as session:` block"
            )
        return self._loop

    def _resume_options(
        self, request: Request, response_id: str | None = None, after: int | None = None, *, cancels: bool
    ) -> ResumeOptions:
        return ResumeOptions(
            request,
            self._resume_path,
            lambda to_send: self._transports.of_events(self._open_loop).open(to_send),
            lambda to_send: self._transports.without_tape().open(to_send),
            self._resume_backoff,
            self._normalize,
            response_id,
            after,
            cancels,
        )

    def _cancel_with(self, request: Request) -> CancelResponse:
        async def cancel(response_id: str) -> None:
            path = f"{path_of(response_id)}/cancel"
            await self._transports.of_json().request_json(replace(request, method="POST", path=path, json=None))

        return cancel


def _check_telemetry(telemetry: Any) -> None:
    """Raises: TypeError: it is not a `Telemetry`."""
    from rxstream.telemetry import Telemetry

    if not isinstance(telemetry, Telemetry):
        what = f"the class {telemetry.__qualname__}" if isinstance(telemetry, type) else type(telemetry).__qualname__
        raise TypeError(f"telemetry expects rxstream.telemetry.Telemetry(), got {what}")


def _add_unhandled(error: BaseException, unhandled: list[Exception]) -> None:
    """Add the unhandled errors as notes to the error that the session is left by."""
    for other in unhandled:
        error.add_note(f"also, in a stream of the session: {type(other).__name__}: {other}")
    if unhandled and not isinstance(error, Exception):  # a cancellation is often not shown, and its notes neither
        names = ", ".join(type(other).__name__ for other in unhandled)
        _log.warning("the session was cancelled, and streams had failed before without an on_error: %s", names)


async def _prepare() -> None:
    """Build the models of the usual events while the first request is sent, not when the first event arrives."""
    for _ in prepare():
        await anyio.lowlevel.checkpoint()
