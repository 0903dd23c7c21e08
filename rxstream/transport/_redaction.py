"""Checks of the headers that are sent, and redaction of the server's text in errors and logs."""

import re
from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie")
)

# Shorter texts may occur by accident. No real key is that short.
_SHORTEST_SECRET = 6


def checked_headers(*layers: Mapping[str, str]) -> dict[str, str]:
    """Merge headers, names in lower case; a later layer wins.

    Raises:
        ValueError: a name or a value that no header can hold. The message has the name, never the value.
    """
    merged: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"a header's name must be letters, digits and hyphens, got {name!r}")
            if not _VALUE.fullmatch(value):
                raise ValueError(
                    f"the value of the header {name!r} must be printable ASCII: take out line ends, NUL and the like"
                )
            merged[name.lower()] = value
    return merged


def checked_key(key: str) -> str:
    """Return the key.

    Raises:
        ValueError: it holds a character that no key holds, most often the line end of the file that it was read from.
    """
    if not key or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValueError(
            "the API key must be printable ASCII without spaces, and it is empty or holds a space, a line end or "
            "another character: copy it again (check OPENAI_API_KEY or Session(api_key=…))"
        )
    return key


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the headers that hold keys, and the last word of each (the key after `Bearer`)."""
    values = [value for name, value in headers.items() if name.lower() in _SECRET_HEADERS]
    return secrets_to_hide([*values, *(value.rsplit(" ", 1)[-1] for value in values)])


def secrets_to_hide(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets that are long enough to hide; longest first, because a shorter one may be a part of a longer one."""
    return tuple(sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True))


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` with "[redacted]" in place of each secret."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text


def printable(text: str, limit: int, secrets: Iterable[str] = ()) -> str:
    """`text` for an error or a log line: no control characters, no secrets, at most `limit` bytes of UTF-8."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return hide(line, secrets).encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").strip()
