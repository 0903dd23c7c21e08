"""Streams that your program opened: the SDK's, an iterable of events, of Frames or of bytes."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeAlias, cast

import anyio
import anyio.to_thread
from reactivex import Observable, abc

from rxstream.events import Event, StreamingEvent, parse_event
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.response.decoding._normalize import Normalize
from rxstream.rx._context import RUNTIME
from rxstream.rx._observable import PushObservable
from rxstream.session._subscription import OpenWire, Subscription
from rxstream.session._tasks import TaskLoop
from rxstream.sse import Decoder, Frame
from rxstream.timing._backoff import Backoff


class SdkEvent(Protocol):
    """An event of the `openai` package, or any pydantic model of one."""

    def model_dump(self, *, mode: str, by_alias: bool, exclude_unset: bool, warnings: bool) -> dict[str, Any]: ...


StreamPiece: TypeAlias = bytes | str | Frame | Event | Mapping[str, Any] | SdkEvent
"""What an iterable may hold: bytes of the wire, split in any way, the JSON of one event as `str` or dict, Frames, our
events, or those of the `openai` package."""


def from_openai(stream: Iterable[Any] | AsyncIterable[Any]) -> Observable[StreamingEvent]:
    """The events of a stream that the `openai` package opened, as ours.

    Takes what `client.responses.create(stream=True)` returns, sync or async, and the stream that
    `client.responses.stream(…)` opens. Subscribe inside a `Session` block (it needs no key for this): the session
    owns the task that reads, and a sync stream is read on a thread. It can be subscribed to only once, because it is
    already open; disposing closes it.

    Emits, completes, errors: as `session.response(…)`; what the SDK raises arrives by `on_error` as it is.
    """
    if isinstance(stream, AsyncIterable):
        return from_async_iterable(stream)
    return from_iterable(stream)


def from_iterable(pieces: Iterable[StreamPiece]) -> Observable[StreamingEvent]:
    """The events of an iterable of bytes, Frames or events, in a `Session` block.

    A list or tuple is read at once; anything else may block, and is read on a thread, one piece at a time.

    Emits: each event, normalized. Completes, errors: as `session.response(…)` (`TruncatedError` without a terminal
    event); what the iterable raises arrives by `on_error` as it is.
    """
    if isinstance(pieces, (list, tuple)):
        return _observable(partial(_in_memory, cast("Sequence[StreamPiece]", pieces)))
    return _observable(_OnceReadable(_threaded(iter(pieces)), pieces).open)


def from_async_iterable(pieces: AsyncIterable[StreamPiece]) -> Observable[StreamingEvent]:
    """The events of an async iterable of bytes, Frames or events, in a `Session` block of the same loop.

    Emits, completes, errors: as `from_iterable`.
    """
    return _observable(_OnceReadable(_one_by_one(pieces), pieces).open)


def _observable(open_wire: OpenWire) -> Observable[StreamingEvent]:
    def subscribe(
        observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        runtime = RUNTIME.get()
        if not isinstance(runtime, TaskLoop):
            raise RuntimeError(
                "this needs a session to run in: subscribe inside `with rxstream.Session():` "
                "or `async with rxstream.Session():` (no key is needed for it)"
            )
        return Subscription(runtime, open_wire, _PieceDecoder, observer, Backoff(0, lambda: 0.0))

    return PushObservable(subscribe)


class _OnceReadable:
    """A stream that is already open: it can be read once, and is closed after that."""

    def __init__(self, batches: AsyncGenerator[Sequence[Any]], owner: object) -> None:
        self._batches = batches
        self._owner = owner
        self._was_read = False

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Sequence[Any]]]:
        if self._was_read:
            raise RuntimeError("an open stream can be read only once: to share it, pipe it through rxs.shared()")
        self._was_read = True
        try:
            yield self._batches
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
                await self._batches.aclose()
                await _close(self._owner)


async def _close(owner: object) -> None:
    """Close the SDK's streams (`close`), async generators (`aclose`) and generators (`close`)."""
    close = getattr(owner, "aclose", None) or getattr(owner, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing


@asynccontextmanager
async def _in_memory(pieces: Sequence[Any]) -> AsyncGenerator[AsyncIterator[Sequence[Any]]]:
    async def batches() -> AsyncGenerator[Sequence[Any]]:
        yield pieces

    yield batches()


async def _one_by_one(pieces: AsyncIterable[Any]) -> AsyncGenerator[Sequence[Any]]:
    async for piece in pieces:
        yield (piece,)


async def _threaded(pieces: Iterator[Any]) -> AsyncGenerator[Sequence[Any]]:
    nothing = object()
    while True:
        piece = await anyio.to_thread.run_sync(next, pieces, nothing, abandon_on_cancel=True)
        if piece is nothing:
            return
        yield (piece,)


class _PieceDecoder:
    """Pieces to events, normalized."""

    def __init__(self) -> None:
        self._decoder = Decoder(at_eof="whole_json")
        self._reading = FramesToEvents()
        self._normalize = Normalize()

    def feed(self, piece: Any) -> Iterable[StreamingEvent]:
        for event in self._events(piece):
            yield from self._normalize.feed(event)

    def finish(self) -> Iterable[StreamingEvent]:
        for frame in self._decoder.close():
            for event in self._reading.feed(frame):
                yield from self._normalize.feed(event)

    def _events(self, piece: Any) -> Iterable[StreamingEvent]:
        if isinstance(piece, Event):
            return (cast(StreamingEvent, piece),)
        if isinstance(piece, Frame):
            return self._reading.feed(piece)
        if isinstance(piece, bytes):
            return [event for frame in self._decoder.feed(piece) for event in self._reading.feed(frame)]
        if isinstance(piece, str):
            return (parse_event(piece),)
        if isinstance(piece, Mapping):
            return (parse_event(json.dumps(dict(cast("Mapping[str, Any]", piece)))),)
        dump = getattr(piece, "model_dump", None)
        if dump is None:
            raise TypeError(f"expected an event, a Frame, bytes, str, dict or an event of the SDK, got {type(piece)}")
        event = dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
        # the SDK's `responses.stream()` emits some events of its own, and adds a `snapshot` to those of the wire
        return (parse_event(json.dumps(event)),)
