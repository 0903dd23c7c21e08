"""The reader's side: a stream out of a log, from any position, in any process."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import anyio
from reactivex import Observable, abc

from rxstream.errors import DisconnectedError
from rxstream.events import StreamingEvent
from rxstream.relay._follower import Follower, ReadOn, StreamIsOver, TakeOver, WaitForHint
from rxstream.relay._log import Log
from rxstream.relay._publish import Publication, take_over
from rxstream.relay._resume import ResumeResponse
from rxstream.relay._running import Host, checked_id, host_of
from rxstream.response.decoding._frames_to_events import FramesToEvents
from rxstream.rx._context import FLOW
from rxstream.rx._lift import lift
from rxstream.rx._loops import Signal, as_exception, loop_clock
from rxstream.rx._observable import PushObservable
from rxstream.rx._run_flow import RunFlow
from rxstream.rx._timed import seconds_of
from rxstream.sse import Frame


def follow(
    log: Log,
    stream_id: str,
    *,
    after: int | str | None = None,
    start_within: float | timedelta = 10.0,
    takeover: ResumeResponse | None = None,
    session: Host | None = None,
) -> Observable[StreamingEvent]:
    """The events of a published stream: those that were missed, then those that come, each once, in order.

    It is cold: each subscription reads from `after`. It runs on the loop of a session, and any number of them may
    follow a stream, in any process that reaches the log.

    Args:
        log, stream_id: As it was published.
        after: The position of the last event that you have; None: all events. Positions count the events of the
            stream from 0. `follow_frames` has them as ids.
        start_within: Seconds that the stream has to appear in the log. 0: it must be there.
        takeover: `session.resume`. Where the producer is lost, this process goes on with the stream, unless another one
            is faster. For streams that were published with `takeover_within`.
        session: Where it runs. None: the session whose block it is subscribed in.

    Emits: the events as they were published; those of rxstream itself, such as `rxstream.tool.started`, as
    `UnknownEvent`. A slow subscriber stops its own reading, and no other.
    Completes: as the published stream. Errors: its error, with its class where that is of rxstream, else
    `ProducerFailedError`; `StreamCancelledError`; `ProducerLostError` after the lease of a dead producer, and the time
    in which another one may take over; `StreamNotFoundError`; `PositionLostError` where events behind `after` are not
    there any more; `LogUnavailableError`.
    Memory: one page of the log, at most 64 batches.

    Raises: TypeError, ValueError: arguments that cannot be used; on subscribing RuntimeError: no session is open.
    """
    frames = follow_frames(log, stream_id, after=after, start_within=start_within, takeover=takeover, session=session)
    return frames.pipe(lift(FramesToEvents))


def follow_frames(
    log: Log,
    stream_id: str,
    *,
    after: int | str | None = None,
    start_within: float | timedelta = 10.0,
    takeover: ResumeResponse | None = None,
    session: Host | None = None,
) -> Observable[Frame]:
    """As `follow`, but Frames, whose `id` is the position: what a browser sends back as `Last-Event-ID`.

    It is the way to a browser: nothing is parsed. `after` may be that header as it came.

    Emits: one Frame an event. Completes, errors, memory: as `follow`.
    """
    checked_id(stream_id)
    position = _position(after)
    seconds = seconds_of("start_within", start_within)

    def subscribe(observer: abc.ObserverBase[Frame], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        return _Following(log, stream_id, position, seconds, takeover, host_of(session), observer)

    return PushObservable(subscribe)


def _position(after: int | str | None) -> int | None:
    """Raises: TypeError, ValueError: not a position."""
    if after is None or after == "":  # as a browser sends that has no id yet
        return None
    if isinstance(after, bool) or not isinstance(after, (int, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected a position in after, the id of a Frame of follow_frames, got {type(after).__name__}")
    text = str(after)
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise ValueError(
            f"expected a position in after, 0 or more, as the id of a Frame of follow_frames, got {after!r}"
        )
    return int(text)


class _Following(abc.DisposableBase):
    """One subscription."""

    def __init__(
        self,
        log: Log,
        stream_id: str,
        after: int | None,
        start_within: float,
        takeover: ResumeResponse | None,
        host: Host,
        observer: abc.ObserverBase[Frame],
    ) -> None:
        self._log = log
        self._stream_id = stream_id
        self._after = after
        self._start_within = start_within
        self._takeover = takeover
        self._host = host
        self._observer = observer
        self._disposed = False
        self._flow = RunFlow(self._abort)
        self._aborted: Exception | None = None
        self._signal: Signal | None = None
        self._publication: Publication | None = None
        self._task = host.spawn(self._run)

    def dispose(self) -> None:
        """Nothing more is emitted. The stream itself goes on."""
        self._disposed = True
        self._flow.close()
        self._task.dispose()

    def _abort(self, error: Exception) -> None:
        self._aborted = self._aborted or error
        self._flow.close()
        if self._signal is not None:
            self._signal.set()

    # ------------------------------------------------------------------ the job, on the session's loop

    async def _run(self) -> None:
        FLOW.set(self._flow)
        self._signal = signal = Signal()
        watch = self._log.watch(self._stream_id, "events", signal.set)
        try:
            error = await self._read(signal)
        except Exception as raised:
            error = raised
        except anyio.get_cancelled_exc_class():
            if not self._disposed:
                with suppress(Exception):
                    self._observer.on_error(DisconnectedError("the session was left while this stream was followed"))
            raise
        finally:
            watch.dispose()
        if self._disposed:
            return
        error = self._aborted or error
        if error is None:
            self._observer.on_completed()
        else:
            self._observer.on_error(error)

    async def _read(self, signal: Signal) -> Exception | None:
        """Read to the end of the stream; its error."""
        core = Follower(
            self._stream_id,
            self._after,
            anyio.current_time(),
            start_within=self._start_within,
            takes_over=self._takeover is not None,
        )
        place: object = None
        clock = loop_clock()
        while True:
            signal.clear()
            page = await self._log.read(self._stream_id, core.after, place)
            place = page.place
            for frame in core.frames(page):
                self._deliver(frame)
                if self._flow.paused:
                    await self._flow.wait()
                if self._disposed or self._aborted is not None:
                    return self._aborted
            match core.step(page, clock()):
                case ReadOn():
                    continue
                case StreamIsOver(end):
                    return end.error
                case WaitForHint(seconds):
                    wait = seconds
                case TakeOver(seconds):
                    wait = seconds
                    self._take_over()
            with anyio.move_on_after(wait):
                await signal.wait()
            if self._aborted is not None:
                return self._aborted

    def _deliver(self, frame: Frame) -> None:
        try:
            self._observer.on_next(frame)
        except BaseException as raised:
            error = as_exception(raised)
            if error is None or self._disposed:  # Rx has disposed: the session raises it
                raise
            self._aborted = self._aborted or error

    def _take_over(self) -> None:
        """Go on with the stream in this process, unless it does already."""
        running = self._publication is not None and not self._publication.is_over
        if self._takeover is not None and not running:
            self._publication = take_over(self._log, self._stream_id, self._takeover, session=self._host)
