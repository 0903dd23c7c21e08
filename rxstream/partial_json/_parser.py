"""The parser of JSON (RFC 8259), for text that may be split anywhere.

The state is what is read next; a stack of containers takes the place of recursion. No text is read twice, except an
escape that was split: the tree has all that was read, and there is no buffer.
"""

from typing import Final

from rxstream.errors import SchemaError
from rxstream.partial_json._lexer import (
    ESCAPE_PREFIX,
    NUMBER_CHARACTERS,
    PARTIAL_ESCAPE,
    PLAIN,
    SPACE,
    STRING_BODY,
    join_surrogates,
    number,
    number_so_far,
    unescape,
)
from rxstream.partial_json._paths import JsonValue, format_path
from rxstream.partial_json._tree import JsonTree

# The states. The order matters: first those where whitespace is allowed, then those inside a token.
_VALUE: Final = 0
_ELEMENT_OR_END: Final = 1  # after [
_NAME: Final = 2
_NAME_OR_END: Final = 3  # after {
_COLON: Final = 4
_COMMA_OR_END: Final = 5
_IN_STRING: Final = 6
_IN_NAME: Final = 7
_IN_NUMBER: Final = 8
_IN_LITERAL: Final = 9
_AFTER_DOCUMENT: Final = 10  # the document is whole

_EXPECTED: Final = ("a value", "a value or ]", "a member name in quotes", "a member name in quotes or }", "a colon")
_LITERALS: Final[dict[str, tuple[str, JsonValue]]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}

# An unfinished number is in the tree only up to this length: to convert a long one at each feed would cost too much.
_MAX_UNFINISHED_DIGITS: Final = 64

# Longer paths are shortened in error messages.
_MAX_PATH: Final = 80


