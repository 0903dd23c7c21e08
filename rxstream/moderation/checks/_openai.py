"""The moderation endpoint as a check, shared by all the streams of a session."""

import logging
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol

import anyio
from reactivex import Observable, abc

from rxstream.errors import ProtocolError, RxStreamError, StatusError
from rxstream.errors._redaction import one_line
from rxstream.moderation.machine._terms import Verdict, Window
from rxstream.rx._loops import Signal
from rxstream.timing._backoff import Backoff

_log = logging.getLogger("rxstream.moderation")

_UNFIT = frozenset((400, 413, 422))
"""Answers that blame the request: one text in it may spoil it for the others."""


class ModerationSession(Protocol):
    """What is needed of a `Session`."""

    def spawn(self, job: Callable[[], Awaitable[None]]) -> abc.DisposableBase: ...

    async def request_json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any: ...


class _Question(abc.DisposableBase):
    """One window that waits for its verdict, and the handle of who waits."""

    def __init__(self, text: str, observer: abc.ObserverBase[Verdict]) -> None:
        self.text = text
        self.observer = observer
        self.batch: _Batch | None = None
        self.wanted = True

    def dispose(self) -> None:
        self.wanted = False
        if self.batch is not None:
            self.batch.leave()


class _Batch:
    """Questions that ride in one request. Once nobody waits for any of them, it is cancelled."""

    def __init__(self, questions: list[_Question]) -> None:
        self.questions = questions
        self._task: abc.DisposableBase | None = None
        for question in questions:
            question.batch = self

    def begin(self, task: abc.DisposableBase) -> None:
        self._task = task
        self.leave()

    def leave(self) -> None:
        if self._task is not None and not any(question.wanted for question in self.questions):
            self._task.dispose()


