"""The lexical rules of JSON (RFC 8259), as regular expressions that match a whole piece of text at once."""

import json
import re
from collections.abc import Callable
from typing import cast

# These match the empty string too, so the result is never None.
_Matcher = Callable[[str, int], re.Match[str]]

SPACE = cast(_Matcher, re.compile(r"[ \t\n\r]*+").match)
"""Whitespace: these four and no other (RFC 8259 §2)."""

PLAIN = re.compile(r'[^"\\\x00-\x1f\ud800-\udfff]++').fullmatch
"""Text without quotes, escapes, control characters or surrogates."""

STRING_BODY = cast(
    _Matcher,
    re.compile(r'[^"\\\x00-\x1f]*+ (?: \\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}) [^"\\\x00-\x1f]*+ )*+', re.VERBOSE).match,
)
"""The content of a string, up to its quote, the start of an escape, or an invalid character."""

_partial_escape = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
PARTIAL_ESCAPE = _partial_escape.fullmatch
ESCAPE_PREFIX = cast(_Matcher, _partial_escape.match)
"""`PARTIAL_ESCAPE`: text that is the start of an escape. `ESCAPE_PREFIX`: the valid start of an invalid escape."""

NUMBER_CHARACTERS = cast(_Matcher, re.compile(r"[-+.eE0-9]*+").match)
"""The characters of a number, in any order. The order is checked when the number is whole."""

_number = re.compile(r"-?(?:0|[1-9][0-9]*+)(\.[0-9]++)?([eE][-+]?[0-9]++)?")
_NUMBER = _number.fullmatch
_SURROGATE = re.compile("[\ud800-\udfff]")
_decode = json.JSONDecoder().decode


def number(token: str) -> int | float | None:
    """The value of a number; None if `token` is not a number.

    Raises:
        ValueError: an integer of more digits than Python converts (`sys.set_int_max_str_digits`).
    """
    match = _NUMBER(token)
    if match is None:
        return None
    return int(token) if match.lastindex is None else float(token)


def number_so_far(token: str) -> int | float | None:
    """The value of the longest start of `token` that is a number: 12 for `12.`."""
    match = _number.match(token)
    return None if match is None else number(match[0])


def unescape(body: str) -> tuple[str, bool]:
    """Decode a match of `STRING_BODY`; also return whether it ends with an escaped high surrogate.

    That half is left out, since the next escape may be its low half. Any other lone surrogate becomes U+FFFD: the
    result is valid Unicode, unlike that of `json.loads`.
    """
    text: str = _decode(f'"{body}"')
    if "\\u" not in body:
        return text, False
    ends_with_half = "\ud800" <= text[-1] <= "\udbff"
    if ends_with_half:
        text = text[:-1]
    return _SURROGATE.sub("\ufffd", text), ends_with_half


def join_surrogates(text: str) -> tuple[str, str]:
    """Join the surrogate pairs of text that was cut between UTF-16 units; also return the high half at its end.

    A lone surrogate becomes U+FFFD.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text, ""
    half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
    whole = text[:-1] if half else text
    return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), half
