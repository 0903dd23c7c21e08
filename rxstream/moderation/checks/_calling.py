"""Calling a check: it returns a verdict, an awaitable of one, or an Observable of one."""

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
"""Judges one window: returns a `Verdict`, or a `bool` that says whether it is flagged; or an awaitable or an Observable
of one of these.

The first value of an Observable counts. A check may have an attribute `holdback`: so many characters before the end of
the verified text are held back, whatever its verdicts say.
"""

Report: TypeAlias = Callable[[Verdict | None], object]
"""Called once, with the verdict, or with None if the check returned no verdict."""

_NO_SESSION = (
    "an async moderation check needs a session to run in: subscribe inside `with rxstream.Session():` or "
    "`async with rxstream.Session():` (no key is needed for it)"
)


def check_tiers(check: ModerationCheck | Sequence[ModerationCheck]) -> tuple[ModerationCheck, ...]:
    """The checks, in the order in which they are called.

    Raises: TypeError: a check that cannot be called. ValueError: no check.
    """
    checks = tuple(cast("Sequence[ModerationCheck]", check)) if isinstance(check, list | tuple) else (check,)
    if not checks:
        raise ValueError("debounce_moderation expects at least one check, got none")
    for function in checks:
        if not callable(function):
            raise TypeError(
                f"a check must be a function of a Window, got {type(function).__name__}: "
                "for words and patterns write Blocklist([...])"
            )
    return cast("tuple[ModerationCheck, ...]", checks)


def call_check(
    check: ModerationCheck, window: Window, runtime: Runtime | None, scheduler: abc.SchedulerBase, report: Report
) -> abc.DisposableBase | None:
    """Call `check` with `window`. Disposing cancels it; then `report` is not called.

    Of an error only the class is logged: its text may repeat text of the model.
    """
    try:
        result: Any = check(window)
    except Exception as error:
        return _report_failure(report, error)
    if isinstance(result, Observable):
        return _subscribe(cast("Observable[Any]", result), scheduler, report)
    if inspect.isawaitable(result):
        runtime = runtime or RUNTIME.get()
        if runtime is None:
            if inspect.iscoroutine(result):
                result.close()
            _log.error(_NO_SESSION)
            report(None)
            return None
        return _AwaitableCheck(result, runtime, report)
    report(_verdict_of(result))
    return None


def _verdict_of(result: object) -> Verdict | None:
    """The verdict of a check, with its fields converted. None, and a line in the log, if it is not a verdict."""
    if isinstance(result, bool):
        return Verdict(flagged=result)
    if isinstance(result, Verdict) and isinstance(cast(object, result.flagged), bool):
        try:
            return Verdict(
                result.flagged,
                tuple(map(str, result.categories)),
                {str(name): float(score) for name, score in result.scores.items()},
                tuple((int(start), int(end)) for start, end in result.spans),
                bool(result.suspect),
                int(result.holdback),
            )
        except (AttributeError, TypeError, ValueError):
            _log.warning("a moderation check returned a Verdict with a field of a wrong type")
            return None
    _log.warning("a moderation check must return a Verdict or a bool, got %s", type(result).__name__)
    return None


def _report_failure(report: Report, error: Exception) -> None:
    _log.warning("a moderation check failed: %s", type(error).__name__)
    report(None)


def _subscribe(result: Observable[Any], scheduler: abc.SchedulerBase, report: Report) -> abc.DisposableBase:
    subscription = SingleAssignmentDisposable()
    reported: list[bool] = []

    def on_next(value: object) -> None:
        if not reported:
            reported.append(True)
            subscription.dispose()
            report(_verdict_of(value))

    def on_error(error: Exception) -> None:
        if not reported:
            reported.append(True)
            _report_failure(report, error)

    def on_completed() -> None:
        if not reported:
            reported.append(True)
            _log.warning("a moderation check completed without a verdict")
            report(None)

    subscription.disposable = result.subscribe(on_next, on_error, on_completed, scheduler=scheduler)
    return subscription


class _AwaitableCheck(abc.DisposableBase):
    """Awaits the verdict in the loop of the session."""

    def __init__(self, result: Awaitable[Any], runtime: Runtime, report: Report) -> None:
        self._awaitable = result
        self._report = report
        self._lock = threading.Lock()
        self._started = False
        self._disposed = False
        self._task: abc.DisposableBase = Disposable()
        try:
            self._task = runtime.spawn(self._run)
        except Exception as error:  # the session is closed
            self._close_unstarted()
            _report_failure(report, error)

    async def _run(self) -> None:
        with self._lock:
            if self._disposed:
                return
            self._started = True
        try:
            verdict = _verdict_of(await self._awaitable)
        except Exception as error:
            _log.warning("a moderation check failed: %s", type(error).__name__)
            verdict = None
        if not self._disposed:
            self._report(verdict)

    def dispose(self) -> None:
        self._close_unstarted()
        self._task.dispose()

    def _close_unstarted(self) -> None:
        """Close a coroutine that was never awaited, because Python warns of a coroutine that is not closed."""
        with self._lock:
            started, self._disposed = self._started, True
        if not started and inspect.iscoroutine(self._awaitable):
            self._awaitable.close()
