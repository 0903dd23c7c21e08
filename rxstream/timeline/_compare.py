"""Two responses beside each other, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rxstream.timeline._model import Inspection, Timeline

_AROUND = 20
"""Characters before and after the first difference of two texts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row of a comparison: what is compared, both values, and how they differ."""

    what: str
    first: str
    second: str
    change: str
    """Empty if they are equal."""


def compare(first: Inspection, second: Inspection) -> list[Difference]:
    """The endings, numbers, calls and texts of two tapes, response by response."""
    rows: list[Difference] = []
    many = max(len(first.timelines), len(second.timelines)) > 1
    if many:
        rows.append(_count("responses", len(first.timelines), len(second.timelines)))
    for number, (one, two) in enumerate(zip(first.timelines, second.timelines, strict=False), 1):
        prefix = f"{number}: " if many else ""
        rows += [
            Difference(prefix + row.what, row.first, row.second, row.change) for row in _compare_responses(one, two)
        ]
    return rows


def _compare_responses(one: Timeline, two: Timeline) -> Iterator[Difference]:
    yield _values("ending", one.ending, two.ending)
    yield _values("model", one.model or "none", two.model or "none")
    yield _count("events", len(one.entries), len(two.entries))
    a, b = one.metrics, two.metrics
    yield _seconds("first event", a.first_event, b.first_event)
    yield _seconds("first text", a.first_text, b.first_text)
    yield _seconds("duration", a.elapsed, b.elapsed)
    yield _seconds("between deltas, p50", a.gaps.p50, b.gaps.p50)
    yield _seconds("between deltas, p95", a.gaps.p95, b.gaps.p95)
    yield _seconds("stalled", a.stalled, b.stalled)
    yield _count("input tokens", a.usage and a.usage.input_tokens, b.usage and b.usage.input_tokens)
    yield _count("output tokens", a.usage and a.usage.output_tokens, b.usage and b.usage.output_tokens)
    yield from _calls(one, two)
    yield _text(one.text, two.text)


def _calls(one: Timeline, two: Timeline) -> Iterator[Difference]:
    first, second = ([(lane.title, lane.text) for lane in side.calls] for side in (one, two))
    for number in range(max(len(first), len(second))):
        left, right = (calls[number] if number < len(calls) else None for calls in (first, second))
        change = ""
        if left is None or right is None:
            change = "only in the second" if left is None else "only in the first"
        elif left[0] != right[0]:
            change = "another name"
        elif left[1] != right[1]:
            change = f"differs {_where(left[1], right[1])}"
        yield Difference(f"call {number + 1}", _call(left), _call(right), change)


def _call(call: tuple[str, str] | None) -> str:
    return "none" if call is None else f"{call[0]}({call[1]})"


def _text(left: str, right: str) -> Difference:
    at = _first_difference(left, right)
    if at is None:
        return Difference("text", _characters(left), _characters(right), "")
    return Difference("text", _excerpt(left, at), _excerpt(right, at), f"differs {_where(left, right)}")


def _where(left: str, right: str) -> str:
    return f"from character {(_first_difference(left, right) or 0) + 1} of {len(left):,} and {len(right):,}"


def _excerpt(text: str, at: int) -> str:
    start, end = max(0, at - _AROUND), at + _AROUND
    return ("…" if start else "") + (text[start:end] or "none") + ("…" if end < len(text) else "")


def _characters(text: str) -> str:
    return f"{len(text):,} characters"


def _first_difference(left: Sequence[Any], right: Sequence[Any]) -> int | None:
    if left == right:
        return None
    for number, (one, two) in enumerate(zip(left, right, strict=False)):
        if one != two:
            return number
    return min(len(left), len(right))


def _values(what: str, left: str, right: str) -> Difference:
    return Difference(what, left, right, "" if left == right else "differs")


def _count(what: str, left: int | None, right: int | None) -> Difference:
    change = "" if left == right else "differs" if left is None or right is None else f"{right - left:+,}"
    first, second = ("none" if number is None else f"{number:,}" for number in (left, right))
    return Difference(what, first, second, change)


def _seconds(what: str, left: float | None, right: float | None) -> Difference:
    change = ""
    if left != right:
        change = "differs"
        if left is not None and right is not None:
            factor = f", × {right / left:.2f}" if left >= 0.01 else ""
            change = f"{'+' if right > left else '−'}{duration(abs(right - left))}{factor}"
    first, second = ("none" if time is None else duration(time) for time in (left, right))
    return Difference(what, first, second, change)


def duration(seconds: float) -> str:
    """A duration for people: `12 ms`, `1.25 s`, `2 min 5 s`."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms" if seconds else "0 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
