"""One subscription: open the wire, decode its Frames, notify the observer, and end as docs/reference/endings.md says.

The observer is notified on the session's loop, one event at a time. After every notification three things are checked:
whether the subscriber disposed, whether it raised, and whether a sink downstream asked for a pause.

The block of a transport may be a user's code, and may swallow or replace an exception that leaves it. So the reason
for leaving it (how the stream ended, what the subscriber raised, that it disposed) is stored before.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from typing import Any, cast

import anyio
import anyio.lowlevel
from reactivex import abc

from rxstream.errors import DisconnectedError, RxStreamError
from rxstream.events import StreamingEvent
from rxstream.response._ending import Ending
from rxstream.response._opening_events import OpeningEvents
from rxstream.response._text_limit import TextLimit
from rxstream.rx._context import FLOW
from rxstream.rx._loops import is_being_cancelled
from rxstream.session._delivery import Delivery, Stopped, StreamFlow
from rxstream.session._resumable_stream import CancelResponse, ResumableStream
from rxstream.session._stream_log import StreamLog, outcome
from rxstream.session._tasks import TaskLoop
from rxstream.session._time_limits import StreamTimer
from rxstream.timing._backoff import Backoff
from rxstream.timing._resuming import Reopen, ResumePhase
from rxstream.timing._timeouts import TimeLimits, is_own_limit
from rxstream.typing import Core

_log = logging.getLogger("rxstream")

_AFTER_ERROR_EVENT = 2.0
"""Seconds to wait, after an `error` event, for the `response.failed` that should follow it (spec: DIFF.md §3)."""

_AFTER_TERMINAL_EVENT = 0.05
"""Seconds to wait, after the terminal event, for the end of the body. What has already arrived is delivered, and a
connection that was read to its end can be used for the next request."""

_OPENING_SECONDS = 1.0
"""Seconds for which the events that open a response are held back: an error that is to be retried comes at once, and
a subscriber that shows that the model thinks should not wait long."""

_CLOSE_SECONDS = 5.0
"""Seconds that a transport has for closing its wire."""

_CANCEL_SECONDS = 5.0
"""Seconds that the cancelling of a response on its server may take, after its stream has ended."""

_NO_LIMITS = TimeLimits()

_CHECKPOINT_EVERY = 256
"""After so many Frames other tasks of the loop may run, even if the transport never waits."""

OpenWire = Callable[[], AbstractAsyncContextManager[AsyncIterable[Sequence[Any]]]]
"""Opens a wire. The Frames of one step arrived together. Called again for each try."""

MakeDecoder = Callable[[], Core[Any, StreamingEvent]]
"""Makes a core from what the wire gives to events. Each connection has one, because it has state."""


class Subscription(abc.DisposableBase):
    """The task of one subscription, and its Disposable."""

    def __init__(
        self,
        loop: TaskLoop,
        open_wire: OpenWire,
        make_decoder: MakeDecoder,
        observer: abc.ObserverBase[StreamingEvent],
        backoff: Backoff,
        *,
        retry_stream_errors: bool = False,
        make_resumable: Callable[[], ResumableStream] | None = None,
        cancel_response: CancelResponse | None = None,
        make_ending: type[Ending] = Ending,
        limits: TimeLimits = _NO_LIMITS,
        max_response_chars: int | None = None,
    ) -> None:
        self._loop = loop
        self._open_wire = open_wire
        self._make_decoder = make_decoder
        self._backoff = backoff
        self._retry_stream_errors = retry_stream_errors
        """Whether a request is sent again after an error in the stream that passes, before any output."""
        self._make_resumable = make_resumable
        """None: a stream that is lost is not resumed."""
        self._cancel_response = cancel_response
        """What to call where the subscriber, or a limit, ends the stream before its end."""
        self._limits = limits
        self._max_response_chars = max_response_chars
        self._text_limit: TextLimit | None = None
        """Of the response that is read."""
        self._make_ending = make_ending
        self._ending = make_ending()
        self._opening: OpeningEvents | None = None
        """Both of the last try."""
        self._flow = StreamFlow(loop, self._stop)
        self._delivery = Delivery(loop, observer, self._flow)
        self._scope: anyio.CancelScope | None = None
        self._accepted = False
        """Whether the last try opened a wire: the server has accepted it, and a further one may be a second bill."""
        self.over = False
        """Whether it has ended or was disposed."""
        self._task = loop.task(self._run, "stream", self._session_left)

    def dispose(self) -> None:
        """Emit nothing more, and close the wire at once. From another thread it returns when no `on_next` runs."""
        if self._delivery.disposed:
            return
        self._delivery.disposed = self.over = True
        self._task.dispose()
        self._delivery.wait_for_notification()

    def _stop(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        FLOW.set(self._flow)
        self._loop.streams.add(self._flow)
        self._timer = StreamTimer(self._limits, resumes=self._make_resumable is not None)
        self._log = StreamLog()
        error: Exception | None = None
        try:
            with anyio.CancelScope() as self._scope:
                error = await self._read_with_retries()
                if isinstance(error, RxStreamError):
                    error.with_traceback(None)  # the variables of its frames hold what was sent and received
        except anyio.get_cancelled_exc_class() as cancelled:
            if is_being_cancelled():
                self._log.write(self._ending, "disposed" if self._delivery.disposed else "session left")
                self._session_left()
                raise
            error = DisconnectedError("the transport raised a cancellation, but this stream was not cancelled")
            error.__cause__ = cancelled
        finally:
            self.over = True
            self._loop.streams.discard(self._flow)
            if self._cancel_response is not None and (self._delivery.stopped or is_being_cancelled()):
                await self._cancel_on_server(self._cancel_response)
        error = self._flow.observer_error or error
        self._log.write(self._ending, "disposed" if self._delivery.disposed else outcome(self._ending, error))
        self._delivery.end(error)
        if self._cancel_response is not None and is_own_limit(error):
            await self._cancel_on_server(self._cancel_response)

    def _session_left(self) -> None:
        with suppress(Exception):
            self._delivery.end(DisconnectedError("the session was left while this stream was running"))

    async def _read_with_retries(self) -> Exception | None:
        """Read the wire to its end, and try again where that may help. Return the error; None: it completed."""
        tries = 0
        while True:
            tries += 1
            wait_of = partial(self._backoff.delay, tries=tries)
            retry_stream_errors = self._retry_stream_errors and tries <= self._backoff.max_retries
            opening = self._opening = OpeningEvents(wait_of) if retry_stream_errors else None
            ending = self._ending = self._make_ending()
            error: Exception | None = None
            self._accepted = False
            self._text_limit = TextLimit(self._max_response_chars) if self._max_response_chars is not None else None
            resumable = self._make_resumable() if self._make_resumable is not None else None
            decoder = self._make_decoder() if resumable is None else resumable.decoder()
            if resumable is not None:
                ending.response_id = resumable.state.response_id
            try:
                await self._read(self._open_wire, decoder, ending, opening)
            except Exception as raised:
                error = _unwrapped(raised)
            error = self._overdue(ending) or error
            if opening is not None and not self._delivery.stopped:
                with suppress(Stopped):
                    await self._delivery.feed_all(opening.release(), ending, self._timer)
            if self._delivery.stopped:
                return None
            if opening is not None and opening.retry is not None:
                error = await self._wait_for_next_try(*opening.retry, tries)
                if error is not None:
                    return error
                continue
            if resumable is not None and ending.open and (self._accepted or resumable.state.response_id):
                return await self._resume(resumable, ending, error)
            if error is None or not ending.open:
                if error is not None and not isinstance(error, RxStreamError):
                    _log.warning("the transport raised %s after the end of the stream", type(error).__name__)
                return ending.verdict()
            if not isinstance(error, RxStreamError):
                return error
            delay = None if self._accepted else wait_of(error)
            if delay is None:
                if ending.last is not None:
                    error.response_id = error.response_id or ending.response_id
                    if error.sequence_number is None:
                        error.sequence_number = ending.number
                return error
            error = await self._wait_for_next_try(error, delay, tries)
            if error is not None:
                return error

    async def _resume(self, resumable: ResumableStream, ending: Ending, error: Exception | None) -> Exception | None:
        """Read on over further connections after one has ended early. Return the error; None: it completed."""
        while True:
            if error is not None and not isinstance(error, RxStreamError):
                return error
            loss = error or ending.verdict()
            if loss is None:
                return None
            step = resumable.state.lost(loss, ending.response_id)
            if not isinstance(step, Reopen):
                return step.error
            _log.info("stream lost (%s); it is resumed in %.1f s (%s)", type(loss).__name__, step.wait, step.phase.name)
            if step.phase is ResumePhase.POLL:
                self._timer.poll()
            with self._timer.limit():
                await anyio.sleep(step.wait)
            error = self._timer.error
            if error is not None:
                continue
            try:
                await self._read(partial(resumable.open, step), resumable.decoder(), ending, None)
            except Exception as raised:
                error = _unwrapped(raised)
            error = self._overdue(ending) or error
            if self._delivery.stopped:
                return None
            if not ending.open:
                return ending.verdict()

    async def _cancel_on_server(self, cancel_response: CancelResponse) -> None:
        """Cancel the response, which runs on without its reader. It may be disposed already, so nothing is raised."""
        held = self._opening.response_id if self._opening is not None else None
        response_id = self._ending.response_id or held
        if not self._ending.open or response_id is None:
            return
        with anyio.CancelScope(shield=True), anyio.move_on_after(_CANCEL_SECONDS):
            try:
                await cancel_response(response_id)
            except Exception as error:
                _log.warning("a response could not be cancelled: %s", type(error).__name__)

    async def _wait_for_next_try(self, error: RxStreamError, delay: float, tries: int) -> RxStreamError | None:
        """Wait. Return the error of a time limit that is over before the next try."""
        _log.info("request failed (%s); try %d follows in %.1f s", type(error).__name__, tries + 1, delay)
        with self._timer.limit():
            await anyio.sleep(delay)
        if self._timer.error is not None:
            self._timer.error.__cause__ = error.with_traceback(None)
        return self._timer.error

    def _overdue(self, ending: Ending) -> RxStreamError | None:
        """The error of the time limit that has ended the last connection."""
        return self._timer.error if ending.open else None

    async def _read(
        self, open_wire: OpenWire, decoder: Core[Any, StreamingEvent], ending: Ending, opening: OpeningEvents | None
    ) -> None:
        """Deliver the events of one connection, up to its terminal event or its end."""
        failure: Exception | None = None
        with self._timer.connection(ending), anyio.CancelScope() as closing:
            async with open_wire() as wire:
                self._accepted = True
                try:
                    await self._deliver_all(aiter(wire), decoder, ending, opening)
                except Exception as raised:
                    failure = raised
                    raise
                finally:
                    self._timer.stop()
                    self._log.add_wire(wire)
                    closing.deadline = anyio.current_time() + _CLOSE_SECONDS
        if failure is not None and closing.cancelled_caught:
            raise failure

    async def _deliver_all(
        self,
        batches: AsyncIterator[Sequence[Any]],
        decoder: Core[Any, StreamingEvent],
        ending: Ending,
        opening: OpeningEvents | None,
    ) -> None:
        release: abc.DisposableBase | None = None
        deadline = math.inf
        count = 0
        timer, text_limit, log = self._timer, self._text_limit, self._log
        read = batches.__anext__
        try:
            while True:
                frames: Sequence[Any] | None = None
                if ending.open:
                    try:
                        frames = await read()
                    except StopAsyncIteration:
                        frames = None
                else:
                    patience = _AFTER_TERMINAL_EVENT if ending.over else _AFTER_ERROR_EVENT
                    deadline = min(deadline, anyio.current_time() + patience)
                    with anyio.CancelScope(deadline=deadline):
                        frames = await anext(batches, None)
                for part in (frames,) if frames is None or len(frames) <= _CHECKPOINT_EVERY else _parts(frames):
                    if part is None:
                        events = iter(decoder.finish())
                    elif len(part) == 1:  # as it is where each event comes in a read of its own
                        events = iter(decoder.feed(part[0]))
                    else:
                        events = _events(decoder, part)
                    if timer.watches:
                        events = timer.watched(events)
                    if text_limit is not None:
                        events = text_limit.checked(events)
                    if log.enabled:
                        events = log.counted(events)
                    if opening is not None:
                        await self._flow.wait()  # what `release` delivers comes first
                        events = opening.feed(events)
                    while not self._delivery.feed(events, ending):
                        await self._delivery.wait_paused(timer)
                    if not ending.open:
                        timer.stop()
                    elif ending.items_done or timer.watches:
                        timer.delivered(ending)
                    if opening is not None:
                        if opening.retry is not None:
                            return
                        if opening.idle:
                            opening = None
                        elif release is None:
                            with suppress(RuntimeError):  # the session is being left, and cancels this stream
                                release = self._loop.spawn(partial(self._release, opening, ending))
                    count += len(part or ())
                    if count >= _CHECKPOINT_EVERY:
                        count = 0
                        await anyio.lowlevel.checkpoint()
                if frames is None or (deadline < math.inf and anyio.current_time() > deadline):
                    return
                if not frames:
                    await anyio.lowlevel.checkpoint()
        finally:
            if release is not None:
                release.dispose()

    async def _release(self, opening: OpeningEvents, ending: Ending) -> None:
        """Deliver what is held back, after its time."""
        await anyio.sleep(_OPENING_SECONDS)
        if not opening.holding:
            return
        FLOW.set(self._flow)
        try:
            await self._delivery.feed_all(opening.release(), ending, self._timer)
        except Stopped:
            self._stop()


def _parts(frames: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(frames), _CHECKPOINT_EVERY):
        yield frames[start : start + _CHECKPOINT_EVERY]


def _events(decoder: Core[Any, StreamingEvent], frames: Sequence[Any]) -> Iterator[StreamingEvent]:
    for frame in frames:
        yield from decoder.feed(frame)


def _unwrapped(error: Exception) -> Exception:
    """The error in a group of one: a transport with a task group raises groups."""
    if not issubclass(type(error), ExceptionGroup):
        return error
    inner = cast("ExceptionGroup[Exception]", error).exceptions
    return _unwrapped(inner[0]) if len(inner) == 1 else error
