"""The headers that are sent: checked, and which of them hold secrets."""

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
SECRET_NAME = re.compile(r"auth|key|token|secret|passw|cookie|credential|signature|\bsig\b", re.IGNORECASE)


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


def secrets_of(headers: Mapping[str, str]) -> list[str]:
    """The values of the headers that hold secrets, and the parts of each: the key after `Bearer`, each cookie."""
    values = [value for name, value in headers.items() if SECRET_NAME.search(name)]
    return [*values, *(part for value in values for part in _parts(value))]


def _parts(value: str) -> list[str]:
    """The last word of each piece of a header's value, and what follows the first "=" in it."""
    words = [piece.strip().rsplit(" ", 1)[-1] for piece in re.split(r"[;,]\s*", value)]
    return [*words, *(word.partition("=")[2] for word in words)]
