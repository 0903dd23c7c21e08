"""The marble pictures of docstrings, drawn as SVG. A column of the text is a column of the drawing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import escape
from zlib import crc32

from rxstream.testing import marbles
from rxstream.testing.marbles._picture import COLUMN, SPANS, Picture, Row, Symbol

_WIDTH = 12.5
"""Of a column, in pixels."""
_LABEL = 84.0
_MARBLE = 22.0
"""Height of a marble."""
_GAP = 16.0
_COLORS = 8
_SIGNS = {"|": "complete", "#": "error", "^": "subscribe", "!": "dispose"}


def drawings(docstring: str) -> Iterator[str]:
    """An SVG, with the text for those who cannot see it, for each picture of a docstring."""
    for picture in marbles.pictures(docstring):
        yield drawing(picture)


def drawing(picture: Picture) -> str:
    """One picture."""
    rows = [_RowDrawing(row) for row in picture.rows]
    width = _LABEL + max(row.width for row in rows) + 2 * _WIDTH
    parts: list[str] = []
    top = _GAP / 2
    for row in rows:
        parts += row.parts(top)
        top += row.height + _GAP
    svg = (
        f'<svg viewBox="0 0 {width:.0f} {top:.0f}" width="{width:.0f}" height="{top:.0f}" role="img" '
        f'aria-label="{escape(_words(picture))}">{"".join(parts)}</svg>'
    )
    call = f'<div class="marble-call"><code>{escape(picture.call)}</code></div>' if picture.call else ""
    legend = "".join(
        f"<div><code>{escape(name)}</code> is <code>{escape(value)}</code></div>"
        for name, value in picture.where.items()
    )
    legend = f'<div class="marble-legend">{legend}</div>' if legend else ""
    return f'<div class="marble">{call}<div class="marble-drawing">{svg}</div>{legend}</div>'


def _words(picture: Picture) -> str:
    return "; ".join(f"{row.label}: {row.diagram}" for row in picture.rows)


class _RowDrawing:
    """A row: its line of time, and what lies on it. What happens at once is drawn below each other."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self._stacks: defaultdict[int, list[Symbol]] = defaultdict(list)
        for symbol in row.symbols:
            self._stacks[symbol.time].append(symbol)
        ends = [self._x(symbol.time) + _size(symbol) for symbol in row.symbols]
        self.width = max([_columns(row.length) * _WIDTH, *ends], default=0.0)
        deepest = max((len(_values(stack)) for stack in self._stacks.values()), default=1)
        self.height = max(1, deepest) * (_MARBLE + 3)

    def _x(self, time: int) -> float:
        return _columns(time) * _WIDTH

    def parts(self, top: float) -> Iterator[str]:
        """Label, line and marbles of the row, which begins at that height."""
        middle = top + _MARBLE / 2
        yield f'<text class="marble-label" x="0" y="{middle + 4:.1f}">{escape(self._row.label)}</text>'
        begin, end = _LABEL, _LABEL + self.width + _WIDTH
        if self._row.label in SPANS:
            times = [self._x(symbol.time) for symbol in self._row.symbols]
            begin = _LABEL + times[0]
            end = _LABEL + times[-1] if len(times) > 1 else end
        elif self._row.symbols and self._row.symbols[-1].text in ("|", "#"):
            end = _LABEL + self._x(self._row.symbols[-1].time)
        else:
            yield f'<path class="marble-line" d="M{end:.1f} {middle:.1f}l-6 -4m6 4l-6 4"/>'
        yield f'<path class="marble-line" d="M{begin:.1f} {middle:.1f}H{end:.1f}"/>'
        for time, stack in self._stacks.items():
            left = _LABEL + self._x(time)
            values = _values(stack)
            for number, symbol in enumerate(values):
                yield from _marble(symbol.text, left, top + number * (_MARBLE + 3))
            beside = max((_size(symbol) for symbol in values), default=0.0)
            for symbol in stack:
                if symbol.text in _SIGNS:
                    yield _sign(symbol.text, left + (beside + 4 if beside else 0.0), middle)


def _values(stack: Iterable[Symbol]) -> list[Symbol]:
    return [symbol for symbol in stack if symbol.text not in _SIGNS]


def _columns(time: int) -> float:
    """Of a time. Long waits are drawn short."""
    return min(time / COLUMN, 96.0)


def _shown(text: str) -> str:
    return text.strip("`").replace("_", "␣")


def _size(symbol: Symbol) -> float:
    return 0.0 if symbol.text in _SIGNS else max(_MARBLE, len(_shown(symbol.text)) * 7.3 + 12)


def _marble(text: str, left: float, top: float) -> Iterator[str]:
    width = _size(Symbol(0, text))
    color = crc32(text.encode()) % _COLORS
    place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{_MARBLE:.0f}" rx="{_MARBLE / 2:.0f}"'
    yield f'<rect class="marble-value m{color}" {place}/>'
    middle = f'x="{left + width / 2:.1f}" y="{top + _MARBLE / 2 + 4:.1f}"'
    yield f'<text class="marble-text" {middle}>{escape(_shown(text))}</text>'


def _sign(text: str, x: float, middle: float) -> str:
    title = f"<title>{_SIGNS[text]}</title>"
    if text in ("|", "^"):
        return f'<path class="marble-end" d="M{x:.1f} {middle - 11:.1f}v22">{title}</path>'
    return f'<path class="marble-error" d="M{x - 6:.1f} {middle - 6:.1f}l12 12m0 -12l-12 12">{title}</path>'
