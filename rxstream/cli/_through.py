"""`rxstream inspect --through`: what operators emit, in virtual time."""

from __future__ import annotations

import ast
import inspect
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from reactivex import Observable, abc
from reactivex.disposable import Disposable

from rxstream import events as event_classes
from rxstream import operators as rxs
from rxstream.cli._tapes import DecodedTape
from rxstream.errors._redaction import one_line
from rxstream.events import Event
from rxstream.moderation import Blocklist, Window
from rxstream.response.calls._tool_names import full_name
from rxstream.results import FunctionCall
from rxstream.testing import VirtualClock
from rxstream.timeline import Inspection, Mark, TimelineLane
from rxstream.typing import Operator

_LONGEST = 200
_LONGER = 60.0
"""Seconds for which operators may go on behind the end of the stream."""
_FORM = (
    "--through: expected NAME or NAME:ARGUMENTS, several of them joined by |, such as "
    '"debounce_moderation:hold | text_only"'
)


def operators_of(text: str) -> list[Operator[Any, Any]]:
    """The operators that `--through` names.

    Raises: ArgumentTypeError: one is not known, or its arguments do not fit it.
    """
    return [_operator(part.strip()) for part in _split(text)]


def with_operators(inspection: Inspection, decoded: DecodedTape, names: Sequence[str]) -> Inspection:
    """The inspection with a lane for each name."""
    for name in names:
        marks = _run(decoded, operators_of(name))
        timelines = list(inspection.timelines)
        for number, timeline in enumerate(timelines):
            start = timeline.start if number else 0.0
            end = timelines[number + 1].start if number + 1 < len(timelines) else None
            own = [mark for mark in marks if mark.at >= start and (end is None or mark.at < end)]
            lane = TimelineLane("operator", one_line(name, _LONGEST), timeline.start, marks=own)
            if own and own[-1].kind in ("end", "error"):
                lane.end, last = own[-1].at, own[-1]
                lane.status = "completes" if last.kind == "end" else f"fails with {last.text}"
            timelines[number] = replace(
                timeline, lanes=[*timeline.lanes, lane], end=max([timeline.end, *(mark.at for mark in own)])
            )
        inspection = replace(inspection, timelines=timelines)
    return inspection


def _run(decoded: DecodedTape, operators: Sequence[Operator[Any, Any]]) -> list[Mark]:
    clock = VirtualClock()
    marks: list[Mark] = []

    def subscribe(observer: abc.ObserverBase[Event], scheduler: abc.SchedulerBase | None = None) -> abc.DisposableBase:
        disposed = False
        entries = iter(decoded.entries)

        def dispose() -> None:
            nonlocal disposed
            disposed = True

        def emit(event: Event) -> None:
            if not disposed:
                observer.on_next(event)
                schedule_next()

        def end() -> None:
            if disposed:
                return
            verdict = decoded.verdict
            if verdict is None:
                observer.on_completed()
            else:
                observer.on_error(verdict)

        def schedule_next() -> None:  # one at a time, so that 50,000 do not wait in the queue
            entry = next(entries, None)
            if entry is None:
                clock.at(decoded.last, end)
            else:
                clock.at(entry.at, lambda: emit(entry.event))

        schedule_next()
        return Disposable(dispose)

    def add(kind: Any, text: str = "") -> None:
        marks.append(Mark(clock.now, kind, len(marks), text=one_line(text, _LONGEST)))

    source: Observable[Any] = Observable(subscribe)
    subscription = source.pipe(*operators).subscribe(
        lambda value: add("value", _describe(value)),
        lambda error: add("error", f"{type(error).__name__}: {error}"),
        lambda: add("end"),
        scheduler=clock.scheduler,
    )
    try:
        clock.advance(decoded.last + _LONGER)
    finally:
        subscription.dispose()
    return marks


def _describe(value: Any) -> str:
    """A value of an operator in one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, FunctionCall):
        return f"{full_name(value.name, value.namespace)}({value.arguments})"
    if isinstance(value, Observable):
        return f"group {getattr(cast(Any, value), 'key', '')}"
    if isinstance(value, Event):
        delta = getattr(value, "delta", None)
        return delta if isinstance(delta, str) else value.type.removeprefix("response.")
    return repr(value)


# ---------------------------------------------------------------------- reading the names


def _split(text: str) -> list[str]:
    """The parts between `|`, but for one inside quotes or brackets."""
    parts, quote, depth = [""], "", 0
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
        if sign == "|" and not quote and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _operator(part: str) -> Operator[Any, Any]:
    name, _, arguments = part.partition(":")
    name = name.strip()
    if name not in rxs.__all__:
        known = ", ".join(sorted(rxs.__all__))
        raise ArgumentTypeError(f"{_FORM}, got {one_line(part, 80)!r}; the operators are {known}")
    make: Callable[..., Any] = _MAKERS.get(name) or getattr(rxs, name)
    positional, named = _arguments(arguments, part)
    try:
        inspect.signature(make).bind(*positional, **named)
        operator = make(*positional, **named)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(f"--through: {one_line(part, 80)}: {error}") from error
    return operator


def _arguments(text: str, part: str) -> tuple[list[Any], dict[str, Any]]:
    """Literals of Python, as in a call. A bare word is a text, or the class of an event of this name."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or any(keyword.arg is None for keyword in call.keywords):
            raise SyntaxError
        named = {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}
        return [_value(argument) for argument in call.args], named
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ArgumentTypeError(f"{_FORM}; the arguments are literals of Python, got {one_line(part, 80)!r}") from None


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return getattr(event_classes, node.id, node.id)
    return ast.literal_eval(node)


def _pass_all(window: Window) -> bool:
    """A check that takes no time and flags nothing: the lane then shows what moderation costs in time."""
    return False


def _moderation(mode: Any = "hold", *, block: str | None = None, **options: Any) -> Operator[Any, Any]:
    return rxs.debounce_moderation(_pass_all if block is None else Blocklist([block]), mode=mode, **options)


_MAKERS: dict[str, Callable[..., Any]] = {"debounce_moderation": _moderation}
"""Operators whose first argument is a function, which cannot be written here."""
