"""The alphabet of our marbles: from a token to an event of the wire, and from an event back to its token.

A token is the text of a delta: `a` is a text delta "a". `_` is a space, `¶` a line end; between backquotes any
character stands for itself. A token may begin with its place, `1:b` (output index 1) or `0.1:b` (content index 1), and
with the kind of its text:

    r: refusal    s: reasoning summary    t: reasoning text    f: function arguments
    i: input of a custom tool    m: MCP arguments    c: code of the interpreter

A single capital is an event of its own; a place may stand before it, and a text after a colon:

    C created   P in_progress   Q queued   K completed   N:reason incomplete   X:code failed   W:code an error event
    M message added   F:name function call added   R reasoning added   I item done
    B content part added   D:text the done event of the text so far   E content part done   A:title annotation added
    H keepalive   U:type an unknown event

Without a text, `D`, `E`, `I` and `K` have the text of the tokens before them in the row. A star marks a synthetic
event: `N*`.
"""

import re
from dataclasses import dataclass
from typing import Any, cast

from rxstream.testing.answers._answer import JsonDict

_PLACE = r"(?P<index>\d+)?(?:\.(?P<part>\d+))?"
_DELTA = re.compile(_PLACE + r"(?P<kind>[a-z])?:")
_CAPITAL = re.compile(_PLACE + r"(?P<letter>[A-Z])(?P<star>\*?)(?P<colon>:|\Z)")


@dataclass(frozen=True, slots=True)
class TextNames:
    """The names of the events and fields of one kind of text."""

    delta: str
    done: str
    text_field: str = "text"
    item: str = "message"
    place: str | None = "content_index"


TEXT_KINDS = {
    "": TextNames("response.output_text.delta", "response.output_text.done"),
    "r": TextNames("response.refusal.delta", "response.refusal.done", "refusal"),
    "s": TextNames(
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        item="reasoning",
        place="summary_index",
    ),
    "t": TextNames("response.reasoning_text.delta", "response.reasoning_text.done", item="reasoning"),
    "f": TextNames(
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "arguments",
        "function_call",
        None,
    ),
    "i": TextNames(
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "input",
        "custom_tool_call",
        None,
    ),
    "m": TextNames(
        "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "arguments", "mcp_call", None
    ),
    "c": TextNames(
        "response.code_interpreter_call_code.delta",
        "response.code_interpreter_call_code.done",
        "code",
        "code_interpreter_call",
        None,
    ),
}
_KIND_OF_DELTA = {text_kind.delta: kind for kind, text_kind in TEXT_KINDS.items()}
KIND_OF_ITEM = {"function_call": "f", "custom_tool_call": "i", "mcp_call": "m", "code_interpreter_call": "c"}

_LETTERS = {
    "response.created": "C",
    "response.in_progress": "P",
    "response.queued": "Q",
    "response.completed": "K",
    "response.incomplete": "N",
    "response.failed": "X",
    "error": "W",
    "response.output_item.done": "I",
    "response.content_part.added": "B",
    "response.content_part.done": "E",
    "response.reasoning_summary_part.added": "B",
    "response.reasoning_summary_part.done": "E",
    "response.output_text.annotation.added": "A",
    "keepalive": "H",
    **{text_kind.done: "D" for text_kind in TEXT_KINDS.values()},
}
_LETTER_OF_ITEM = {"message": "M", "function_call": "F", "reasoning": "R"}


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says of an event. `text` is None if it may be any text."""

    letter: str
    """A capital, or the kind of a delta."""
    index: int = 0
    part: int = 0
    text: str | None = None
    synthetic: bool = False

    def fits(self, event: "Token") -> bool:
        """Whether this is a token of the event."""
        exact = (self.letter, self.index, self.part, self.synthetic)
        return self.text in (None, event.text) and exact == (event.letter, event.index, event.part, event.synthetic)

    def write(self) -> str:
        """The token as text, as short as possible."""
        place = f"{self.index}.{self.part}" if self.part else f"{self.index}" if self.index else ""
        if self.letter.isupper():
            text = ""
            if self.text is not None and self.letter in "FNXWUA" + ("" if self.text else "D"):
                text = f":{quoted(self.text)}"
            return f"{place}{self.letter}{'*' if self.synthetic else ''}{text}"
        text = quoted(self.text or "")
        text_only = not place and not self.letter
        if text_only and (_DELTA.match(text) or _CAPITAL.match(text)):
            text = f"`{self.text}`"
        return text if text_only else f"{place}{self.letter}:{text}"


def read(token: str) -> Token:
    """Read a token. Raises `ValueError` for a kind or a capital that is not in the alphabet."""
    if capital := _CAPITAL.match(token):
        letter, text_after = capital["letter"], token[capital.end() :]
        if letter not in "CPQKNXWMFRIBDEAHU":
            raise ValueError(f"{token!r}: {letter} is not in the alphabet of marbles")
        text = unquoted(text_after) if capital["colon"] else None
        return Token(letter, int(capital["index"] or 0), int(capital["part"] or 0), text, bool(capital["star"]))
    if delta := _DELTA.match(token):
        kind = delta["kind"] or ""
        if kind not in TEXT_KINDS:
            raise ValueError(
                f"{token!r}: expected one of {' '.join(filter(None, TEXT_KINDS))} before the colon, got {kind}; "
                "put text with a colon between backquotes"
            )
        return Token(kind, int(delta["index"] or 0), int(delta["part"] or 0), unquoted(token[delta.end() :]))
    return Token("", text=unquoted(token))


def unquoted(text: str) -> str:
    """The text that a picture has: `_` is a space, `¶` a line end, and between backquotes nothing is replaced."""
    pieces = text.split("`")
    pieces[::2] = [piece.replace("_", " ").replace("¶", "\n") for piece in pieces[::2]]
    return "".join(pieces)


def quoted(text: str) -> str:
    """Text as it is written in a picture."""
    if not text or re.search(r"[-|#(),_¶<\r\t]", text):
        return f"`{text}`"
    return text.replace(" ", "_").replace("\n", "¶")


def token_of(event: JsonDict) -> Token | None:
    """The token of an event of the wire. None if the alphabet has none for it."""
    name, index = event.get("type", ""), event.get("output_index") or 0
    part = event.get("content_index") or event.get("summary_index") or 0
    synthetic = bool(event.get("synthetic"))
    if name in _KIND_OF_DELTA:
        return Token(_KIND_OF_DELTA[name], index, part, str(event.get("delta", "")))
    item: JsonDict = event.get("item") or {}
    if name == "response.output_item.added":
        letter = _LETTER_OF_ITEM.get(item.get("type", ""))
        return Token(letter, index, 0, item.get("name"), synthetic) if letter else None
    letter = _LETTERS.get(name)
    if letter is None:
        return Token("U", index, part, name, synthetic) if ":" in name or not name.startswith("response.") else None
    return Token(letter, index, part, _text_of(letter, event), synthetic)


_TEXT_PATHS = {
    "N": ("response", "incomplete_details", "reason"),
    "X": ("response", "error", "code"),
    "W": ("error", "code"),
    "A": ("annotation", "title"),
}


def _text_of(letter: str, event: JsonDict) -> str | None:
    if letter == "D":
        return next((event[name] for name in ("text", "refusal", "arguments", "input", "code") if name in event), None)
    value: Any = event
    for name in _TEXT_PATHS.get(letter, ()):
        value = cast(JsonDict, value).get(name) if isinstance(value, dict) else None
    if letter == "W" and value is None:
        value = event.get("code")  # the flat form
    return value if isinstance(value, str) else None
