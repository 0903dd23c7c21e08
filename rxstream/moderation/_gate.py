"""May the answer be shown at all: the stream is held until a verdict on its request has passed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar, cast, get_args

from reactivex import Observable, abc
from reactivex.disposable import SerialDisposable, SingleAssignmentDisposable

from rxstream.events import Event, StreamingEvent
from rxstream.moderation.checks._calling import CheckResult, call_check, name_of
from rxstream.moderation.machine._emitted_state import EmittedState
from rxstream.moderation.machine._events import NO_VERDICT, OVERFLOW, ModerationFlaggedEvent, moderation_error
from rxstream.moderation.machine._options import ERROR_ACTIONS, ErrorAction, chosen_action
from rxstream.moderation.machine._window import Verdict, Window
from rxstream.rx._checks import of_events, require_source
from rxstream.rx._context import FLOW, RUNTIME, Flow
from rxstream.rx._observable import PushObservable
from rxstream.rx._serial import DRAINING, ENDING, RAISED, Serial
from rxstream.rx._timed import choose_scheduler, seconds_of

_E = TypeVar("_E", bound=Event)

GateVerdict: TypeAlias = Awaitable[CheckResult] | Observable[Any] | Callable[[], Any]
"""An Observable or an awaitable of a `Verdict` or a `bool`, or a function without arguments that returns one of these.

