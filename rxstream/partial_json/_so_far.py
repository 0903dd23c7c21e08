"""Views of an incomplete JSON document: one for each piece, whose value is made when it is first read."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, cast

from typing_extensions import TypeVar

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, JsonValue, PathPattern, child, finished_paths, format_path

_V_co = TypeVar("_V_co", default=JsonValue, covariant=True)


class JsonReading:
    """The text of one document, and its tree. Views of it may be read from any thread.

    Memory: the text and the tree, as long as a view exists.

    Args:
        document: reads the text. By default one that `make` makes.
        make: makes a further one, which reads a part of the text again.
    """

    def __init__(
        self,
        document: IncrementalJson | None = None,
        make: Callable[[], IncrementalJson] = lambda: IncrementalJson(keep_text=False),
    ) -> None:
        self.json = document or make()
        self._make = make
        self.pieces: list[str] = []
        self.lock = threading.Lock()

    def feed(self, text: str) -> None:
        """Read more text. Raises: `SchemaError`, with the text, if it is not JSON."""
        self.pieces.append(text)
        with self.lock:
            try:
                self.json.feed(text)
            except SchemaError as error:
                error.text = self.text
                raise

    def close(self) -> None:
        """End the text. Raises: `SchemaError`, with the text, if the document is not whole."""
        with self.lock:
            try:
                self.json.close()
            except SchemaError as error:
                error.text = self.text
                raise

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)

    def value(self, count: int) -> JsonValue:
        """The value after the first `count` pieces."""
        with self.lock:
            if count == len(self.pieces):
                return self.json.snapshot()
        return self._parse_again("".join(self.pieces[:count]))

    def _parse_again(self, text: str) -> JsonValue:
        document = self._make()
        with suppress(SchemaError):  # the value up to the error
            document.feed(text)
        return document.value


class JsonSoFar(Generic[_V_co]):
    """An incomplete JSON value, as it was when this was emitted. It does not change.

    `value`, `text` and `finished_paths` are made when they are read. If `value` is read before the next piece, it costs
    a copy of the open containers; later, the text is parsed again.
    """

    __slots__ = ("_count", "_open", "_reading", "_value", "complete")

    def __init__(self, reading: JsonReading) -> None:
        document = reading.json
        self._reading = reading
        self._count = len(reading.pieces)
        self._open: JsonPath | None = document.open_path
        self._value: JsonValue | _NotRead = _NOT_READ
        self.complete: bool = document.complete
        """Whether the whole value is finished. A single number is finished at the end of the text."""

    @property
    def value(self) -> _V_co:
        """The value so far: strings, arrays and objects may be incomplete. Do not change it."""
        return cast(_V_co, self._json())

    def _json(self) -> JsonValue:
        if isinstance(self._value, _NotRead):
            self._value = self._reading.value(self._count)
        return self._value

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._reading.pieces[: self._count])

    @property
    def open_path(self) -> str | None:
        """The path of the innermost open value, such as `items[2].name`; None if none is open."""
        return None if self._open is None else format_path(self._open)

    @property
    def finished_paths(self) -> list[str]:
        """The paths of the whole values, in the order of the document: `["title", "items[0]", "items[0].name"]`.

        `$` is the whole document. The cost is the number of paths; for a single path, `is_finished` is cheaper.
        """
        return [format_path(path) for path in finished_paths(self._json(), self._open)]

    def is_finished(self, path: str) -> bool:
        """Whether there is a value at `path` (`title`, `items[0].name`, `$`), and it is whole.

        Raises: ValueError if `path` is not a path, or has a wildcard.
        """
        steps = PathPattern(path).steps
        if None in steps:
            raise ValueError(f"expected a path without a wildcard, got {path!r}; call is_finished() for each path")
        value = self._json()
        try:
            for step in steps:
                value = child(value, step)
        except LookupError:
            return False
        return self._open is None or self._open[: len(steps)] != steps

    def __repr__(self) -> str:
        return f"{type(self).__name__}(value={self._json()!r}, open_path={self.open_path!r})"

    def __str__(self) -> str:
        return json_text(self._json())


_NOT_FINITE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|Infinity|NaN')
"""A string, which is left as it is, or what Python writes for numbers that JSON does not have."""


def json_text(value: object) -> str:
    """The JSON of a value. An infinity is `1e999`, which reads as an infinity again, and NaN is `null`."""
    text = json.dumps(value, ensure_ascii=False)
    if "Infinity" not in text and "NaN" not in text:
        return text
    return _NOT_FINITE.sub(lambda token: {"Infinity": "1e999", "NaN": "null"}.get(token[0], token[0]), text)


class _NotRead:
    pass


_NOT_READ = _NotRead()