class JsonReader(JsonTree):
    """Read JSON into the tree, piece by piece. Base class of `IncrementalJson`."""

    __slots__ = ("_allow_trailing", "_carry", "_literal", "_max_depth", "_offset", "_state", "_token")

    def __init__(self, *, allow_trailing: bool, max_depth: int) -> None:
        super().__init__()
        self._max_depth = max_depth
        self._state: int = _VALUE
        self._token: list[str] = []  # the pieces of a number or a member name
        self._literal: tuple[str, JsonValue] = ("", None)  # of true, false or null: the missing letters, and its value
        self._carry = ""  # half an escape or half a surrogate pair: put before the next text
        self._offset: int = 0  # number of characters before the current text
        self._allow_trailing = allow_trailing

    @property
    def complete(self) -> bool:
        """Whether the document is whole. A single number is whole after `close`, or after the character behind it."""
        return self._state == _AFTER_DOCUMENT

    def _read(self, text: str) -> None:
        if self._state == _IN_STRING and not self._carry and PLAIN(text):
            self._pending.append(text)
            self._note_change()
            self._offset += len(text)
            return
        text, half = join_surrogates(self._carry + text)
        self._carry = ""
        self._scan(text)
        self._offset += len(text) - len(self._carry)
        self._carry += half

    def _end(self) -> None:
        if self._carry:  # the other half of a surrogate pair is missing
            self._scan(join_surrogates(self._carry + " ")[0][:-1])
        if self._state == _IN_NUMBER and not self._stack:  # inside a container the number may be cut off
            self._finish_number(0)
        if self._state != _AFTER_DOCUMENT:
            raise self._error(f"the text ends {self._place_of_end()}", 0)

    # Each of these reads from a position in the text, and returns the next position.

    def _scan(self, text: str) -> None:
        at, end = 0, len(text)
        while at < end:
            state = self._state
            if state <= _COMMA_OR_END:
                at = SPACE(text, at).end()
                if at < end:
                    at = self._structure(state, text, at)
            elif state == _IN_STRING:
                at = self._string(text, at)
            elif state == _IN_NAME:
                at = self._name(text, at)
            elif state == _IN_NUMBER:
                at = self._number(text, at)
            elif state == _IN_LITERAL:
                at = self._literal_letters(text, at)
            else:
                at = self._after(text, at)

    def _structure(self, state: int, text: str, at: int) -> int:
        char = text[at]
        if state == _COMMA_OR_END:
            in_object = isinstance(self._container, dict)
            if char == ",":
                if in_object:
                    self._state = _NAME
                else:
                    self._key += 1
                    self._state = _VALUE
            elif char == ("}" if in_object else "]"):
                self._end_container()
            else:
                raise self._unexpected("a comma or }" if in_object else "a comma or ]", text, at)
        elif state == _COLON:
            if char != ":":
                raise self._unexpected(_EXPECTED[state], text, at)
            self._state = _VALUE
        elif state <= _ELEMENT_OR_END:
            return self._begin_value(state, text, at)
        elif char == '"':
            self._state = _IN_NAME
            return self._name(text, at + 1)
        elif char == "}" and state == _NAME_OR_END:
            self._end_container()
        else:
            raise self._unexpected(_EXPECTED[state], text, at)
        return at + 1

    def _begin_value(self, state: int, text: str, at: int) -> int:
        char = text[at]
        if char == "]" and state == _ELEMENT_OR_END:
            self._end_container()
            return at + 1
        self._state = _VALUE  # an error from here on belongs to the path of the element
        if char == '"':
            self._open_leaf()
            self._state = _IN_STRING
            return self._string(text, at + 1)
        if char in "{[":
            if len(self._stack) >= self._max_depth:
                raise self._error(f"nested deeper than {self._max_depth} levels", at)
            if char == "{":
                self._open_container({})
                self._state = _NAME_OR_END
            else:
                self._open_container([])
                self._state = _ELEMENT_OR_END
            return at + 1
        if char in "-0123456789":
            self._open_leaf()
            self._state = _IN_NUMBER
            return self._number(text, at)
        if char in _LITERALS:
            self._open_leaf()
            self._literal = _LITERALS[char]
            self._state = _IN_LITERAL
            return self._literal_letters(text, at)
        raise self._unexpected(_EXPECTED[state], text, at)

    def _string(self, text: str, at: int) -> int:
        piece, at = self._string_body(text, at)
        if not self._leaf_in_tree:
            self._set_value(piece)
            self._note_change()
        elif piece:
            self._pending.append(piece)
            self._note_change()
        if at < len(text):
            self._expect_quote(text, at)
            self._finish(self._join())
            at += 1
        return at

    def _name(self, text: str, at: int) -> int:
        piece, at = self._string_body(text, at)
        self._token.append(piece)
        if at < len(text):
            self._expect_quote(text, at)
            self._key = "".join(self._token)
            self._token.clear()
            self._state = _COLON
            at += 1
        return at

    def _string_body(self, text: str, at: int) -> tuple[str, int]:
        end = STRING_BODY(text, at).end()
        piece, half = text[at:end], False
        if "\\" in piece:
            piece, half = unescape(piece)
        if end == len(text) or PARTIAL_ESCAPE(text, end):  # the other half may be in the next text
            self._carry = text[end - 6 if half else end :]
            return piece, len(text)
        return piece + "\ufffd" if half else piece, end

    def _expect_quote(self, text: str, at: int) -> None:
        if text[at] == "\\":
            wrong = ESCAPE_PREFIX(text, at).end()
            raise self._error(f"unknown escape {text[at : wrong + 1]}", at)
        if text[at] != '"':
            raise self._error(f"control character {text[at]!r} without an escape in a string", at)

    def _number(self, text: str, at: int) -> int:
        end = NUMBER_CHARACTERS(text, at).end()
        self._token.append(text[at:end])
        if end < len(text):
            self._finish_number(end)
        elif len(self._token) <= _MAX_UNFINISHED_DIGITS:
            value = number_so_far("".join(self._token)[:_MAX_UNFINISHED_DIGITS])
            if value is not None:
                self._set_number(value)
        return end

    def _finish_number(self, at: int) -> None:
        token = "".join(self._token)
        try:
            value = number(token)
        except ValueError:
            raise self._error(f"expected an integer that Python can convert, got {len(token)} digits", at) from None
        if value is None:
            raise self._error(f"{token[:_MAX_UNFINISHED_DIGITS]} is not a number", at)
        self._token.clear()
        self._set_number(value)
        self._finish(value)

    def _set_number(self, value: float) -> None:
        if self._leaf_in_tree:
            previous = self._container[self._place()]
            if previous == value and type(previous) is type(value):
                return
        self._set_value(value)
        self._note_change()

    def _literal_letters(self, text: str, at: int) -> int:
        letters, value = self._literal
        piece = text[at : at + len(letters)]
        if not letters.startswith(piece):
            wrong = next(i for i, letter in enumerate(piece) if letter != letters[i])
            raise self._unexpected("true, false or null", text, at + wrong)
        if len(piece) < len(letters):
            self._literal = letters[len(piece) :], value
        else:
            self._set_value(value)
            self._note_change()
            self._finish(value)
        return at + len(piece)

    def _after(self, text: str, at: int) -> int:
        if self._allow_trailing:
            return len(text)
        at = SPACE(text, at).end()
        if at < len(text):
            raise self._unexpected("the end of the text", text, at)
        return at

    def _finish(self, value: JsonValue) -> None:
        self._finish_leaf(value)
        self._state = _COMMA_OR_END if self._stack else _AFTER_DOCUMENT

    def _end_container(self) -> None:
        self._close_container()
        self._state = _COMMA_OR_END if self._stack else _AFTER_DOCUMENT

    def _place_of_end(self) -> str:
        if self._state == _IN_STRING:
            return "inside a string"
        if self._state == _IN_NAME:
            return "inside a member name"
        if self._state == _IN_NUMBER:
            return "inside a number"
        if self._state == _IN_LITERAL:
            return "inside true, false or null"
        if not self._stack:
            return "before any value"
        return "inside an object" if isinstance(self._container, dict) else "inside an array"

    def _unexpected(self, expected: str, text: str, at: int) -> SchemaError:
        return self._error(f"expected {expected}, got {text[at]!r}", at)

    def _error(self, message: str, at: int) -> SchemaError:
        open_path = self.open_path or ()
        if self._state in (_COLON, _VALUE) and self._stack:  # the value that is missing
            open_path = (*open_path, self._key)
        path = format_path(open_path)
        where = path if len(path) <= _MAX_PATH else f"…{path[-_MAX_PATH:]}"
        return SchemaError(f"not JSON: {message} (path {where}, character {self._offset + at})", path=path)
