"""The values of a JSON document that a pattern selects, each as soon as it is whole."""

from typing import NamedTuple

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, JsonValue, PathPattern


class JsonItem(NamedTuple):
    """One value that a pattern selects, and its path."""

    path: JsonPath
    value: JsonValue


class JsonItems:
    """Return each value that `pattern` selects as soon as it is whole, in the order of the document.

    Patterns are those of `PathPattern`: `items[*]`, `a.b[*].c`, `[*]`, and `$` for the whole document at its end.
    `finish` requires a whole document: a list without its end may lack values too. If a member name is repeated, each
    of its values is returned.

    Raises: `SchemaError` from `feed` and `finish`, as `IncrementalJson`, without the text. If one text has whole values
    and then an error, `feed` returns the values, and the next call raises: the split makes no difference.
    `document` reads the text; by default an `IncrementalJson`.
    Memory: the open values and the containers around them, independent of the length of the document.
    """

    def __init__(self, pattern: str | PathPattern, document: IncrementalJson | None = None) -> None:
        self._pattern = PathPattern(pattern) if isinstance(pattern, str) else pattern
        self._json = document or IncrementalJson(keep_text=False)
        self._failed = False

    @property
    def value(self) -> JsonValue:
        """The part of the document that is still in memory."""
        return self._json.value

    @property
    def is_open(self) -> bool:
        """Whether the document has begun, and not ended."""
        return self._json.open_path is not None

    def feed(self, text: str) -> list[JsonItem]:
        """Read more text; return the values that became whole."""
        try:
            self._json.feed(text)
        except SchemaError:
            items = [] if self._failed else self._new_items()
            self._failed = True
            if not items:
                raise
            return items
        return self._new_items()

    def finish(self) -> list[JsonItem]:
        """End the text; return the value that became whole, if the document is a single number."""
        self._json.close()
        return self._new_items()

    def _new_items(self) -> list[JsonItem]:
        finished = self._json.finished
        if not finished:
            return []
        matches = self._pattern.matches
        items = [JsonItem(path, value) for path, value in finished if matches(path)]
        self._drop_finished()
        return items

    def _drop_finished(self) -> None:
        """Drop the finished values, except those inside a value that will be returned."""
        depth = len(self._pattern.steps)
        open_path = self._json.open_path or ()
        inside = len(open_path) >= depth and self._pattern.matches(open_path[:depth])
        self._json.drop_finished(depth if inside else len(open_path) + 1)
