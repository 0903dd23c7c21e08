"""A response that is read over several connections: their requests, and what all of them bring, each event once."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from rxstream.events import StreamingEvent, UnknownEvent
from rxstream.response._ending import is_whole_response
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.response.decoding._missing_events import MissingEvents
from rxstream.response.decoding._normalize import Normalize
from rxstream.response.decoding._whole_response import is_unfinished
from rxstream.sse import Frame
from rxstream.timing._backoff import Backoff
from rxstream.timing._resuming import Reopen, ResumePhase, Resuming
from rxstream.transport import Request

OpenRequest = Callable[[Request], AbstractAsyncContextManager[AsyncIterable[Sequence[Any]]]]


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """How the streams of one Observable are resumed."""

    request: Request
    """The first request. Those that follow have its headers, query and time-out."""
    path: str
    """Where a stream is reopened, with `{response_id}`."""
    open_stream: OpenRequest
    open_response: OpenRequest
    backoff: Backoff
    normalize: bool
    response_id: str | None = None
    """Of a response that exists already: the first request reopens its stream."""
    after: int | None = None
    cancels: bool = False
    """Whether a response that a limit ends is cancelled."""


class ResumableStream:
    """One response."""

    def __init__(self, options: ResumeOptions) -> None:
        self._options = options
        self._normalize = Normalize() if options.normalize else None
        self._missing = MissingEvents(from_start=options.after is None)
        self.state = Resuming(
            options.backoff,
            response_id=options.response_id,
            after=options.after,
            cancels=options.cancels,
            numbers_count=lambda: self._normalize is None or self._normalize.numbers_count,
        )

    def open(self, step: Reopen) -> AbstractAsyncContextManager[AsyncIterable[Sequence[Any]]]:
        """Open the next connection."""
        options, state = self._options, self.state
        if step.phase is ResumePhase.POLL:
            path = path_of(state.response_id or "")
            headers = {**options.request.headers, "accept": "application/json"}
            return options.open_response(replace(options.request, method="GET", path=path, json=None, headers=headers))
        return options.open_stream(stream_request(options.request, options.path, state.response_id or "", state.last))

    def decoder(self) -> ConnectionDecoder:
        """The decoder of one connection. All of a response share what they have read."""
        return ConnectionDecoder(self)

    def events(self, event: StreamingEvent) -> Iterator[StreamingEvent]:
        """What the subscriber gets for an event of the wire."""
        if self.state.phase is not ResumePhase.FIRST and isinstance(event, UnknownEvent) and is_whole_response(event):
            self.state.unfinished = is_unfinished(event.data)
            if not self.state.unfinished:
                yield from self._missing.of(event.data)
            return
        if not self.state.passes(event):
            return
        for passed in (event,) if self._normalize is None else self._normalize.feed(event):
            if not self._missing.is_made_again(passed):
                self._missing.feed(passed)
                yield passed


class ConnectionDecoder:
    """Frames of one connection -> events of the response that have not come before."""

    def __init__(self, stream: ResumableStream) -> None:
        self._stream = stream
        self._frames = FramesToEvents()

    def feed(self, frame: Frame) -> Iterator[StreamingEvent]:
        for event in self._frames.feed(frame):
            yield from self._stream.events(event)

    def finish(self) -> Iterable[StreamingEvent]:
        return ()


CancelResponse = Callable[[str], Awaitable[object]]
"""Cancels the response with that id on the server."""


def stream_request(request: Request, path: str, response_id: str, after: int | None) -> Request:
    """The request for the events of a response behind a number; None: for all of them."""
    params = {**request.params, "stream": "true"}
    if after is not None:
        params["starting_after"] = after
    return replace(request, method="GET", path=path_of(response_id, path), json=None, params=params)


def path_of(response_id: str, path: str = "/responses/{response_id}") -> str:
    """The path of a response. Raises: TypeError, ValueError: not an id."""
    if not isinstance(response_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected the id of a response as a str, got {type(response_id).__name__}")
    if not response_id or response_id in (".", ".."):
        raise ValueError(f"expected the id of a response, such as 'resp_123', got {response_id!r}")
    return path.replace("{response_id}", quote(response_id, safe=""))


def checked_resume_path(path: str) -> str:
    """Raises: ValueError: not a path with the id of a response."""
    if not path.startswith("/") or "{response_id}" not in path:
        raise ValueError(
            f"expected a path with {{response_id}} in resume_path, such as '/responses/{{response_id}}', got {path!r}"
        )
    return path


def checked_after(after: int | None) -> int | None:
    """Raises: TypeError, ValueError: not a sequence number."""
    if after is not None and (isinstance(after, bool) or not isinstance(after, int)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected the sequence_number of an event in after, got {type(after).__name__}")
    if after is not None and after < 0:
        raise ValueError(f"after must be 0 or more, or None for all events, got {after}")
    return after
