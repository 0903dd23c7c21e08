"""A JSON document in the text of an answer, with what models and servers write around it.

* A code fence around the document, or backquotes, are read over: with them the text is not JSON, so only the document
  can be the answer.
* The same object or array again, character for character, is read over: some models and servers write it twice.
* Other text is an error, because it may be the answer: an apology, or a second document. `allow_leading` passes over
  the text before the first `{` or `[`, `allow_trailing` over the text after the document.
"""

import re
from contextlib import suppress
from typing import Final

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._lexer import SPACE, join_surrogates

_SPACES: Final = " \t\r\n"
_FENCE: Final = re.compile(r"`{1,20}(?:[ \t]*[A-Za-z][\w+-]{0,19})?[ \t]*")
_BEGIN: Final = re.compile(r"[{\[]")
_END: Final = "the end of the text (allow_trailing=True passes over other text)"
_PREVIEW: Final = 60


class EnclosedJson(IncrementalJson):
    """`IncrementalJson` that reads over what the head of this file says. It keeps the text of the document only."""

    __slots__ = (
        "_allow_leading",
        "_begun",
        "_closing",
        "_copied",
        "_document",
        "_fence",
        "_fence_closed",
        "_pieces",
        "begin",
    )

    def __init__(self, *, allow_leading: bool = False, allow_trailing: bool = False) -> None:
        super().__init__(allow_trailing=allow_trailing, keep_text=False)
        self._allow_leading = allow_leading
        self._begun = False
        """Whether the beginning of the document was found."""
        self.begin = 0
        """How many characters stand before the document."""
        self._fence = ""
        """Text that may be the beginning of a fence, then the fence."""
        self._closing = self._fence_closed = False
        """Whether the closing fence has begun, and whether white space follows it."""
        self._pieces: list[str] = []
        """The text from the beginning of the document on, as far as it was read when the document was whole."""
        self._document: str | None = None
        """The text of the document, once more text follows it."""
        self._copied = 0
        """How many characters of a copy of the document were read."""

    @property
    def document(self) -> str:
        """The text of the document alone."""
        return "".join(self._pieces) if self._document is None else self._document

    def _read(self, text: str) -> None:
        if not self._begun:
            text = self._skip_to_begin(text)
            if not self._begun:
                return
        if not self.complete:
            self._pieces.append(text)
        IncrementalJson._read(self, text)  # a call through `super()` takes twice as long

    def _skip_to_begin(self, text: str) -> str:
        """The text from the beginning of the document on, if that has come."""
        if self._allow_leading:
            begin = _BEGIN.search(text)
            self._begun = begin is not None
            skipped = begin.start() if begin else len(text)
        else:
            spaces = 0 if self._fence else len(text) - len(text.lstrip(_SPACES))
            text = self._fence + text
            fence = _FENCE.match(text, spaces)
            skipped = fence.end() if fence else spaces
            self._begun = skipped < len(text)
            self._fence = fence.group() if fence else ""
            if fence and not self._begun:  # it may be longer
                skipped = spaces
        self._offset += skipped
        self.begin += skipped
        return text[skipped:]

    def _after(self, text: str, at: int) -> int:
        if self._document is None:
            read = join_surrogates("".join(self._pieces))[0]
            self._document = read[: self._offset + at - self.begin].strip(_SPACES)
            self._pieces.clear()
        if self._allow_trailing:
            return super()._after(text, at)
        while at < len(text):
            at = self._copy(text, at) if self._copied else self._between(text, at)
        return at

    def _copy(self, text: str, at: int) -> int:
        """Read more of a copy of the document."""
        document = self.document
        piece = text[at : at + len(document) - self._copied]
        expected = document[self._copied : self._copied + len(piece)]
        if piece != expected:
            at += next(i for i, character in enumerate(piece) if character != expected[i])
            raise self._unexpected(f"the same document again, or {_END}", text, at)
        self._copied = (self._copied + len(piece)) % len(document)
        return at + len(piece)

    def _between(self, text: str, at: int) -> int:
        """Read what follows the document or a copy of it: white space, a copy, or the closing fence."""
        end = SPACE(text, at).end()
        if end > at:
            self._fence_closed = self._closing
            return end
        if text[at] == "`" and (self._fence or self._allow_leading) and not self._fence_closed:
            self._closing = True
            return at + 1
        if not self._closing and text[at] in "{[" and self.document.startswith(text[at]):
            return self._copy(text, at)
        raise self._unexpected(_END, text, at)

    def _end(self) -> None:
        super()._end()
        if self._copied:
            raise self._error("the text ends inside a copy of the document", 0)


def text_before_json(text: str) -> str | None:
    """What is wrong with text that does not begin as JSON: the text, and where the JSON in it begins."""
    if not re.match(r"\s*[^\s{\[]", text):
        return None
    preview = text if len(text) <= _PREVIEW else f"{text[:_PREVIEW]}…"
    document = EnclosedJson(allow_leading=True, allow_trailing=True)
    with suppress(SchemaError):
        document.feed(text)
        document.close()
        return (
            f"not JSON: expected JSON alone, got {preview!r}; JSON begins at character {document.begin}: "
            "allow_leading=True passes over the text before it, allow_trailing=True over the text after it"
        )
    return f"not JSON: expected JSON, got {preview!r}"
