"""Marble pictures: reading and drawing rows of text. One column is 10 ms of virtual time."""

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

COLUMN = 10_000
"""Microseconds in a column."""

_PIECE = re.compile(
    r"(?P<space>\s+)|(?P<ticks>-+)|<(?P<jump>\d+(?:\.\d+)?)(?P<unit>ms|s)>|(?P<group>\((?:`[^`]*`|[^()`])*\))"
    r"|(?P<sign>[|#])|(?P<token>(?:`[^`]*`|(?!<\d+(?:\.\d+)?m?s>)[^-|#(),\s`])+)"
)
_SPAN = re.compile(r"(?P<space>\s+)|(?P<ticks>-+)|<(?P<jump>\d+(?:\.\d+)?)(?P<unit>ms|s)>|(?P<sign>[\^!])")
SPANS = ("subscribe", "upstream")
"""Rows of a subscription, from `^` to `!`."""
_IN_GROUP = re.compile(r"[|#]|(?:`[^`]*`|[^|#,`])+")
_HEADER = re.compile(r"^(?P<indent>\s*)Marbles(?:\s+with\s+(?P<call>.+?))?::\s*$")
_ROW = re.compile(r"^(?P<label>\w+)\s+(?P<diagram>\S.*)$")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A token of a diagram, or one of the signs `|` complete, `#` error, `^` subscribe, `!` dispose."""

    time: int
    """In microseconds from the start of the row."""
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a picture."""

    label: str
    diagram: str
    symbols: tuple[Symbol, ...]
    length: int
    """In microseconds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The rows of one picture, and its legend."""

    rows: tuple[Row, ...]
    where: dict[str, str] = field(default_factory=dict[str, str])
    """Name -> expression."""
    call: str | None = None
    """The call in the header of the block, that makes the operator: `Marbles with coalesce(0.03)::`."""
    text: str = ""

    def row(self, label: str) -> Row | None:
        """The only row of this label, if there is one. Raises `ValueError` if there are two."""
        rows = self.labelled(label)
        if len(rows) > 1:
            raise ValueError(f"expected one row {label!r}, got {len(rows)}\n{self.text}")
        return rows[0] if rows else None

    def labelled(self, label: str) -> list[Row]:
        return [row for row in self.rows if row.label == label]


def pictures_in(docstring: str) -> list[Picture]:
    """The picture of every `Marbles::` block of a docstring, in order."""
    lines = inspect.cleandoc(docstring).splitlines()
    pictures: list[Picture] = []
    for number, line in enumerate(lines):
        if header := _HEADER.match(line):
            depth = len(header["indent"])
            block: list[str] = []
            for row in lines[number + 1 :]:
                if row.strip() and len(row) - len(row.lstrip()) <= depth:
                    break
                block.append(row)
            pictures.append(read_picture("\n".join(block), call=header["call"]))
    return pictures


def read_picture(text: str, *, call: str | None = None) -> Picture:
    """Read rows `label  diagram` and legend lines `where name = expression, …`.

    Raises `ValueError` for a line that is neither, and for a diagram that cannot be read.
    """
    text = inspect.cleandoc(text)
    rows: list[Row] = []
    where: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("where "):
            where.update(_legend(line.removeprefix("where ")))
        elif row := _ROW.match(line):
            rows.append(read_row(row["diagram"], row["label"]))
        else:
            raise ValueError(f"expected a row `label  diagram` or a legend `where x = …`, got {line!r}")
    if not rows:
        raise ValueError("expected a picture, got no rows")
    return Picture(tuple(rows), where, call, text)


def read_row(diagram: str, label: str = "") -> Row:
    """Read one diagram."""
    symbols: list[Symbol] = []
    now = position = 0
    read = _SPAN if label in SPANS else _PIECE
    while position < len(diagram):
        piece = read.match(diagram, position)
        if piece is None:
            raise ValueError(f"the diagram is not valid at column {position}: {diagram!r}")
        width = piece.end() - position
        groups = piece.groupdict()
        if piece["jump"]:
            now += round(float(piece["jump"]) * (1_000 if piece["unit"] == "ms" else 1_000_000))
            width = 0
        elif groups.get("group"):
            inside = _IN_GROUP.findall(piece["group"][1:-1])
            symbols += [Symbol(now, text.strip()) for text in inside if text.strip()]
        elif text := groups.get("sign") or groups.get("token"):
            symbols.append(Symbol(now, text))
        now += 0 if piece["space"] else width * COLUMN
        position = piece.end()
    ends = [place for place, symbol in enumerate(symbols) if symbol.text in ("|", "#")]
    if ends and (len(ends) > 1 or ends[0] != len(symbols) - 1):
        raise ValueError(f"nothing may follow the end of a row: {diagram!r}")
    return Row(label, diagram, tuple(symbols), now)


def draw(symbols: Sequence[Symbol], length: int = 0) -> str:
    """A diagram of the symbols, or a list of them with their times if they do not fit into columns."""
    groups: list[tuple[int, list[str]]] = []
    for symbol in symbols:
        if groups and groups[-1][0] == symbol.time:
            groups[-1][1].append(symbol.text)
        else:
            groups.append((symbol.time, [symbol.text]))
    drawn = ""
    for time, texts in groups:
        column, remainder = divmod(time, COLUMN)
        if remainder or column < len(drawn):
            return _list(groups)
        drawn += "-" * (column - len(drawn)) + _together(texts)
    return drawn if groups and groups[-1][1][-1] in ("|", "#") else drawn.ljust(length // COLUMN, "-")


def _together(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    *values, last = texts
    return "(" + ",".join(values) + (last if last in ("|", "#") else f",{last}") + ")"


def _list(groups: Iterable[tuple[int, Sequence[str]]]) -> str:
    return "  ".join(f"{time / 1000:g}ms:{_together(texts)}" for time, texts in groups)


def _legend(line: str) -> dict[str, str]:
    """`x = "a", # = TruncatedError` -> each name and its expression; commas inside an expression stay."""
    starts = [
        match for match in re.finditer(r"(?:^|,)\s*([A-Za-z]\w*|#)\s*=(?!=)\s*", line) if _outside(line, match.start())
    ]
    if not starts or starts[0].start() != 0:
        raise ValueError(f"expected a legend `where x = …, y = …`, got where {line}")
    ends = [match.start() for match in starts[1:]] + [len(line)]
    return {match[1]: line[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)}


def _outside(line: str, position: int) -> bool:
    """Whether a position is outside all brackets and quotes."""
    depth, quote = 0, ""
    for place, sign in enumerate(line[:position]):
        if quote:
            if sign == quote and line[place - 1] != "\\":
                quote = ""
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
    return depth == 0 and not quote
