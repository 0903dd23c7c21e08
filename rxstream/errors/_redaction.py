r"""What errors, logs and tapes never hold: secrets, and in one-line texts control characters.

Each secret is noted when it is sent, in one list for the process. A server may repeat it anywhere, and the error that
quotes it may be made by an operator that knows no session. So errors and tapes ask this list.

A server may repeat a secret in another notation: `\/` and `\u002f` in JSON, once more escaped in JSON inside JSON,
`%2F` in a URL, or in lower case, as content types are.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from threading import Lock

HIDDEN = "[redacted]"

# Shorter texts may occur by accident. No real key is that short.
_SHORTEST = 6
_MOST = 1000
"""Secrets in the list. A server for many users has a key for each of them; the one unused for longest is dropped."""

# Runs of backslashes are bounded, so that a long run costs linear time.
_ESCAPE = re.compile(r"""\\{1,8}(?:u([0-9a-f]{4})|([/"\\]))|%([0-9a-f]{2})""", re.IGNORECASE)

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0, DEL and C1 without newline and tab; what ends a line or reverses text; halves of surrogate pairs."""

_noted: dict[str, None] = {}
"""The secrets, without escapes and in lower case; the one noted last is the last."""
_lock = Lock()


def note_secrets(secrets: Iterable[str]) -> None:
    """From now on these are hidden in every error and on every tape. Those of less than six characters are not."""
    with _lock:
        for secret in _plain_all(secrets):
            _noted.pop(secret, None)
            _noted[secret] = None
        while len(_noted) > _MOST:
            del _noted[next(iter(_noted))]


def hide(text: str, more: Iterable[str] = ()) -> str:
    """`text` with "[redacted]" in place of each secret that was noted, and of each of `more`."""
    if len(text) < _SHORTEST:
        return text
    with _lock:
        secrets = [*_noted]
    plain = _plain(text)
    found = [secret for secret in (*secrets, *_plain_all(more)) if secret in plain]
    for secret in sorted(found, key=len, reverse=True):  # a shorter one may be a part of a longer one
        text = _pattern(secret).sub(HIDDEN, text)
    return text


def one_line(text: str, limit: int) -> str:
    """`text` for an error or a log line: no secrets, no control characters, at most `limit` bytes of UTF-8."""
    head = hide(text)[:limit]
    line = "".join(c if c.isprintable() else " " for c in head)
    return line.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").strip()


def visible(text: str) -> str:
    """`text` with an escape in place of each control character; newline and tab stay. Safe for a terminal."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _plain_all(secrets: Iterable[str]) -> list[str]:
    return [plain for secret in secrets if len(plain := _plain(secret)) >= _SHORTEST]


def _plain(text: str) -> str:
    """`text` without escapes, in lower case."""
    if "\\" in text or "%" in text:
        text = _ESCAPE.sub(_unescaped, text)
    return text.lower()


def _unescaped(escape: re.Match[str]) -> str:
    unit, character, octet = escape.groups()
    return character or chr(int(unit or octet, 16))


@lru_cache(_MOST)
def _pattern(secret: str) -> re.Pattern[str]:
    """Finds `secret` in each of its notations."""
    characters = (rf"(?:\\{{0,8}}{re.escape(c)}|\\{{1,8}}u{ord(c):04x}|%{ord(c):02x})" for c in secret)
    return re.compile("".join(characters), re.IGNORECASE)
