"""Calling a check: it returns a verdict, an awaitable of one, or an Observable of one."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias, cast

import anyio
from reactivex import Observable, abc
from reactivex.disposable import Disposable, SingleAssignmentDisposable

from rxstream.moderation.machine._options import CheckOptions, ChooseAction, FlagAction
from rxstream.moderation.machine._window import Verdict, Window
from rxstream.rx._context import RUNTIME, Runtime
from rxstream.rx._loops import is_being_cancelled

_log = logging.getLogger("rxstream.moderation")

CheckResult: TypeAlias = Verdict | bool
ModerationCheck: TypeAlias = Callable[[Window], CheckResult | Awaitable[CheckResult] | Observable[Any]]
"""Judges one window: returns a `Verdict`, or a `bool` that says whether it is flagged; or an awaitable or an Observable
of one of these.

The first value of an Observable counts. A check may have an attribute `holdback`: so many characters before the end of
the verified text are held back, whatever its verdicts say.
"""

ModeratedCheck: TypeAlias = ModerationCheck | tuple[ModerationCheck, FlagAction | ChooseAction]
"""A check, or a check and what to do with what it flags, in place of `on_flag`."""

Report: TypeAlias = Callable[[Verdict | None, str], object]
"""Called once: with the verdict, or with None and what failed if the check returned no verdict."""

_NO_SESSION = (
    "an async moderation check needs a session to run in: subscribe inside `with rxstream.Session():` or "
    "`async with rxstream.Session():` (no key is needed for it)"
)


def read_checks(
    check: ModerationCheck | Sequence[ModeratedCheck],
) -> tuple[tuple[ModerationCheck, ...], tuple[CheckOptions, ...]]:
    """The checks, in the order in which they are called, and the options of each.

    Raises: TypeError: a check that cannot be called. ValueError: no check, a holdback that is not a number.
    """
    entries: tuple[Any, ...] = tuple(cast("Sequence[Any]", check)) if isinstance(check, list | tuple) else (check,)
    if not entries:
        raise ValueError("debounce_moderation expects at least one check, got none")
    if len(entries) == 2 and isinstance(entries[1], str):
        raise TypeError(f"a check with its own action stands in a list: write [(check, {entries[1]!r})]")
    functions: list[ModerationCheck] = []
    options: list[CheckOptions] = []
    for entry in entries:
        pair = cast("Sequence[Any]", entry) if isinstance(entry, tuple) else (entry, None)
        if len(pair) != 2:
            raise TypeError(f"a check of a list is a function, or a pair of it and an action, got {len(pair)} values")
        function, action = pair
        if not callable(function):
            raise TypeError(
                f"a check must be a function of a Window, got {type(function).__name__}: "
                "for words and patterns write Blocklist([...])"
            )
        functions.append(cast("ModerationCheck", function))
        options.append(CheckOptions(name_of(function), action, _own_holdback(function)))
    return tuple(functions), tuple(options)


def name_of(check: Any) -> str:
    """The name of a check: of its function or class."""
    name = getattr(check, "__name__", None)
    return name if isinstance(name, str) else type(check).__name__


def _own_holdback(check: Any) -> int | None:
    """The attribute `holdback` of a check; None without one."""
    holdback = getattr(check, "holdback", None)
    if holdback is not None and (not isinstance(holdback, int) or holdback < 0):
        raise ValueError(f"the holdback of a check must be a number of characters, got {holdback!r}")
    return holdback


def call_check(
    check: ModerationCheck, window: Window, runtime: Runtime | None, scheduler: abc.SchedulerBase, report: Report
) -> abc.DisposableBase | None:
    """Call `check` with `window`. Disposing cancels it; then `report` is not called.

    Of an error only the class is logged: its text may repeat text of the model.
    """
    try:
        result: Any = check(window)
    except Exception as error:
        _report_failure(report, error)
        return None
    if isinstance(result, Observable):
        return _subscribe(result, scheduler, report)  # pyright: ignore[reportUnknownArgumentType]
    if inspect.isawaitable(result):
        runtime = runtime or RUNTIME.get()
        if runtime is None:
            if inspect.iscoroutine(result):
                result.close()
            _log.error(_NO_SESSION)
            report(None, "no session")
            return None
        return _AwaitableCheck(result, runtime, report)
    report(*_read(result))
    return None


def _read(result: object) -> tuple[Verdict | None, str]:
    """The verdict of a check, with its fields converted. If it cannot be read: None, and why; and a line in the log."""
    try:
        if isinstance(result, Verdict):
            categories = cast("Any", result.categories)
            spans = tuple((int(start), int(end)) for start, end in result.spans)
            replacements = tuple(result.replacements)
            if replacements and len(replacements) != len(spans):
                _log.warning("a moderation check returned %d replacements of %d spans", len(replacements), len(spans))
                return None, "no verdict"
            if not all(isinstance(text, str) for text in replacements):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError
            return Verdict(
                _truth(result.flagged),
                (categories,) if isinstance(categories, str) else tuple(map(str, categories)),
                {str(name): float(score) for name, score in result.scores.items()},
                spans,
                _truth(result.suspect),
                max(int(result.holdback), 0),
                replacements,
            ), ""
        return Verdict(flagged=_truth(result)), ""
    except _NotTruth as error:
        _log.warning("a moderation check must return a Verdict or a bool, got %s", error)
    except Exception:  # the fields of a verdict are the application's: reading them may raise anything
        _log.warning("a moderation check returned a Verdict with a field of a wrong type")
    return None, "no verdict"


class _NotTruth(TypeError):
    """The value is not a bool."""


def _truth(value: object) -> bool:
    """A bool, also one of numpy."""
    if isinstance(value, bool):
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise _NotTruth(type(value).__name__)


def _report_failure(report: Report, error: Exception) -> None:
    _log.warning("a moderation check failed: %s", type(error).__name__)
    report(None, type(error).__name__)


def _subscribe(result: Observable[Any], scheduler: abc.SchedulerBase, report: Report) -> abc.DisposableBase:
    subscription = SingleAssignmentDisposable()
    reported: list[bool] = []

    def on_next(value: object) -> None:
        if not reported:
            reported.append(True)
            subscription.dispose()
            report(*_read(value))

    def on_error(error: Exception) -> None:
        if not reported:
            reported.append(True)
            _report_failure(report, error)

    def on_completed() -> None:
        if not reported:
            reported.append(True)
            _log.warning("a moderation check completed without a verdict")
            report(None, "no verdict")

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
            verdict, failure = _read(await self._awaitable)
        except Exception as error:
            _log.warning("a moderation check failed: %s", type(error).__name__)
            verdict, failure = None, type(error).__name__
        except GeneratorExit:  # the loop is gone, and with it the class of a cancellation
            raise
        except (anyio.get_cancelled_exc_class(), asyncio.CancelledError) as error:
            if self._disposed or is_being_cancelled():
                raise
            # Something inside of the check was cancelled, not the check itself.
            _log.warning("a moderation check failed: %s", type(error).__name__)
            verdict, failure = None, type(error).__name__
        if not self._disposed:
            self._report(verdict, failure)

    def dispose(self) -> None:
        self._close_unstarted()
        self._task.dispose()

    def _close_unstarted(self) -> None:
        """Close a coroutine that was never awaited, because Python warns of a coroutine that is not closed."""
        with self._lock:
            started, self._disposed = self._started, True
        if not started and inspect.iscoroutine(self._awaitable):
            self._awaitable.close()
