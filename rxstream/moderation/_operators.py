"""May it be shown: text is held back until a check has passed it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, TypeVar, Unpack

from reactivex import Observable, abc

from rxstream.events import Event, ResponseOutputTextDeltaEvent, StreamingEvent
from rxstream.moderation._subscription import ModeratedSubscription
from rxstream.moderation.checks._calling import ModeratedCheck, ModerationCheck, read_checks
from rxstream.moderation.machine._boundaries import Boundary, boundary_function
from rxstream.moderation.machine._events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.moderation.machine._options import ErrorAction, FlagAction, Mode, Options
from rxstream.moderation.machine._window import KINDS, LaneKind, Verdict, VerdictRecord
from rxstream.rx._observable import PushObservable
from rxstream.rx._timed import choose_scheduler, seconds_of
from rxstream.typing import Operator

_E = TypeVar("_E", bound=Event)


def debounce_moderation(
    check: ModerationCheck | Sequence[ModeratedCheck],
    *,
    mode: Mode = "hold",
    quiet: float | timedelta = 0.2,
    max_delay: float | timedelta = 1.0,
    first_chars: int = 60,
    growth: float = 2.0,
    max_chars: int = 800,
    boundary: Boundary = "sentence",
    context: int = 400,
    holdback: int | Literal["word"] = "word",
    max_exposure: int = 300,
    in_flight: int = 2,
    timeout: float | timedelta = 3.0,
    retries: int = 1,
    on_flag: FlagAction | Callable[[Verdict], FlagAction] = "cut",
    replacement: str = "[removed]",
    refusal: str = "I cannot help with that.",
    on_check_error: ErrorAction = "cut",
    max_buffer: int = 64_000,
    include: Iterable[LaneKind] | Literal["all"] = "all",
    on_verdict: Callable[[VerdictRecord], object] | None = None,
    record_text: bool = False,
    scheduler: abc.SchedulerBase | None = None,
) -> Callable[[Observable[_E]], Observable[_E]]:
    """Hold back what the model wrote until `check` has passed it.

    By default everything is moderated that is not structure: texts and refusals, reasoning, arguments of tools, code,
    what hosted tools search and do, unknown fields and events, messages of errors. So what shows the stream may show
    reasoning, and tools behind it never see an unverified argument.

    Marbles with debounce_moderation(lambda window: "bad" in window.text, quiet=0.05, holdback=0)::

        source   -C-a-b-c----------bad-----------d-|
        result   -C----------abc--------(x,D*,I*,N*|)
        upstream ^----------------------!
        where x = ModerationFlaggedEvent(action="cut", released=3)

    Text is collected in windows, and released when the check has passed its window. A check starts at the first of
    these: `quiet` seconds without new text; the oldest unchecked character is `max_delay` old; the window is full; the
    text ends. Whatever repeats the text (the `.done` events, items, the response, log probabilities, annotations)
    waits for it, and is changed where text was cut or replaced.

    Args:
        check: a function of a `Window` that returns a `Verdict`, or a `bool` that says whether it is flagged, or an
            awaitable (in a session) or an Observable of one of these. A plain function runs on the thread of the
            stream. A list of checks: each sees all the text, as the ones before it edited it, and all must pass.
            An entry may be a pair of a check and its own action, in place of `on_flag`.
        mode: `"hold"`: nothing is released before it has passed. `"bounded"`: at most `max_exposure` characters of each
            text are released before their verdict. `"optimistic"`: everything is released at once. In each mode the
            events that end a call wait for the verdict on its arguments.
        quiet, max_delay: seconds; `math.inf` for never.
        first_chars, growth, max_chars: the size of the first window, the factor for each next one, and the size they
            grow to. A window may be an eighth larger than `max_chars`.
        boundary: where a full window ends: `"sentence"`, `"word"`, `"line"`, a function from its text to an offset, or
            None. Only a hint.
        context: characters before the window, already passed, that the check gets too.
        holdback: what stays back behind the verified text: `"word"`, the unfinished word, at most `context` characters;
            or a number of characters, one less than the longest match. An attribute `holdback` of a check replaces
            `"word"`, and counts if it is larger than the number.
        in_flight: calls of one check that run at once for one text. The text is released in order.
        timeout, retries: seconds for a verdict, and how often to call a check again that returned none.
        on_flag: `"cut"`, `"error"`, `"refuse"` (a cut that ends the message with `refusal`), `"replace"` (by
            `replacement`, if the verdict has `spans`), `"annotate"`, or a function of the verdict that returns one.
        on_check_error: what to do without a verdict: `"cut"`, `"error"`; or `"pass"`, which releases unchecked text.
        max_buffer: the most characters held; each event counts as one more. With more the source is paused; if it
            cannot be, or if only more text could release what is held, `on_check_error` decides.
        include: `"all"`, or the kinds of text that are moderated; others pass unchanged. Unknown fields, events of
            unknown types and messages of errors are always moderated.
        on_verdict: called with a `VerdictRecord` for each call of a check.
        record_text: whether records have the text of the window.

    Emits: the events, held text in fewer deltas. For each flag one `ModerationFlaggedEvent`; before it, for text that
    was released already, a `ModerationRetractedEvent`. After a cut, events that close the stream, marked `synthetic`.
    Completes: with the source, after the last verdict; or after a cut. Errors: the source's, after the verified text,
    and unverified text is dropped, with a `response.completed` that waits for it; it comes without its message if that
    does not pass. `ModerationError` if `"error"`
    is chosen.
    Disposing: cancels the running checks. Memory: the text, and the events that wait for it, at most `max_buffer`.

    Raises: ValueError, TypeError: an argument of a wrong type or out of its range.
    """
    checks, check_options = read_checks(check)
    options = Options(
        mode=mode,
        quiet=_seconds("quiet", quiet),
        max_delay=_seconds("max_delay", max_delay),
        first_chars=first_chars,
        growth=growth,
        max_chars=max_chars,
        boundary=boundary_function(boundary),
        context=context,
        holdback=holdback,
        max_exposure=max_exposure,
        in_flight=in_flight,
        timeout=_seconds("timeout", timeout),
        retries=retries,
        on_flag=on_flag,
        replacement=replacement,
        refusal=refusal,
        on_check_error=on_check_error,
        max_buffer=max_buffer,
        include=frozenset(_kinds(include)),
        checks=check_options,
        records=on_verdict is not None,
        record_text=record_text,
    )
    explicit = scheduler

    def operator(source: Observable[_E]) -> Observable[_E]:
        def subscribe(
            observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            moderated = ModeratedSubscription(
                options, checks, observer, choose_scheduler(explicit, scheduler), on_verdict
            )
            return moderated.subscribe(source, scheduler)

        return PushObservable(subscribe)

    return operator


class ModerationOptions(TypedDict, total=False):
    """The options of `debounce_moderation` that apply to a stream of `str`."""

    mode: Mode
    quiet: float | timedelta
    max_delay: float | timedelta
    first_chars: int
    growth: float
    max_chars: int
    boundary: Boundary
    context: int
    holdback: int | Literal["word"]
    max_exposure: int
    in_flight: int
    timeout: float | timedelta
    retries: int
    on_flag: FlagAction | Callable[[Verdict], FlagAction]
    replacement: str
    refusal: str
    on_check_error: ErrorAction
    max_buffer: int
    on_verdict: Callable[[VerdictRecord], object] | None
    record_text: bool
    scheduler: abc.SchedulerBase | None


def debounce_moderation_text(
    check: ModerationCheck | Sequence[ModeratedCheck],
    *,
    on_event: Callable[[ModerationFlaggedEvent | ModerationRetractedEvent], object] | None = None,
    **options: Unpack[ModerationOptions],
) -> Operator[str, str]:
    """Hold back a text that arrives in pieces until `check` has passed it.

    Marbles with debounce_moderation_text(Blocklist(["bad"]), quiet=0.05)::

        texts    -a-b-c-----------bad----------d-|
        result   ----------(abc)-------|

    As `debounce_moderation` for a stream of `str`, with the same options except `include`. After a cut it completes,
    because a `str` cannot say why; with `on_flag="error"` it fails. `on_event` is called with each
    `ModerationFlaggedEvent`, and in the modes `bounded` and `optimistic` with each `ModerationRetractedEvent`.

    Emits: `str`, never empty, in other pieces. Completes, errors, memory, raises: as `debounce_moderation`.
    """
    moderate = debounce_moderation(check, include=("text",), **options)

    def operator(source: Observable[str]) -> Observable[str]:
        def subscribe(
            observer: abc.ObserverBase[str], scheduler: abc.SchedulerBase | None = None
        ) -> abc.DisposableBase:
            def on_next(event: Event) -> None:
                if isinstance(event, ResponseOutputTextDeltaEvent):
                    if event.delta:
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
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # it would pass unmoderated
                observer.on_error(
                    TypeError(
                        f"debounce_moderation_text expects str, got {type(text).__name__}: "
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


def _kinds(include: Iterable[LaneKind] | str) -> Iterable[LaneKind]:
    if include == "all":
        return KINDS
    if isinstance(include, str):
        raise ValueError(f"include must be a collection of kinds or 'all', got one str: write ({include!r},)")
    return include


def _seconds(name: str, value: float | timedelta) -> float:
    return math.inf if value == math.inf else seconds_of(name, value)
