"""Values picked out of a JSON document while it is being written, each the moment it is whole."""

from typing import NamedTuple

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, JsonValue, PathPattern


class JsonItem(NamedTuple):
    """One value that a pattern picked, and where it stands."""

    path: JsonPath
    value: JsonValue


class JsonItems:
    """Give each value that `pattern` means, the moment it is whole, in the order of the document.

    Patterns are those of `PathPattern`: `items[*]`, `a.b[*].c`, `[*]`, and `$` for the whole document at its end.
    `finish` wants the document to be whole, however many values it has given: a list that lacks its end may lack
    values too. Where a member name is repeated, each of its values is given.

    Raises: `SchemaError` from `feed` and `finish`, as `IncrementalJson` does, without the text. Values that were whole
    before the place that is wrong are given first, and the error comes with the next call: the split does not matter.
    Memory: the values that are open and what is around them, however long the document.
    """

    def __init__(self, pattern: str | PathPattern, *, allow_trailing: bool = False, max_depth: int = 1000) -> None:
        self._pattern = PathPattern(pattern) if isinstance(pattern, str) else pattern
        self._json = IncrementalJson(allow_trailing=allow_trailing, max_depth=max_depth, keep_text=False)
        self._broken = False

    @property
    def value(self) -> JsonValue:
        """What is not forgotten of the document so far."""
        return self._json.value

    def feed(self, text: str) -> list[JsonItem]:
        """Read on; give the values that this text made whole."""
        try:
            self._json.feed(text)
        except SchemaError:
            picked = [] if self._broken else self._picked()
            self._broken = True
            if not picked:
                raise
            return picked
        return self._picked()

    def finish(self) -> list[JsonItem]:
        """The text is at its end; give the value that this made whole, if it is a number and the whole document."""
        self._json.close()
        return self._picked()

    def _picked(self) -> list[JsonItem]:
        finished = self._json.finished
        if not finished:
            return []
        matches = self._pattern.matches
        picked = [JsonItem(path, value) for path, value in finished if matches(path)]
        self._forget()
        return picked

    def _forget(self) -> None:
        """Forget all that is finished, but for what is inside a value that will be given."""
        depth = len(self._pattern.steps)
        open_path = self._json.open_path or ()
        inside = len(open_path) >= depth and self._pattern.matches(open_path[:depth])
        self._json.forget(depth if inside else len(open_path) + 1)