A coroutine can be awaited once only. For a stream that is subscribed to more than once pass the async function itself.
"""

GateAction: TypeAlias = Literal["cut", "error", "refuse"]

_ACTIONS: Final = get_args(GateAction)
_ERROR_TEXT: Final = {
    "flag": "the verdict on the request flagged it",
    "check_error": "the verdict on the request failed, and an answer without a verdict is not shown",
    "overflow": "more was held than max_buffer allows, and an answer without a verdict is not shown",
}

_expects_events = of_events("gate_until")


def gate_until(
    verdict: GateVerdict,
    *,
    on_flag: GateAction | Callable[[Verdict], GateAction] = "cut",
    refusal: str = "I cannot help with that.",
    timeout: float | timedelta = 10.0,
    on_check_error: ErrorAction = "cut",
    max_buffer: int = 64_000,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_E]], Observable[_E]]:
    """Hold back the answer until a verdict on its request has passed. The request runs meanwhile.

    Marbles with gate_until(passes_after_50ms)::

        source   -C-a---------b-|
        result   -----(C,a)---b-|

    Marbles with gate_until(flags_after_50ms)::

        source   -C-a---------b-|
        result   -----(x,N*|)
        upstream ^----!
        where x = ModerationFlaggedEvent(action="cut", check="flags_after_50ms")

    Both are subscribed to at once, the verdict first. Once it has passed, everything that was held is emitted, and what
    follows passes unchanged: the answer itself is not checked, `debounce_moderation` does that.

    Args:
        verdict: an Observable or an awaitable of a `Verdict` or a `bool` (whether the request is flagged), or a
            function without arguments that returns one of these or is async. The first value counts. Awaitables need a
            session. A verdict that is `suspect` is a flag, because no more text follows.
        on_flag: `"cut"`, `"error"`, `"refuse"` (a message with the text `refusal`), or a function of the verdict that
            returns one of these.
        timeout: seconds for the verdict; `math.inf` for no limit.
        on_check_error: what to do without a verdict, because it failed, took too long or completed without a value:
            `"cut"`, `"error"`; or `"pass"`, which shows the answer.
        max_buffer: the most characters of deltas held; any other event counts as one. With more the source is paused;
            if it cannot be, `on_check_error` decides.

    Emits: the events of the source. If the verdict is a flag, one `ModerationFlaggedEvent`, and then
    `response.incomplete` with reason `content_filter`, marked `synthetic`; the source is disposed.
    Completes: with the source, after the verdict; or after a flag. Errors: the source's, after a verdict that passed;
    `ModerationError` if `"error"` is chosen.
    Disposing: cancels the verdict. Memory: what is held, at most `max_buffer`.

    Raises: ValueError, TypeError: an argument of a wrong type or out of its range.
    """
    if not (isinstance(verdict, Observable) or inspect.isawaitable(verdict) or callable(verdict)):
        raise TypeError(
            "gate_until expects an Observable, an awaitable or a function of no arguments, "
            f"got {type(verdict).__name__}"
        )
    if not callable(on_flag) and on_flag not in _ACTIONS:
        raise ValueError(f"on_flag must be one of {', '.join(map(repr, _ACTIONS))}, got {on_flag!r}")
    if on_check_error not in ERROR_ACTIONS:
        raise ValueError(f"on_check_error must be one of {', '.join(map(repr, ERROR_ACTIONS))}, got {on_check_error!r}")
    if max_buffer < 1:
        raise ValueError(f"max_buffer must be 1 or more, got {max_buffer!r}")
    seconds = math.inf if timeout == math.inf else seconds_of("timeout", timeout)
    options = _GateOptions(verdict, on_flag, refusal, seconds, on_check_error, max_buffer)
    explicit = scheduler

    def operator(source: Observable[_E]) -> Observable[_E]:
        require_source(source, "gate_until")

        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            gate = _GatedSubscription(options, observer, choose_scheduler(explicit, scheduler))
            return gate.subscribe(source, scheduler)

        return PushObservable(subscribe)

    return operator


class _GateOptions(NamedTuple):
    verdict: GateVerdict
    on_flag: GateAction | Callable[[Verdict], GateAction]
    refusal: str
    timeout: float
    on_check_error: ErrorAction
    max_buffer: int

    def call(self, window: Window) -> Any:
        """What `call_check` calls: the window says nothing here."""
        verdict: Any = self.verdict
        return verdict if isinstance(verdict, Observable) or not callable(verdict) else verdict()  # pyright: ignore


class _GatedSubscription(abc.ObserverBase[StreamingEvent], abc.DisposableBase):
    """The observer of the source, and the Disposable of the subscriber. Each input is a step of a `Serial`."""

    def __init__(
        self, options: _GateOptions, observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase
    ) -> None:
        self._options = options
        self._scheduler = scheduler
        self._serial = Serial(observer, self._close)
        self._serial.aborts = True
        self._timer = SerialDisposable()
        self._check = SingleAssignmentDisposable()
        self._reported = False
        """Whether the check has returned. Its task may still be the one that runs, and is not cancelled."""
        self._decided = False
        """Whether the verdict, or what stands for it, is known."""
        self._held: list[StreamingEvent] = []
        self._size = 0
        """Of what is held, as `max_buffer` counts it."""
        self._source_end: tuple[Exception | None] | None = None
        """How the source ended while it was held."""
        self._paused: Flow | None = None

    def subscribe(self, source: Observable[Any], scheduler: abc.SchedulerBase | None) -> abc.DisposableBase:
        check = call_check(self._options.call, _NO_WINDOW, RUNTIME.get(), self._scheduler, self._report)
        if check is not None:
            self._check.disposable = check
        if not self._decided and self._options.timeout < math.inf:
            self._timer.disposable = self._scheduler.schedule_relative(self._options.timeout, self._timed_out)
        if self._serial.state < DRAINING:
            self._serial.source.disposable = source.subscribe(self, scheduler=scheduler)
        return self

    # ------------------------------------------------------------------ the observer

    def on_next(self, value: StreamingEvent) -> None:
        self._serial.flow = FLOW.get()
        self._serial.feed(self._feed, value)

    def on_error(self, error: Exception) -> None:
        if self._serial.state is RAISED:
            self._serial.end(error)
        else:
            self._serial.feed(self._note_source_end, error)

    def on_completed(self) -> None:
        if self._serial.state is RAISED:
            self._serial.end()
        else:
            self._serial.feed(self._note_source_end, None)

    def dispose(self) -> None:
        self._serial.dispose()

    # ------------------------------------------------------------------ steps

    def _feed(self, event: StreamingEvent) -> None:
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  # Rx does not check
            try:
                _expects_events(event)
            except TypeError as error:
                self._serial.end(error)
        elif self._decided:
            self._serial.emit((event,))
        else:
            self._hold(event)

    def _hold(self, event: StreamingEvent) -> None:
        self._held.append(event)
        delta = getattr(event, "delta", None)
        self._size += len(delta) if isinstance(delta, str) else 1
        if self._size <= self._options.max_buffer:
            return
        if self._paused is None and self._serial.flow is not None:
            self._paused = self._serial.flow
            self._paused.pause()
        elif self._paused is None or self._size > 2 * self._options.max_buffer:  # what was under way still comes
            self._fail(OVERFLOW, "overflow")

    def _note_source_end(self, error: Exception | None) -> None:
        self._serial.source_ended()
        if self._decided:
            self._serial.end(error)
        else:
            self._source_end = (error,)

    def _decide(self, verdict: Verdict | None) -> None:
        if self._decided:
            return
        if verdict is None:
            self._fail(NO_VERDICT, "check_error")
        elif verdict.flagged or verdict.suspect:
            self._stop(chosen_action(self._options.on_flag, verdict, _ACTIONS), verdict, "flag")
        else:
            self._release()

    def _fail(self, verdict: Verdict, cause: str) -> None:
        action = self._options.on_check_error
        if action == "pass":
            self._release()
        else:
            self._stop(action, verdict, cause)

    def _release(self) -> None:
        """Emit what was held. Steps that come meanwhile wait."""
        self._decided = True
        self._end_check()
        held, self._held = self._held, []
        self._serial.emit(held)
        if self._source_end is not None and self._serial.state < ENDING:
            self._serial.end(*self._source_end)

    def _stop(self, action: GateAction, verdict: Verdict, cause: str) -> None:
        """End the stream, of which nothing was emitted."""
        self._decided = True
        self._serial.source_ended()
        self._serial.source.dispose()
        self._end_check()
        self._held = []
        shown = replace(verdict, flagged=True, replacements=())
        fields = {"verdict": shown, "action": action, "cause": cause, "kind": "other"}
        flagged = ModerationFlaggedEvent.model_validate({**fields, "check": name_of(self._options.verdict)})
        closing = EmittedState().closing_events(self._options.refusal if action == "refuse" else None)
        self._serial.emit(cast("list[StreamingEvent]", [flagged, *closing]))
        error = None
        if action == "error":
            error = moderation_error(_ERROR_TEXT[cause], cause, shown)
        self._serial.end(error)

    # ------------------------------------------------------------------ the verdict

    def _report(self, verdict: Verdict | None, failure: str) -> None:
        self._reported = True
        self._serial.feed_from_timer(self._decide, verdict)

    def _timed_out(self, scheduler: abc.SchedulerBase, state: object = None) -> None:
        self._serial.feed_from_timer(self._decide, None)

    def _end_check(self) -> None:
        self._timer.dispose()
        if not self._reported:
            self._check.dispose()
        paused, self._paused = self._paused, None
        if paused is not None:
            paused.resume()

    def _close(self) -> None:
        self._end_check()
        self._held = []


_NO_WINDOW: Final = Window("")
