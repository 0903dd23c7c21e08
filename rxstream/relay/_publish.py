"""The producer's side: run a stream into a log, whether or not anybody follows it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
from reactivex import Observable, abc
from reactivex.disposable import SingleAssignmentDisposable

from rxstream.errors import DisconnectedError, StreamExistsError
from rxstream.relay._batches import frames_of, to_bytes
from rxstream.relay._end import StreamEnd, cancelled, lost
from rxstream.relay._log import Claim, Claimed, Log, StreamHead
from rxstream.relay._producer import Append, EndIsLogged, Producer, Renew, WaitForSource
from rxstream.relay._resume import ResumeResponse
from rxstream.relay._resume_point import ResumePoint
from rxstream.relay._running import Host, checked_id, host_of
from rxstream.rx._blocking import forbid_on_session_loop
from rxstream.rx._checks import require_source
from rxstream.rx._context import FLOW, Flow
from rxstream.rx._loops import Signal, loop_clock
from rxstream.rx._timed import seconds_of

_MAX_WAITING_EVENTS = 1024
_MAX_WAITING_BYTES = 4 * 1024 * 1024
"""So much may wait for the log. Then the source is paused, until half of it is appended."""

_NO_LIMIT = 2**53

_FAREWELL_SECONDS = 2.0
"""Seconds that a producer has to leave the stream when its session is left by an exception."""


def publish(
    events: Observable[Any],
    log: Log,
    stream_id: str,
    *,
    ttl: float | timedelta = 3600.0,
    lease: float | timedelta = 10.0,
    takeover_within: float | timedelta = 0.0,
    max_events: int = 100_000,
    max_bytes: int = 64 * 1024 * 1024,
    session: Host | None = None,
) -> Publication:
    """Run a stream into a log, from now on, whether or not anybody follows it.

    It runs on the loop of a session, which waits for it when it is left. Events go out in the batches in which they
    arrive, with at most one append for each. Where the log is slow, the source is paused.

    Args:
        events: The stream. It is subscribed to once. Events, or Frames.
        log: Where to.
        stream_id: Of the stream, up to 200 bytes. All who know it can follow the stream: use one that cannot be
            guessed, and check who asks.
        ttl: Seconds after the last append in which the stream can be followed. Then the log forgets it.
        lease: Seconds without a word of this process after which it counts as lost. A third of it is the time between
            two words, so a loop that is blocked for longer loses the stream.
        takeover_within: Seconds for which followers wait, after the lease, for another process to `take_over`. For
            background responses only, and for streams whose events come as the API sent them. 0: they do not wait.
        max_events, max_bytes: Limits of the whole stream; beyond them it fails with `StreamTooLongError`.
        session: Where it runs. None: in the session whose block this is called in.

    Returns: a `Publication`: await it, or call its `wait()`, for the end; `dispose()` cancels the stream.

    Raises: TypeError, ValueError: arguments that cannot be used; RuntimeError: no session is open.
    """
    require_source(events, "publish")
    claim = Claim(
        uuid.uuid4().hex,
        seconds_of("lease", lease, least=0.001),
        seconds_of("ttl", ttl, least=0.001),
        seconds_of("takeover_within", takeover_within),
    )
    if claim.ttl < claim.lease + claim.takeover_within:
        raise ValueError(
            f"expected a ttl of at least lease + takeover_within ({claim.lease + claim.takeover_within:g} s), "
            f"got {claim.ttl:g} s: the log would forget the stream while followers wait"
        )

    async def source(_: Claimed, __: Callable[[], Awaitable[None]]) -> Observable[Any]:
        return events

    return Publication(log, checked_id(stream_id), claim, source, host_of(session), (max_events, max_bytes))


def take_over(
    log: Log,
    stream_id: str,
    resume: ResumeResponse,
    *,
    session: Host | None = None,
) -> Publication:
    """Go on with a stream whose producer is lost: ask the API for the rest of its response, and append that.

    Followers see the sequence that they would have seen of one producer. `follow(…, takeover=session.resume)` calls
    this where it is needed.

    Args:
        log, stream_id: Of the stream.
        resume: `session.resume`, of a session with the key of the response. It gets the id of the response, and the
            `sequence_number` of the last event in the log.
        session: As of `publish`. There are no limits: what comes is the rest of one response.

    Returns: as `publish`. It raises, when awaited: `StreamExistsError` where the producer is alive, the stream has
    ended, or another process was faster; `ProducerLostError` where the log has no id of a response yet, or events
    without a `sequence_number`: the stream then has this end.
    """
    claim = Claim(uuid.uuid4().hex, takes_over=True)

    async def source(claimed: Claimed, keep: Callable[[], Awaitable[None]]) -> Observable[Any]:
        point = ResumePoint()
        after, place = None, None
        while point.count < claimed.next:
            page = await log.read(stream_id, after, place)
            frames = [frame for batch in page.batches for frame in frames_of(batch)]
            if not frames:
                break
            for frame in frames:
                point.feed(frame)
            after, place = int(frames[-1].id), page.place
            await keep()
        rest = point.rest(resume)
        if rest is None:
            raise lost(stream_id)
        return rest

    return Publication(log, checked_id(stream_id), claim, source, host_of(session), (_NO_LIMIT, _NO_LIMIT))


async def cancel(log: Log, stream_id: str) -> bool:
    """Cancel a stream, from any process. Its followers get what came, and `StreamCancelledError`.

    Its producer, where it is alive, disposes its source. In a `with Session()` hand it to `spawn`:
    `session.spawn(lambda: cancel(log, stream_id))`.

    Returns: False where the stream has already ended.

    Raises: StreamNotFoundError, LogUnavailableError.
    """
    head: StreamHead = await log.request_cancel(checked_id(stream_id))
    if head.end is not None:
        return False
    if head.lease_left <= 0:
        with suppress(StreamExistsError):  # another process goes on with it, and has read the request
            claimed = await log.claim(stream_id, Claim(uuid.uuid4().hex, takes_over=True))
            await log.append(stream_id, claimed.token, None, StreamEnd("cancelled", cancelled(stream_id)).to_text())
    return True


MakeSource = Callable[[Claimed, Callable[[], Awaitable[None]]], Awaitable[Observable[Any]]]
"""Makes what is appended. The function that it gets keeps the lease, and is to be called now and then."""


class Publication(abc.DisposableBase):
    """A stream on its way into a log. `await` it, or call `wait()` in a plain thread, for its end.

    Both raise what the stream failed with; `StreamCancelledError`; `StreamExistsError` where it could not begin;
    `ProducerReplacedError` where another process went on with it; `LogUnavailableError`, `StreamNotFoundError` where
    the log is lost. What the log could not be told is raised from leaving the session, if no call waits here.
    """

    def __init__(
        self,
        log: Log,
        stream_id: str,
        claim: Claim,
        make_source: MakeSource,
        host: Host,
        limits: tuple[int, int],
    ) -> None:
        self.stream_id = stream_id
        self._log = log
        self._claim = claim
        self._make_source = make_source
        self._host = host
        self._limits = limits
        self._lock = threading.Lock()
        """Guards `_producer`, `_cancelled` and `_paused`."""
        self._producer: Producer | None = None
        self._cancelled = False
        self._paused: list[Flow] = []
        self._signal: Signal | None = None
        self._subscription = SingleAssignmentDisposable()
        self._ended: Future[None] = Future()
        self._is_awaited = False
        host.spawn(self._run)

    def __await__(self) -> Generator[object, None, None]:
        self._is_awaited = True
        return self._wait().__await__()

    def wait(self, timeout: float | None = None) -> None:
        """Block this thread until the end. Raises, beside what `await` raises: TimeoutError; RuntimeError on a loop."""
        self._is_awaited = True
        if not self._ended.done():
            forbid_on_session_loop("`await publication`")
        self._ended.result(timeout)

    def dispose(self) -> None:
        """Cancel the stream: its source is disposed, and it ends as `cancel` ends it."""
        with self._lock:
            self._cancelled = True
            if self._producer is not None:
                self._producer.cancel()
        self._wake()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended.done()

    async def _wait(self) -> None:
        signal = Signal()
        self._ended.add_done_callback(lambda _: signal.set())
        await signal.wait()
        self._ended.result()

    # ------------------------------------------------------------------ the job, on the session's loop

    async def _run(self) -> None:
        error: Exception | None = DisconnectedError("the session was left while this stream was published")
        try:
            error = await self._publish()
        except Exception as raised:
            error = raised
            is_late = self._claim.takes_over and isinstance(raised, StreamExistsError)  # another process was faster
            if not self._is_awaited and not is_late:
                raise
        finally:
            self._subscription.dispose()
            self._resume_sources()
            if error is None:
                self._ended.set_result(None)
            else:
                self._ended.set_exception(error)

    async def _publish(self) -> Exception | None:
        """Run it to its end; the error of that end."""
        self._signal = Signal()
        claimed = await self._log.claim(self.stream_id, self._claim)
        producer = Producer(self.stream_id, claimed, anyio.current_time(), self._limits)
        watch = self._log.watch(self.stream_id, "cancel", self._look)
        end: StreamEnd | None = None
        try:
            with self._lock:
                self._producer = producer
                if self._cancelled:
                    producer.cancel()
            await self._subscribe(claimed, producer)
            end = await self._produce(claimed, producer)
            return end.error
        finally:
            watch.dispose()
            self._subscription.dispose()
            if end is None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(_FAREWELL_SECONDS):
                    await self._leave(claimed)

    async def _subscribe(self, claimed: Claimed, producer: Producer) -> None:
        if producer.stopped:
            return
        keep = partial(self._keep, claimed)
        try:
            source = await self._make_source(claimed, keep)
            self._subscription.disposable = source.subscribe(
                self._on_next, self._on_error, self._on_completed, scheduler=self._host.scheduler
            )
        except Exception as error:
            with self._lock:
                producer.fail(error)

    async def _keep(self, claimed: Claimed) -> None:
        await self._log.renew(self.stream_id, claimed.token)

    async def _produce(self, claimed: Claimed, producer: Producer) -> StreamEnd:
        signal, log = self._signal, self._log
        assert signal is not None
        clock = loop_clock()
        while True:
            signal.clear()
            now = clock()
            with self._lock:
                step = producer.step(now)
            if producer.stopped:
                self._subscription.dispose()
                self._resume_sources()
            match step:
                case EndIsLogged(end):
                    return end
                case WaitForSource(seconds):
                    with anyio.move_on_after(seconds):
                        await signal.wait()
                    continue
                case Append(batch, end):
                    text = end.to_text() if end is not None else None
                    cancel_requested = await log.append(self.stream_id, claimed.token, batch, text)
                case Renew():
                    cancel_requested = await log.renew(self.stream_id, claimed.token)
            with self._lock:
                producer.answered(step, now, cancel_requested)
            self._resume_sources(half_of_limit=True)

    async def _leave(self, claimed: Claimed) -> None:
        """The session is left, or the log has refused: let another process go on, or say that none does."""
        with suppress(Exception):
            if claimed.takeover_within > 0:
                await self._log.renew(self.stream_id, claimed.token, release=True)
            else:
                end = StreamEnd("producer_lost").to_text()
                await self._log.append(self.stream_id, claimed.token, None, end)

    # ------------------------------------------------------------------ the source

    def _on_next(self, value: Any) -> None:
        with self._lock:
            producer = self._producer
            assert producer is not None
            try:
                producer.emitted(to_bytes(value))
            except (TypeError, ValueError) as error:
                producer.fail(error)
            flow = FLOW.get()
            is_full = producer.waiting >= _MAX_WAITING_EVENTS or producer.waiting_bytes >= _MAX_WAITING_BYTES
            if is_full and flow is not None and flow not in self._paused:
                self._paused.append(flow)
                flow.pause()
        self._wake()

    def _on_error(self, error: Exception) -> None:
        with self._lock:
            if self._producer is not None:
                self._producer.failed(error)
        self._wake()

    def _on_completed(self) -> None:
        with self._lock:
            if self._producer is not None:
                self._producer.completed()
        self._wake()

    def _look(self) -> None:
        with self._lock:
            if self._producer is not None:
                self._producer.look()
        self._wake()

    def _wake(self) -> None:
        if self._signal is not None:
            self._signal.set()

    def _resume_sources(self, *, half_of_limit: bool = False) -> None:
        """Resume what was paused; with `half_of_limit` only where less than half of the limits waits."""
        with self._lock:
            producer = self._producer
            if half_of_limit and producer is not None:
                much = producer.waiting > _MAX_WAITING_EVENTS // 2 or producer.waiting_bytes > _MAX_WAITING_BYTES // 2
                if much:
                    return
            paused, self._paused = self._paused, []
        for flow in paused:
            flow.resume()
