"""JSON that is being written, as values that keep: a view for each piece, which costs nothing until it is looked at."""

from __future__ import annotations

import json
import threading
from contextlib import suppress

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, JsonValue, PathPattern, child, finished_paths, format_path


class JsonReading:
    """The text of one document, and the machine that reads it. Views of it may be asked from any thread.

    Memory: the text and the tree, for as long as there is a view.
    """

    def __init__(self, *, allow_trailing: bool = False) -> None:
        self.json = IncrementalJson(allow_trailing=allow_trailing, keep_text=False)
        self.pieces: list[str] = []
        self.lock = threading.Lock()
        self.allow_trailing = allow_trailing

    def feed(self, text: str) -> None:
        """Read on. Raises `SchemaError`, with the text, where no JSON document goes on like this."""
        self.pieces.append(text)
        with self.lock:
            try:
                self.json.feed(text)
            except SchemaError as error:
                error.text = self.text
                raise

    def close(self) -> None:
        """The text is at its end. Raises `SchemaError`, with the text, where the document is not whole."""
        with self.lock:
            try:
                self.json.close()
            except SchemaError as error:
                error.text = self.text
                raise

    @property
    def text(self) -> str:
        """All the text so far."""
        return "".join(self.pieces)

    def value(self, count: int) -> JsonValue:
        """The value when `count` pieces had come."""
        with self.lock:
            if count == len(self.pieces):
                return self.json.snapshot()
        return self._again("".join(self.pieces[:count]))

    def _again(self, text: str) -> JsonValue:
        document = IncrementalJson(allow_trailing=self.allow_trailing, keep_text=False)
        with suppress(SchemaError):  # as far as it could be read
            document.feed(text)
        return document.value


class JsonSoFar:
    """A JSON value that is being written, as far as it was when this was emitted. It never changes.

    `value`, `text` and `finished_paths` are made when they are first asked for. Right away, as a subscriber does, the
    value costs a copy of the containers that are still open; later, when the text has gone on, it is read again.
    """

    __slots__ = ("_count", "_open", "_reading", "_value", "complete")

    def __init__(self, reading: JsonReading) -> None:
        document = reading.json
        self._reading = reading
        self._count = len(reading.pieces)
        self._open: JsonPath | None = document.open_path
        self._value: JsonValue | _Unasked = _UNASKED
        self.complete: bool = document.complete
        """Whether the whole value is finished. A bare number is so only once the text is at its end."""

    @property
    def value(self) -> JsonValue:
        """The value so far: strings as long as they are, arrays and objects with what has come. Do not change it."""
        if isinstance(self._value, _Unasked):
            self._value = self._reading.value(self._count)
        return self._value

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._reading.pieces[: self._count])

    @property
    def open_path(self) -> str | None:
        """Where it is being written, as in `items[2].name`; None where nothing is open. All else is finished."""
        return None if self._open is None else format_path(self._open)

    @property
    def finished_paths(self) -> list[str]:
        """Where a value is whole, in the order of the document: `["title", "items[0]", "items[0].name"]`.

        `$` is the whole document. The cost is the number of paths; to ask for one, `is_finished` is cheaper.
        """
        return [format_path(path) for path in finished_paths(self.value, self._open)]

    def is_finished(self, path: str) -> bool:
        """Whether there is a value at `path` (`title`, `items[0].name`, `$`), and it is whole.

        Raises: ValueError where that is no path, or one with a wildcard.
        """
        steps = PathPattern(path).steps
        if None in steps:
            raise ValueError(f"{path!r} is a pattern: ask for one path at a time")
        value = self.value
        try:
            for step in steps:
                value = child(value, step)
        except LookupError:
            return False
        return self._open is None or self._open[: len(steps)] != steps

    def __repr__(self) -> str:
        return f"{type(self).__name__}(value={self.value!r}, open_path={self.open_path!r})"

    def __str__(self) -> str:
        return json.dumps(self.value, ensure_ascii=False)


class _Unasked:
    pass


_UNASKED = _Unasked()
