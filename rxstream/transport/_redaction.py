"""What may go out in a header, and what may come back in an error: no line breaks, no keys, no endless text."""

import re
from collections.abc import Iterable, Mapping

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "api-key", "x-api-key", "x-goog-api-key", "cookie")
)

# Shorter ones turn up in innocent text; no real key is that short.
_SHORTEST_SECRET = 6


def checked_headers(*layers: Mapping[str, str]) -> dict[str, str]:
    """Merge headers, names in lower case; a later layer wins.

    Raises:
        ValueError: a name or a value that no header can hold; the text names the header, never its value.
    """
    merged: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            if not _TOKEN.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a header: use letters, digits and hyphens")
            if not _VALUE.fullmatch(value):
                raise ValueError(
                    f"the value of the header {name!r} holds a line end, NUL or another character that is not "
                    "printable ASCII: take it out"
                )
            merged[name.lower()] = value
    return merged


def checked_key(key: str) -> str:
    """The key as it came.

    Raises:
        ValueError: it holds a character that no key holds, most often the line end of the file that it came from.
    """
    if not key or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValueError(
            "the API key is empty, or holds a space, a line end or another character that no key holds: "
            "copy it again, without what surrounds it (check OPENAI_API_KEY or Session(api_key=…))"
        )
    return key


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The values of those headers that carry keys, and of each its last word (the key after `Bearer`)."""
    values = [value for name, value in headers.items() if name.lower() in _SECRET_HEADERS]
    return strongest([*values, *(value.rsplit(" ", 1)[-1] for value in values)])


def strongest(secrets: Iterable[str]) -> tuple[str, ...]:
    """The secrets worth hiding, longest first, so that no tail of one is left by a shorter one."""
    return tuple(sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True))


def hide(text: str, secrets: Iterable[str]) -> str:
    """`text` without the secrets."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text


def plain(text: str, limit: int, secrets: Iterable[str] = ()) -> str:
    """`text` fit for an error or a log line: no control characters, no secrets, at most `limit` bytes of UTF-8."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return hide(printable, secrets).encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").strip()
