"""The moderation endpoint as a check, shared by all streams of a session."""

import difflib
import logging
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import anyio
from reactivex import Observable, abc

from rxstream.errors import ProtocolError, RxStreamError, StatusError
from rxstream.errors._redaction import one_line
from rxstream.moderation.machine._window import Verdict, Window
from rxstream.rx._loops import Signal
from rxstream.timing._backoff import Backoff

_log = logging.getLogger("rxstream.moderation")

_TEXT_REFUSED = frozenset((400, 413, 422))
"""Statuses with which the server refuses a request because of one of its texts."""


_TEXT_CATEGORIES: Final = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_NULLABLE: Final = ("illicit", "illicit/violent")
"""Categories that older models do not have. The API's schema allows null for them."""
_CATEGORIES: Final = {"omni-moderation": (*_TEXT_CATEGORIES, *_NULLABLE), "text-moderation": _TEXT_CATEGORIES}
"""How the name of a model begins -> its categories (https://platform.openai.com/docs/guides/moderation)."""


class ModerationSession(Protocol):
    """The methods of a `Session` that are used here."""

    def spawn(self, job: Callable[[], Awaitable[None]]) -> abc.DisposableBase: ...

    async def request_json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any: ...


class _PendingCheck(abc.DisposableBase):
    """A text that waits for its verdict, and the Disposable of its subscriber."""

    def __init__(self, text: str, observer: abc.ObserverBase[Verdict]) -> None:
        self.text = text
        self.observer = observer
        self.batch: _Batch | None = None
        self.active = True

    def dispose(self) -> None:
        self.active = False
        if self.batch is not None:
            self.batch.cancel_if_unused()


class _Batch:
    """The checks of one request. It is cancelled once all of them are disposed."""

    def __init__(self, checks: list[_PendingCheck]) -> None:
        self.checks = checks
        self._task: abc.DisposableBase | None = None
        for check in checks:
            check.batch = self

    def set_task(self, task: abc.DisposableBase) -> None:
        self._task = task
        self.cancel_if_unused()

    def cancel_if_unused(self) -> None:
        if self._task is not None and not any(check.active for check in self.checks):
            self._task.dispose()


