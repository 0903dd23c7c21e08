"""Compares a picture with what an operator emitted."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from reactivex import Observable

from rxstream.testing.marbles._alphabet import quoted, read, token_of, unquoted
from rxstream.testing.marbles._legend import Pattern
from rxstream.testing.marbles._picture import Picture, Row, Symbol, draw
from rxstream.testing.marbles._sources import MarbleSource, Recording


class Comparison:
    """Compares the rows of a picture with recordings."""

    def __init__(self, picture: Picture, names: Mapping[str, object], source: MarbleSource) -> None:
        self._legend = {name: Pattern(expression, names) for name, expression in picture.where.items()}
        self._labels = {row.label for row in picture.rows}
        self._error = source.error
        self._custom_error = "#" in picture.where

    def difference(self, row: Row, recording: Recording) -> str | None:
        """The first place where a row differs from a recording, and how. None if they agree."""
        for drawn, real in zip_longest(row.symbols, recording.seen):
            if drawn is None or real is None or drawn.time != real[0] or not self._fits(drawn.text, *real[1:]):
                expected = f"{drawn.text} at {_milliseconds(drawn.time)}" if drawn else "nothing"
                actual = f"{self._detail(*real[1:])} at {_milliseconds(real[0])}" if real else "nothing"
                symbols = [Symbol(time, self._token(sign, value)) for time, sign, value in recording.seen]
                label = row.label.ljust(6)
                return (
                    f"    {label}  {row.diagram}\n    actual  {draw(symbols, row.length)}\n"
                    f"    {' ' * len(label)}  expected {expected}, got {actual}"
                )
        return None

    def _fits(self, text: str, sign: str, value: object) -> bool:
        if sign or text in ("|", "#"):
            if sign != text or sign != "#":
                return sign == text
            if self._custom_error:
                return self._legend["#"].fits(value)
            return value is self._error if self._error is not None else True
        if text in self._legend:
            return self._legend[text].fits(value)
        if isinstance(value, Observable):
            return text in self._labels
        event = _as_event(value)
        if event is not None:
            real = token_of(event)
            return read(text).fits(real) if real else unquoted(text) == event.get("type")
        return unquoted(text) == _text_of(value)

    def _token(self, sign: str, value: object) -> str:
        if sign:
            return sign
        for name, pattern in self._legend.items():
            if name != "#" and pattern.fits(value):
                return name
        if isinstance(value, Observable):
            return "Observable"
        event = _as_event(value)
        if event is None:
            return quoted(_short(_text_of(value)))
        real = token_of(event)
        return real.write() if real else quoted(str(event.get("type")))

    def _detail(self, sign: str, value: object) -> str:
        if sign == "#":
            return f"# {value!r}"
        token = self._token(sign, value)
        full = _short(repr(value))
        return sign or (token if _as_event(value) is not None or full in (token, repr(token)) else f"{token} = {full}")


def _as_event(value: object) -> dict[str, Any] | None:
    from rxstream.events import Event

    return value.model_dump() if isinstance(value, Event) else None


def _text_of(value: object) -> str:
    """The text that stands in a picture for a value that is not an event."""
    from rxstream.sse import Frame

    if isinstance(value, Frame):
        return value.data
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:160] + "…"


def _milliseconds(time: int) -> str:
    return f"{time / 1000:g} ms"
