"""JSON that arrives in pieces: the value so far, what changed in it, and what is finished."""

from typing import Final

from rxstream.errors import SchemaError
from rxstream.partial_json._parser import JsonReader
from rxstream.partial_json._paths import JsonValue

# So many pieces of text are joined into one, since a piece of four characters costs more than the text in it.
_PIECES: Final = 512


class IncrementalJson(JsonReader):
    """A JSON document, read as it is written, whatever the split.

    `feed` text and look at `value`, `changed`, `finished` and `open_path`; `close` at the end. Strings grow as they
    arrive. A number is finished only when the next character or the end shows that it is; until then its value so far
    is shown where it is one (`12.` shows 12). `true`, `false`, `null` and member names are shown once they are whole.
    Of members with the same name the last wins, as with `json.loads`.

    Stricter than `json.loads` in three points: no `NaN` and `Infinity`; a lone surrogate becomes U+FFFD; the nesting
    ends at `max_depth`. What breaks a rule raises `SchemaError` with the path and the text so far, at the first
    character that cannot be right (a number: at its end). The value up to there remains, and each later call raises
    the same error.

    Cost: linear in the text. Memory: the tree, and the text unless `keep_text` is false (errors then carry none).
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
        """Read on. `changed` and `finished` then tell what this text did.

        Raises:
            SchemaError: no JSON document goes on like this.
            ValueError: fed after `close`.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise ValueError("fed after close()")
        self.changed = []
        self.finished = []
        if self._keep_text:
            self._recent.append(text)
            if len(self._recent) == _PIECES:
                self._older.append("".join(self._recent))
                self._recent.clear()
        try:
            self._read(text)
        except SchemaError as error:
            raise self._failed(error) from None

    def close(self) -> JsonValue:
        """The text is at its end: return the value. `changed` and `finished` tell what the end finished (a number).

        Closing again returns the value again.

        Raises:
            SchemaError: the document is not whole; `path` is the value that lacks its end.
        """
        if self._failure is not None:
            raise self._failure
        if not self._closed:
            self.changed = []
            self.finished = []
            try:
                self._end()
            except SchemaError as error:
                raise self._failed(error) from None
            self._closed = True
        return self.value

    def _failed(self, error: SchemaError) -> SchemaError:
        error.text = self.text
        self._failure = error
        return error
