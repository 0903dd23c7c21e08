"""How a check is asked: it may answer at once, or later, and in three ways."""

import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

from reactivex import Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable

from rxstream.moderation.machine._window import Verdict, Window
from rxstream.rx._context import RUNTIME, Runtime

_log = logging.getLogger("rxstream.moderation")

CheckResult: TypeAlias = Verdict | bool
ModerationCheck: TypeAlias = Callable[[Window], CheckResult | Awaitable[CheckResult] | Observable[Any]]
"""Judges one window: a `Verdict`, or a `bool` that says whether it is flagged; or an awaitable or an Observable of it.

An Observable's first value counts. A check may have a `holdback`: so many characters behind the verified mark are kept
back for it, whatever its verdicts say.
"""

Report: TypeAlias = Callable[[Verdict | None], object]
"""Takes the answer, once; None: there is none."""

_NO_SESSION = (
    "an async moderation check needs a session to run in: subscribe inside `with rxstream.Session():` or "
    "`async with rxstream.Session():` (no key is needed for it)"
)


def tiers(check: ModerationCheck | Sequence[ModerationCheck]) -> tuple[ModerationCheck, ...]:
    """The checks to ask, in order.

    Raises: TypeError: something that cannot be called. ValueError: no check at all.
    """
    checks = tuple(cast("Sequence[ModerationCheck]", check)) if isinstance(check, list | tuple) else (check,)
    if not checks:
        raise ValueError("debounce_moderation needs at least one check")
    for one in checks:
        if not callable(one):
            raise TypeError(
                f"a check is a function of a Window, and {type(one).__name__} cannot be called: "
                "for words and patterns write Blocklist([...])"
            )
    return cast("tuple[ModerationCheck, ...]", checks)


def ask(
    check: ModerationCheck, window: Window, runtime: Runtime | None, scheduler: abc.SchedulerBase, report: Report
) -> abc.DisposableBase | None:
    """Have `window` judged; disposing cancels it, and then nothing is reported.

    What goes wrong is logged by the name of its class alone: its text might repeat what the model wrote.
    """
    try:
        said: Any = check(window)
    except Exception as error:
        return _failed(report, error)
    if isinstance(said, Verdict | bool):
        report(_verdict(said))
        return None
    if isinstance(said, Observable):
        return _subscribe(cast("Observable[Any]", said), scheduler, report)
    if inspect.isawaitable(said):
        runtime = runtime or RUNTIME.get()
        if runtime is None:
            if inspect.iscoroutine(said):
                said.close()
            _log.error(_NO_SESSION)
            report(None)
            return None
        return _AwaitableCheck(said, runtime, report)
    _log.warning("a moderation check answered a %s; a Verdict or a bool is needed", type(said).__name__)
    report(None)
    return None


def _verdict(said: object) -> Verdict | None:
    """What a check said, as a verdict that can be relied upon; None where it is none."""
    if isinstance(said, bool):
        return Verdict(flagged=said)
    if isinstance(said, Verdict) and isinstance(cast(object, said.flagged), bool):
        try:
            return Verdict(
                said.flagged,
                tuple(map(str, said.categories)),
                {str(name): float(score) for name, score in said.scores.items()},
                tuple((int(start), int(end)) for start, end in said.spans),
                bool(said.suspect),
                int(said.holdback),
            )
        except (AttributeError, TypeError, ValueError):
            _log.warning("a moderation check answered a Verdict with fields of the wrong type")
            return None
    _log.warning("a moderation check answered a %s; a Verdict or a bool is needed", type(said).__name__)
    return None


def _failed(report: Report, error: Exception) -> None:
    _log.warning("a moderation check failed: %s", type(error).__name__)
    report(None)


def _subscribe(said: Observable[Any], scheduler: abc.SchedulerBase, report: Report) -> abc.DisposableBase:
    subscription = SingleAssignmentDisposable()
    answered: list[bool] = []

    def on_next(value: object) -> None:
        if not answered:
            answered.append(True)
            subscription.dispose()
            report(_verdict(value))

    def on_error(error: Exception) -> None:
        if not answered:
            answered.append(True)
            _failed(report, error)

    def on_completed() -> None:
        if not answered:
            answered.append(True)
            _log.warning("a moderation check completed without a verdict")
            report(None)

    subscription.disposable = said.subscribe(on_next, on_error, on_completed, scheduler=scheduler)
    return subscription


class _AwaitableCheck(abc.DisposableBase):
    """An awaitable verdict, awaited on the session's loop."""

    def __init__(self, said: Awaitable[Any], runtime: Runtime, report: Report) -> None:
        self._said = said
        self._report = report
        self._lock = threading.Lock()
        self._begun = False
        self._disposed = False
        self._task: abc.DisposableBase = Disposable()
        try:
            self._task = runtime.spawn(self._run)
        except Exception as error:  # the session has been left
            self._forget()
            _failed(report, error)

    async def _run(self) -> None:
        with self._lock:
            if self._disposed:
                return
            self._begun = True
        try:
            verdict = _verdict(await self._said)
        except Exception as error:
            _log.warning("a moderation check failed: %s", type(error).__name__)
            verdict = None
        if not self._disposed:
            self._report(verdict)

    def dispose(self) -> None:
        self._forget()
        self._task.dispose()

    def _forget(self) -> None:
        """Nobody will await it any more; a coroutine that never began says so loudly unless it is closed."""
        with self._lock:
            begun, self._disposed = self._begun, True
        if not begun and inspect.iscoroutine(self._said):
            self._said.close()
