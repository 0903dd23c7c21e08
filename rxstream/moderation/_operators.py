"""May it be shown: hold text back until a check has passed it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypedDict, Unpack

from reactivex import Observable, abc

from rxstream.events import Event, ResponseOutputTextDeltaEvent, StreamingEvent
from rxstream.moderation._subscription import ModeratedSubscription
from rxstream.moderation.checks._calling import ModerationCheck, tiers
from rxstream.moderation.machine._boundaries import Boundary, boundary_function
from rxstream.moderation.machine._events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.moderation.machine._options import ErrorAction, FlagAction, Mode, Options
from rxstream.moderation.machine._window import LaneKind, Verdict
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, seconds_of
from rxstream.typing import Operator


def debounce_moderation(
    check: ModerationCheck | Sequence[ModerationCheck],
    *,
    mode: Mode = "hold",
    quiet: float | timedelta = 0.2,
    max_delay: float | timedelta = 1.0,
    first_chars: int = 60,
    growth: float = 2.0,
    max_chars: int = 800,
    boundary: Boundary = "sentence",
    context: int = 400,
    holdback: int = 0,
    max_exposure: int = 300,
    in_flight: int = 2,
    timeout: float | timedelta = 3.0,
    retries: int = 1,
    on_flag: FlagAction | Callable[[Verdict], FlagAction] = "cut",
    replacement: str = "[removed]",
    on_check_error: ErrorAction = "cut",
    max_buffer: int = 64_000,
    include: Iterable[LaneKind] = ("text", "refusal"),
    scheduler: abc.SchedulerBase | None = None,
) -> Operator[StreamingEvent, StreamingEvent]:
    """Show what the model writes only once `check` has passed it.

    Marbles with debounce_moderation(lambda window: "bad" in window.text, quiet=0.05)::

        source   -C-a-b-c----------bad-----------d-|
        result   -C----------abc--------(x,D*,I*,N*|)
        upstream ^----------------------!
        where x = ModerationFlaggedEvent(action="cut", released=3)

    Text is gathered into windows, and leaves when the check has passed its window. A check starts at the first of
    these: `quiet` seconds without new text; the oldest character that no check has seen is `max_delay` old; the window
    is full; the text ends. What repeats the text (the `.done` events, items, the response, log probabilities,
    annotations) waits for it, and is rewritten where something was cut or replaced.

    Args:
        check: called with a `Window`; answers a `Verdict`, or a `bool` that says whether it is flagged, or an awaitable
            (in a session) or an Observable of one. A sequence: asked in order, and all must pass. Its attribute
            `holdback` counts like the option.
        mode: `"hold"`: nothing leaves before it has passed. `"bounded"`: at most `max_exposure` characters leave ahead
            of the verdict. `"optimistic"`: everything leaves at once.
        quiet, max_delay: seconds; `math.inf` for never.
        first_chars, growth, max_chars: the size of the first window, how much larger each next one is, the largest.
        boundary: where a full window is best cut: `"sentence"`, `"word"`, `"line"`, a function from its text to an
            offset, or None. A hint: no promise rests on it.
        context: characters that passed before, shown to the check in front of the new ones.
        holdback: characters kept back behind the verified mark: one less than the longest thing looked for.
        in_flight: checks that run at once for one text. What they pass leaves in order.
        timeout, retries: seconds for an answer, and how often to ask again for one that did not come.
        on_flag: `"cut"`, `"error"`, `"replace"` (by `replacement`, where the verdict has `spans`), `"annotate"`, or a
            function of the verdict that returns one of these.
        on_check_error: what to do without a verdict: `"cut"`, `"error"`; or `"pass"`, which shows unjudged text.
        max_buffer: characters held at most. Beyond, the source is paused; if it cannot be, `on_check_error` decides.
        include: the kinds of text that are moderated. Others pass untouched.

    Emits: the events, held text in fewer deltas. For each flag one `ModerationFlaggedEvent`; before it, for text that
    was shown already, a `ModerationRetractedEvent`. After a cut, events that close the stream, marked `synthetic`.
    Completes: with the source, when every verdict is there; or after a cut. Errors: the source's, after the verified
    text, and what was not verified is dropped; `ModerationError` where `"error"` is chosen.
    Disposing: cancels the checks under way. Memory: the text, and what waits for it, at most `max_buffer`.

    Raises: ValueError, TypeError: an argument that cannot be meant.
    """
    checks = tiers(check)
    options = Options(
        mode=mode,
        quiet=_span("quiet", quiet),
        max_delay=_span("max_delay", max_delay),
        first_chars=first_chars,
        growth=growth,
        max_chars=max_chars,
        boundary=boundary_function(boundary),
        context=context,
        holdback=holdback if holdback < 0 else max(holdback, *(_own_holdback(one) for one in checks)),
        max_exposure=max_exposure,
        in_flight=in_flight,
        timeout=_span("timeout", timeout),
        retries=retries,
        on_flag=on_flag,
        replacement=replacement,
        on_check_error=on_check_error,
        max_buffer=max_buffer,
        include=frozenset(_kinds(include)),
        tiers=len(checks),
    )
    explicit = scheduler

    def operator(source: Observable[StreamingEvent]) -> Observable[StreamingEvent]:
        def subscribe(
            observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            return ModeratedSubscription(options, checks, observer, choose_scheduler(explicit, scheduler)).subscribe(
                source, scheduler
            )

        return PushObservable(subscribe)

    return operator


class ModerationOptions(TypedDict, total=False):
    """The options of `debounce_moderation` that make sense of a text alone."""

    mode: Mode
    quiet: float | timedelta
    max_delay: float | timedelta
    first_chars: int
    growth: float
    max_chars: int
    boundary: Boundary
    context: int
    holdback: int
    max_exposure: int
    in_flight: int
    timeout: float | timedelta
    retries: int
    on_flag: FlagAction | Callable[[Verdict], FlagAction]
    replacement: str
    on_check_error: ErrorAction
    max_buffer: int
    scheduler: abc.SchedulerBase | None


def debounce_moderation_text(
    check: ModerationCheck | Sequence[ModerationCheck],
    *,
    on_event: Callable[[ModerationFlaggedEvent | ModerationRetractedEvent], object] | None = None,
    **options: Unpack[ModerationOptions],
) -> Operator[str, str]:
    """Show a text that comes in pieces only once `check` has passed it.

    Marbles with debounce_moderation_text(Blocklist(["bad"]), quiet=0.05)::

        texts    -a-b-c-----------bad----------d-|
        result   ----------(abc)-------|

    As `debounce_moderation`, with the same options but `include`, for a stream of `str`: one lane, and no copies. A
    `str` cannot say that it was flagged, so a cut merely completes: with `on_flag="error"` it fails, and `on_event` is
    called with what would stand between the events, a `ModerationFlaggedEvent` or, in the modes `bounded` and
    `optimistic`, a `ModerationRetractedEvent` first.

    Emits: `str`, never empty, split anew. Completes, errors, memory, raises: as `debounce_moderation`.
    """
    moderate = debounce_moderation(check, include=("text",), **options)

    def operator(source: Observable[str]) -> Observable[str]:
        def subscribe(
            observer: abc.ObserverBase[str], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def on_next(event: Event) -> None:
                if isinstance(event, ResponseOutputTextDeltaEvent):
                    observer.on_next(event.delta)
                elif on_event is not None and isinstance(event, ModerationFlaggedEvent | ModerationRetractedEvent):
                    on_event(event)

            return moderate(source.pipe(_as_deltas)).subscribe(
                on_next, observer.on_error, observer.on_completed, scheduler=scheduler
            )

        return PushObservable(subscribe)

    return operator


def _as_deltas(source: Observable[str]) -> Observable[StreamingEvent]:
    def subscribe(
        observer: abc.ObserverBase[StreamingEvent], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        def on_next(text: str) -> None:
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # unchecked it would pass
                observer.on_error(
                    TypeError(
                        f"debounce_moderation_text() holds back text and was given {type(text).__name__}: "
                        "for a stream of events use debounce_moderation()"
                    )
                )
                return
            observer.on_next(
                ResponseOutputTextDeltaEvent.model_construct(
                    {"type", "delta"}, type="response.output_text.delta", delta=text
                )
            )

        return source.subscribe(on_next, observer.on_error, observer.on_completed, scheduler=scheduler)

    return PushObservable(subscribe)


def _kinds(include: Iterable[LaneKind]) -> Iterable[LaneKind]:
    if isinstance(include, str):
        raise ValueError(f"include is a collection of kinds, as ({include!r},)")
    return include


def _own_holdback(check: ModerationCheck) -> int:
    """What a check itself says that it needs kept back."""
    own: Any = getattr(check, "holdback", 0)
    if not isinstance(own, int) or own < 0:
        raise ValueError(f"the holdback of a check must be a number of characters, not {own!r}")
    return own


def _span(name: str, value: float | timedelta) -> float:
    return math.inf if value == math.inf else seconds_of(name, value)
