"""The picture of a timeline in characters: a row for each lane, to scale.

A row is a list of runs of one style. The plain text joins them; on a terminal `rich` gives them their colors.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from rxstream.errors._redaction import visible
from rxstream.timeline._compare import duration
from rxstream.timeline._model import Mark, Timeline, TimelineLane
from rxstream.timeline._summary import label

Style: TypeAlias = Literal["", "dim", "bold", "title", "good", "bad", "warn", "item", "delta", "tool", "marble"]

_BARS = "▁▂▃▄▅▆▇█"
_LONGEST_LABEL = 34
_SIGNS: dict[str, str] = {
    "start": "├",
    "done": "┤",
    "progress": "◇",
    "event": "•",
    "error": "✗",
    "end": "■",
    "flag": "!",
}
_ENDS = ("end", "error", "flag")
_ASCII = str.maketrans("├┤◇•✗■─━┄·●▁▂▃▄▅▆▇█…×−▸", "||*o#|-=..o__::||HH~x->")


class StyledText(NamedTuple):
    """A run of characters of one style."""

    text: str
    style: Style = ""


StyledLine: TypeAlias = list[StyledText]


class Canvas:
    """One row of cells, each with a character and a style."""

    def __init__(self, width: int) -> None:
        self._cells: list[tuple[str, Style]] = [(" ", "")] * width

    def fill(self, start: int, end: int, sign: str, style: Style) -> None:
        for column in range(max(start, 0), min(end, len(self._cells) - 1) + 1):
            self._cells[column] = (sign, style)

    def write(self, column: int, text: str, style: Style, room: int) -> None:
        """Write a text of characters that each take one column; what has no room is left out."""
        for sign in text[: max(0, min(room, len(self._cells) - column))]:
            self._cells[column] = (sign, style)
            column += 1

    def line(self) -> StyledLine:
        runs: StyledLine = []
        for sign, style in self._cells:
            if runs and runs[-1].style == style:
                runs[-1] = StyledText(runs[-1].text + sign, style)
            else:
                runs.append(StyledText(sign, style))
        return runs


def picture(timeline: Timeline, width: int, span: float | None = None) -> Iterator[StyledLine]:
    """The axis, the lanes, and a row of the long silences. `span` is that of the axis, by default the timeline's."""
    labels = [fit(label(lane), _LONGEST_LABEL) for lane in timeline.lanes]
    margin = min(_LONGEST_LABEL, max(map(columns_of, ["silence", *labels]), default=0), width // 2) + 2
    scale = _Scale(timeline.start, span or timeline.span, max(10, width - margin))
    yield [StyledText(" " * margin), StyledText(scale.axis(), "dim")]
    highest = max((_peak(lane, scale) for lane in timeline.lanes), default=1)
    for lane, name in zip(timeline.lanes, labels, strict=True):
        style: Style = "bold" if lane.role == "response" else "dim" if lane.role == "part" else ""
        canvas = Canvas(scale.columns)
        _draw(canvas, lane, scale, highest, timeline)
        yield [StyledText(pad(fit(name, margin - 2), margin), style), *canvas.line()]
    if timeline.silences:
        canvas = Canvas(scale.columns)
        for start, end, stall in timeline.silences:
            first, last = scale.column(start), scale.column(end)
            style = "warn" if stall else "dim"
            canvas.fill(first, last, "┄", style)
            canvas.fill(first, first, "├", style)
            canvas.fill(last, last, "┤", style)
            text = duration(end - start)
            if last - first >= len(text) + 3:
                canvas.write((first + last - len(text) + 1) // 2, text, style, len(text))
        yield [StyledText(pad("silence", margin), "dim"), *canvas.line()]


class _Scale:
    """Seconds to columns."""

    def __init__(self, start: float, span: float, columns: int) -> None:
        self._start = start
        self._span = span or 1.0
        self.columns = columns

    def column(self, at: float) -> int:
        return max(0, min(self.columns - 1, int((at - self._start) / self._span * (self.columns - 1))))

    def axis(self) -> str:
        """Ticks at round times."""
        step = next(
            (step for step in _steps() if step / self._span * self.columns >= 12),
            self._span,
        )
        canvas = Canvas(self.columns)
        number = 0
        while (at := number * step) <= self._span:
            column = self.column(self._start + at)
            name = tick(at, step)
            if column + len(name) + 1 <= self.columns:
                canvas.write(column, f"|{name}", "", len(name) + 1)
            number += 1
        return "".join(run.text for run in canvas.line())


def _steps() -> Iterator[float]:
    for power in range(-4, 7):
        for factor in (1, 2, 5):
            yield factor * 10.0**power


def tick(at: float, step: float) -> str:
    """The name of a tick of the axis."""
    if step < 0.1 and at < 1:
        return f"{at * 1000:.{0 if step >= 0.001 else 1}f} ms"
    return f"{at:.{0 if step >= 1 else 1 if step >= 0.1 else 2}f} s"


def _peak(lane: TimelineLane, scale: _Scale) -> int:
    return max(_sizes(lane, scale).values(), default=1)


def _sizes(lane: TimelineLane, scale: _Scale) -> dict[int, int]:
    """Column -> characters of the deltas in it."""
    sizes: dict[int, int] = {}
    for mark in lane.marks:
        if mark.kind == "delta":
            column = scale.column(mark.at)
            sizes[column] = sizes.get(column, 0) + max(1, mark.size)
    return sizes


def _draw(canvas: Canvas, lane: TimelineLane, scale: _Scale, highest: int, timeline: Timeline) -> None:
    if lane.role == "operator":
        _draw_marbles(canvas, lane, scale)
        return
    first, last = scale.column(lane.start), scale.column(lane.last)
    if lane.role == "response":
        begin = scale.column(lane.marks[0].at) if lane.marks else last
        canvas.fill(first, begin, "·", "dim")
        canvas.fill(begin, last, "─", "item")
    elif lane.role == "part":
        canvas.fill(first, last, "·", "dim")
    else:
        tool = lane.role == "tool"
        canvas.fill(first, last, "━" if tool else "─", "tool" if tool else "item")
        if tool:  # until it starts it waits for approval
            starts = [mark.at for mark in lane.marks if mark.kind == "start"]
            canvas.fill(first, scale.column(starts[0]) if starts else last, "┄", "dim")
        if lane.end is None:
            canvas.fill(last, scale.column(timeline.end), "┄", "warn")
    for mark in sorted(lane.marks, key=lambda mark: mark.kind in _ENDS):  # the last one is seen
        if mark.kind != "delta" and not (lane.role == "part" and mark.kind in ("start", "done")):
            canvas.fill(scale.column(mark.at), scale.column(mark.at), _SIGNS[mark.kind], _mark_style(mark))
    for column, size in _sizes(lane, scale).items():
        bar = _BARS[min(len(_BARS) - 1, size * len(_BARS) // (highest + 1))]
        canvas.fill(column, column, bar, "delta")
    if lane.role == "response" and lane.status == "failed" and not any(mark.kind == "error" for mark in lane.marks):
        canvas.fill(last, last, "✗", "bad")


def _mark_style(mark: Mark) -> Style:
    return "bad" if mark.kind in ("error", "flag") else "good" if mark.kind == "end" else "item"


def _draw_marbles(canvas: Canvas, lane: TimelineLane, scale: _Scale) -> None:
    canvas.fill(scale.column(lane.start), scale.column(lane.last), "─", "dim")
    marks = list(lane.marks)
    for number, mark in enumerate(marks):
        column = scale.column(mark.at)
        following = scale.column(marks[number + 1].at) if number + 1 < len(marks) else scale.columns
        if mark.kind == "value":
            canvas.fill(column, column, "●", "marble")
            room = following - column - 2
            if room >= 3:
                text = narrow(mark.text)
                canvas.write(column + 1, text if len(text) <= room else text[: room - 1] + "…", "", room)
        else:
            canvas.fill(column, column, "✗" if mark.kind == "error" else "|", _mark_style(mark))


# ---------------------------------------------------------------------- widths of characters


def columns_of(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(_columns(sign) for sign in text)


def fit(text: str, width: int) -> str:
    """`text` without control characters in one line, cut to `width` columns."""
    text = visible(" ".join(text.split(" "))).replace("\n", "¶").replace("\t", " ")
    if columns_of(text) <= width:
        return text
    if width < 1:
        return ""
    taken = 0
    for number, sign in enumerate(text):
        taken += _columns(sign)
        if taken > width - 1:
            return text[:number] + "…"
    return text


def crop(line: StyledLine, width: int) -> StyledLine:
    """The line, cut to `width` columns."""
    cut: StyledLine = []
    for run in line:
        text = fit(run.text, width) if columns_of(run.text) > width else run.text
        cut.append(StyledText(text, run.style))
        width -= columns_of(text)
        if width <= 0:
            break
    return cut


def pad(text: str, width: int) -> str:
    return text + " " * max(0, width - columns_of(text))


def narrow(text: str) -> str:
    """`text` with a `?` in place of each character that does not take one column."""
    return "".join(sign if _columns(sign) == 1 else "?" for sign in fit(text, 10_000))


def wrap(text: str, width: int, most: int) -> list[str]:
    """The lines of a text, without control characters, at most `most` of them and a line about the rest."""
    shown = visible(text[: width * most * 2]).expandtabs(4)  # more does not fit
    lines = list(islice((line for paragraph in shown.split("\n") for line in _fold(paragraph, width)), most + 1))
    if len(lines) <= most:
        return lines
    left = len(text) - sum(map(len, lines[:most]))
    return [*lines[:most], f"… {left:,} more characters"]


def _fold(text: str, width: int) -> Iterator[str]:
    while columns_of(text) > width:
        end, taken = 0, 0
        while taken + _columns(text[end]) <= width:
            taken += _columns(text[end])
            end += 1
        space = text.rfind(" ", 1, end)
        end = space if space > width // 2 else max(1, end)
        yield text[:end]
        text = text[end:].lstrip(" ")
    yield text


def as_ascii(lines: Sequence[StyledLine]) -> list[StyledLine]:
    """The signs of the picture in ASCII, for an encoding that lacks them."""
    return [[StyledText(run.text.translate(_ASCII), run.style) for run in line] for line in lines]


def _columns(sign: str) -> int:
    if sign.isascii():
        return 1
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