class OpenAIModeration:
    """Asks the moderation endpoint. Make one for a session, and give it to all of its streams.

        with rxstream.Session() as session:
            moderation = OpenAIModeration(session, thresholds={"harassment": 0.4})
            session.response(…).pipe(rxs.debounce_moderation(moderation)).subscribe(…)

    Windows of different streams ride in one request: those that come within `batch_window` seconds, at most
    `max_batch`. Disposing one stream leaves the requests of the others alone. A failed request is sent again, at most
    `max_retries` times, by the rules of every request of a session (429 and 5xx, `retry-after` honoured); the
    operator's `timeout` and `on_check_error` decide how long a stream waits for that. If the server refuses a request
    as unfit, its texts are sent in halves, so that one cannot spoil the verdict of another.

    Args:
        session: whose key, base URL and loop are used.
        model: the moderation model.
        thresholds: category -> the score from which it is flagged. Without, the endpoint's own `flagged` counts;
            with them, only the categories that are named.
        batch_window: seconds to wait for more windows.
        max_batch: windows in one request, at most.
        max_retries: further tries for a request.

    Raises: ValueError: a number that cannot be meant.
    """

    def __init__(
        self,
        session: ModerationSession,
        model: str = "omni-moderation-latest",
        thresholds: Mapping[str, float] | None = None,
        batch_window: float = 0.02,
        max_batch: int = 32,
        *,
        max_retries: int = 2,
    ) -> None:
        if batch_window < 0:
            raise ValueError(f"batch_window must be 0 or more seconds, not {batch_window!r}")
        if max_batch < 1:
            raise ValueError(f"max_batch must be 1 or more, not {max_batch!r}")
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, not {max_retries!r}")
        self._session = session
        self._model = model
        self._thresholds = dict(thresholds) if thresholds is not None else None
        self._batch_window = batch_window
        self._max_batch = max_batch
        self._backoff = Backoff(max_retries, random.random)
        self._lock = threading.Lock()
        self._waiting: deque[_Question] = deque()
        self._collecting = False
        self._full: Signal | None = None

    def __call__(self, window: Window) -> Observable[Verdict]:
        """The verdict on a window, as an Observable of one. It is asked for when it is subscribed to."""

        def subscribe(
            observer: abc.ObserverBase[Verdict], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            question = _Question(window.context + window.text, observer)
            with self._lock:
                self._waiting.append(question)
                begin = not self._collecting
                self._collecting = True
                full = self._full if len(self._waiting) >= self._max_batch else None
            if full is not None:
                full.set()
            if begin:
                try:
                    self._session.spawn(self._collect)
                except RuntimeError:
                    _log.error("OpenAIModeration cannot ask: its Session is not open")
                    with self._lock:
                        self._collecting = False
                        self._waiting.clear()
                    raise
            return question

        return Observable(subscribe)

    def __repr__(self) -> str:
        return f"<OpenAIModeration {self._model}>"

    # ------------------------------------------------------------------ on the session's loop

    async def _collect(self) -> None:
        """Wait for company; send what has come in as many requests as it takes."""
        full = Signal()
        with self._lock:
            self._full = full
            if len(self._waiting) >= self._max_batch:
                full.set()
        try:
            with anyio.move_on_after(self._batch_window):
                await full.wait()
        finally:
            with self._lock:
                self._full = None
                self._collecting = False
                questions = [question for question in self._waiting if question.wanted]
                self._waiting.clear()
        for start in range(0, len(questions), self._max_batch):
            batch = _Batch(questions[start : start + self._max_batch])
            batch.begin(self._session.spawn(partial(self._send, batch)))

    async def _send(self, batch: _Batch) -> None:
        questions = [question for question in batch.questions if question.wanted]
        try:
            verdicts = await self._ask([question.text for question in questions])
        except Exception as error:
            status = f" with status {error.status}" if isinstance(error, StatusError) else ""
            _log.warning("POST /moderations failed%s: %s", status, type(error).__name__)
            verdicts = [error] * len(questions)
        for question, verdict in zip(questions, verdicts, strict=True):
            if not question.wanted:
                continue
            question.wanted = False
            if isinstance(verdict, Verdict):
                question.observer.on_next(verdict)
                question.observer.on_completed()
            else:
                question.observer.on_error(verdict)

    async def _ask(self, texts: list[str]) -> list[Verdict | Exception]:
        """A verdict for each text, or why there is none."""
        if not texts:
            return []
        try:
            answer = await self._request(texts)
        except StatusError as error:
            if error.status not in _UNFIT or len(texts) == 1:
                raise
            half = len(texts) // 2
            return [*await self._each(texts[:half]), *await self._each(texts[half:])]
        results: Any = answer.get("results") if isinstance(answer, dict) else None  # pyright: ignore
        if not isinstance(results, list) or len(results) != len(texts):  # pyright: ignore[reportUnknownArgumentType]
            raise ProtocolError("the moderation endpoint did not give a result for each text")
        return [self._verdict(result) for result in results]  # pyright: ignore[reportUnknownVariableType]

    async def _each(self, texts: list[str]) -> list[Verdict | Exception]:
        try:
            return await self._ask(texts)
        except RxStreamError as error:
            return [error] * len(texts)

    async def _request(self, texts: list[str]) -> Any:
        tries = 0
        while True:
            try:
                body = {"model": self._model, "input": texts}
                return await self._session.request_json("POST", "/moderations", body)
            except RxStreamError as error:
                tries += 1
                delay = self._backoff.delay(error, tries)
                if delay is None:
                    raise
            await anyio.sleep(delay)

    def _verdict(self, result: Any) -> Verdict | Exception:
        try:
            scores = {
                one_line(str(name), 100): float(score)
                for name, score in result["category_scores"].items()
                if score is not None
            }
            if self._thresholds is None:
                named = tuple(one_line(str(name), 100) for name, said in result["categories"].items() if said)
                return Verdict(bool(result["flagged"]), named, scores)
        except (AttributeError, KeyError, TypeError, ValueError):
            return ProtocolError("a result of the moderation endpoint does not have the expected fields")
        named = tuple(name for name, least in self._thresholds.items() if scores.get(name, 0.0) >= least)
        return Verdict(bool(named), named, scores)
