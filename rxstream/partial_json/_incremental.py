"""JSON in pieces: the value so far, the paths that changed, and the paths that are finished."""

from typing import Final

from rxstream.errors import SchemaError
from rxstream.partial_json._parser import JsonReader
from rxstream.partial_json._paths import JsonValue

# After this many pieces they are joined: a string object of four characters is larger than its text.
_MAX_PIECES: Final = 512


class IncrementalJson(JsonReader):
    """A JSON document that is read piece by piece. The result does not depend on the split.

    `feed` it text and read `value`, `changed`, `finished` and `open_path`; `close` it at the end. Strings grow with
    each piece. A number is finished by the next character or by the end; until then `value` has the number so far (12
    for `12.`). `true`, `false`, `null` and member names appear when they are whole. If a member name is repeated, the
    last value wins, as with `json.loads`.

    Stricter than `json.loads` in three points: no `NaN` and `Infinity`; a lone surrogate becomes U+FFFD; the nesting
    is limited by `max_depth`. Invalid JSON raises `SchemaError` with the path and the text so far, at the first invalid
    character (for a number: at its end). The value up to there remains, and each later call raises the same error.

    Cost: linear in the text. Memory: the tree, and the text unless `keep_text` is false (errors then have no text).
    """

    __slots__ = ("_closed", "_failure", "_keep_text", "_older", "_recent")

    def __init__(self, *, allow_trailing: bool = False, max_depth: int = 1000, keep_text: bool = True) -> None:
        super().__init__(allow_trailing=allow_trailing, max_depth=max_depth)
        self._keep_text = keep_text
        self._failure: SchemaError | None = None
        self._closed = False
        self._older: list[str] = []
        self._recent: list[str] = []

    @property
    def text(self) -> str:
        """All text fed so far; empty with `keep_text=False`."""
        return "".join(self._older) + "".join(self._recent)

    def feed(self, text: str) -> None:
        """Read more text, and set `changed` and `finished`.

        Raises:
            SchemaError: the text is not JSON.
            ValueError: `feed` after `close`.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("feed() after close(): a document that was closed takes no more text")
        self.changed = []
        self.finished = []
        if self._keep_text:
            self._recent.append(text)
            if len(self._recent) == _MAX_PIECES:
                self._older.append("".join(self._recent))
                self._recent.clear()
        try:
            self._read(text)
        except SchemaError as error:
            raise self._record_failure(error) from None

    def close(self) -> JsonValue:
        """End the text, and return the value. If that finishes a number, it is in `changed` and `finished`.

        A second call returns the value again.

        Raises:
            SchemaError: the document is not whole; `path` is the value without its end.
        """
        if self._failure is not None:
            raise self._failure
        if not self._closed:
            self.changed = []
            self.finished = []
            try:
                self._end()
            except SchemaError as error:
                raise self._record_failure(error) from None
            self._closed = True
        return self.value

    def _record_failure(self, error: SchemaError) -> SchemaError:
        error.text = self.text
        self._failure = error
        return error