class OpenAIModeration:
    """Calls the moderation endpoint. Make one for a session, and pass it to all of its streams.

        with rxstream.Session() as session:
            moderation = OpenAIModeration(session, thresholds={"harassment": 0.4})
            session.response(…).pipe(rxs.debounce_moderation(moderation)).subscribe(…)

    Windows of different streams share one request: those within `batch_window` seconds, at most `max_batch`. Disposing
    one stream does not cancel the checks of the others. A failed request is sent again, at most `max_retries` times, by
    the rules of every request of a session (429 and 5xx, after `retry-after`). The operator's `timeout` limits how long
    a stream waits for that. If the server refuses a request because of a text (400, 413, 422), the texts are sent again
    in halves, so that each other text gets its verdict.

    Args:
        session: its key, base URL and loop are used.
        model: the moderation model.
        thresholds: category -> the score, from 0 to 1, from which it is flagged. A category without a threshold keeps
            the endpoint's own verdict. The names are checked for models named `omni-moderation…` and
            `text-moderation…`; another model may have other categories.
        batch_window: seconds to wait for more windows.
        max_batch: checks in one request, at most.
        max_retries: further tries for a request.

    Raises: ValueError: a number out of its range, a category that the model does not have. TypeError: a threshold
    that is no number.

    It fails closed: a result with a missing field, or with a field of a wrong type, is a failed check and never a pass.
    So is a result without a score where a threshold needs one, and an answer with another number of results.
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
            raise ValueError(f"batch_window must be 0 seconds or more, got {batch_window!r}")
        if max_batch < 1:
            raise ValueError(f"max_batch must be 1 or more, got {max_batch!r}")
        if max_retries < 0:
            raise ValueError(f"max_retries must be 0 or more, got {max_retries!r}")
        self._session = session
        self._model = model
        self._thresholds = _read_thresholds(thresholds or {}, model)
        self._batch_window = batch_window
        self._max_batch = max_batch
        self._backoff = Backoff(max_retries, random.random)
        self._lock = threading.Lock()
        self._pending: deque[_PendingCheck] = deque()
        self._collecting = False
        self._full: Signal | None = None

    def __call__(self, window: Window) -> Observable[Verdict]:
        """The verdict on a window, as an Observable of one value. Subscribing sends the request."""

        def subscribe(
            observer: abc.ObserverBase[Verdict], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            check = _PendingCheck(window.context + window.text, observer)
            with self._lock:
                self._pending.append(check)
                start = not self._collecting
                self._collecting = True
                full = self._full if len(self._pending) >= self._max_batch else None
            if full is not None:
                full.set()
            if start:
                try:
                    self._session.spawn(self._collect)
                except RuntimeError:
                    _log.error("OpenAIModeration cannot send a request: its session is not open")
                    with self._lock:
                        self._collecting = False
                        self._pending.clear()
                    raise
            return check

        return Observable(subscribe)

    def __repr__(self) -> str:
        return f"<OpenAIModeration {self._model}>"

    # ------------------------------------------------------------------ on the session's loop

    async def _collect(self) -> None:
        """Wait `batch_window` seconds for more checks. Then send them, at most `max_batch` in a request."""
        full = Signal()
        with self._lock:
            self._full = full
            if len(self._pending) >= self._max_batch:
                full.set()
        try:
            with anyio.move_on_after(self._batch_window):
                await full.wait()
        finally:
            with self._lock:
                self._full = None
                self._collecting = False
                checks = [check for check in self._pending if check.active]
                self._pending.clear()
        for start in range(0, len(checks), self._max_batch):
            batch = _Batch(checks[start : start + self._max_batch])
            batch.set_task(self._session.spawn(partial(self._send, batch)))

    async def _send(self, batch: _Batch) -> None:
        checks = [check for check in batch.checks if check.active]
        try:
            verdicts = await self._judge([check.text for check in checks])
        except Exception as error:
            status = f" with status {error.status}" if isinstance(error, StatusError) else ""
            _log.warning("POST /moderations failed%s: %s", status, type(error).__name__)
            verdicts = [error] * len(checks)
        for check, verdict in zip(checks, verdicts, strict=True):
            if not check.active:
                continue
            check.active = False
            if isinstance(verdict, Verdict):
                check.observer.on_next(verdict)
                check.observer.on_completed()
            else:
                check.observer.on_error(verdict)

    async def _judge(self, texts: list[str]) -> list[Verdict | Exception]:
        """For each text its verdict, or its error."""
        if not texts:
            return []
        try:
            answer = await self._request(texts)
        except StatusError as error:
            if error.status not in _TEXT_REFUSED or len(texts) == 1:
                raise
            half = len(texts) // 2
            return [*await self._judge_or_fail(texts[:half]), *await self._judge_or_fail(texts[half:])]
        results: Any = answer.get("results") if isinstance(answer, dict) else None  # pyright: ignore
        if not isinstance(results, list) or len(results) != len(texts):  # pyright: ignore[reportUnknownArgumentType]
            raise ProtocolError("expected one result of the moderation endpoint for each text, got another number")
        return [self._verdict_of(result) for result in results]  # pyright: ignore[reportUnknownVariableType]

    async def _judge_or_fail(self, texts: list[str]) -> list[Verdict | Exception]:
        try:
            return await self._judge(texts)
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

    def _verdict_of(self, result: Any) -> Verdict | Exception:
        try:
            return _read_result(result, self._thresholds)
        except (AttributeError, KeyError, TypeError, ValueError):
            # The message may hold text of the model.
            return ProtocolError("a result of the moderation endpoint lacks a field, or a field has a wrong type")


def _read_thresholds(thresholds: Mapping[str, float], model: str) -> dict[str, float]:
    """A copy, checked.

    Raises: ValueError: a number out of its range, a category that the model does not have. TypeError: no number.
    """
    known = next((names for start, names in _CATEGORIES.items() if model.startswith(start)), None)
    for name, least in thresholds.items():
        if isinstance(least, bool) or not isinstance(least, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the threshold of {name!r} must be a number from 0 to 1, got {least!r}")
        if not 0 <= least <= 1:
            raise ValueError(f"the threshold of {name!r} must be a number from 0 to 1, got {least!r}")
        if known is not None and name not in known:
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{model} has no category {name!r}.{hint} It has: {', '.join(known)}")
    return dict(thresholds)


def _read_result(result: Any, thresholds: Mapping[str, float]) -> Verdict:
    """The verdict of a result of the endpoint.

    Raises: AttributeError, KeyError, TypeError, ValueError: a field is missing, or has a wrong value.
    """
    own_flag = result["flagged"]
    if not isinstance(own_flag, bool):
        raise TypeError("flagged")
    own: dict[str, bool] = {}
    for name, value in result["categories"].items():
        if isinstance(value, bool):
            own[name] = value
        elif value is not None or name not in _NULLABLE:
            raise TypeError("categories")
    scores: dict[str, float] = {}
    for name, score in result["category_scores"].items():
        if isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1:  # NaN is not
            scores[name] = float(score)
        elif score is not None or name not in _NULLABLE or name in thresholds:
            raise TypeError("category_scores")
    flags = {**own, **{name: scores[name] >= least for name, least in thresholds.items()}}
    categories = tuple(one_line(str(name), 100) for name, flagged in flags.items() if flagged)
    # A flag without a category is no category that a threshold could decide.
    unexplained = own_flag and (not thresholds or not any(own.values()))
    return Verdict(
        bool(categories) or unexplained, categories, {one_line(str(name), 100): value for name, value in scores.items()}
    )
