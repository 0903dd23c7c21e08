"""The lexical rules of JSON (RFC 8259), as regular expressions that run over a whole piece of text at once."""

import json
import re
from collections.abc import Callable
from typing import cast

# A match of nothing is a match: these never fail.
_Run = Callable[[str, int], re.Match[str]]

SPACE = cast(_Run, re.compile(r"[ \t\n\r]*+").match)
"""Whitespace: these four and no other (RFC 8259 §2)."""

PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]++').fullmatch
"""Text that inside a string only stands for itself."""

STRING_BODY = cast(
    _Run,
    re.compile(r'[^"\\\x00-\x1f]*+ (?: \\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}) [^"\\\x00-\x1f]*+ )*+', re.VERBOSE).match,
)
"""The inside of a string as far as it is there: up to its quote, half an escape, or what is not allowed."""

_escape_begun = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
ESCAPE_BEGUN = _escape_begun.fullmatch
ESCAPE_PREFIX = cast(_Run, _escape_begun.match)
"""An escape that more text may make whole, if nothing else follows; and as much of a wrong one as was right."""

NUMBER_RUN = cast(_Run, re.compile(r"[-+.eE0-9]*+").match)
"""All that a number may consist of, in any order: that the order is right is seen once the number is whole."""

_number = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][-+]?[0-9]++)?")
_NUMBER = _number.fullmatch
_SURROGATE = re.compile("[\ud800-\udfff]")
_decode = json.JSONDecoder().decode


def number(token: str) -> int | float | None:
    """The value of a number, `None` if it is none.

    Raises:
        ValueError: an integer of more digits than Python converts (`sys.set_int_max_str_digits`).
    """
    found = _NUMBER(token)
    if found is None:
        return None
    return int(token) if found.lastindex is None else float(token)


def number_so_far(token: str) -> int | float | None:
    """The value of as much of an unfinished number as is one: of `12.` it is 12."""
    found = _number.match(token)
    return None if found is None else number(found[0])


def unescape(body: str) -> tuple[str, bool]:
    """Decode what `STRING_BODY` matched; also tell whether it ends with an escaped high surrogate.

    That half is left out, since the next escape may be its low half. Any other lone surrogate becomes U+FFFD, as in
    every decoder that must give valid Unicode; `json.loads` would let it through.
    """
    text: str = _decode(f'"{body}"')
    if "\\u" not in body:
        return text, False
    waits = "\ud800" <= text[-1] <= "\udbff"
    if waits:
        text = text[:-1]
    return _SURROGATE.sub("\ufffd", text), waits


def mend_surrogates(text: str) -> tuple[str, str]:
    """Join the surrogate pairs of text that was cut between UTF-16 units; also return a high half at its end.

    A lone surrogate becomes U+FFFD.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text, ""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    whole = text[:-1] if half else text
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), half
