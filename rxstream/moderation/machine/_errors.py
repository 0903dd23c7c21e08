"""The text of the model that an error of the source may repeat."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

from rxstream.errors import RxStreamError
from rxstream.moderation.machine._structure import is_structure

_WITHHELD = "the message of this error was withheld, because it did not pass moderation"
_IDENTIFIERS = ("response_id", "request_id")


def error_text(error: Exception) -> str | None:
    """All that an error says: in its message, arguments, attributes and notes; and so its causes, and those in a group.

    None if it says nothing. Raises: Exception: what the error raises if it is read.
    """
    texts: dict[str, None] = {}
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        linked: list[Any] = [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]
        waiting += [other for other in linked if isinstance(other, BaseException)]
        for value in _said_by(current):
            texts |= dict.fromkeys(_strings(value, waiting))
    return "\n".join(filter(None, texts)) or None


def without_text(error: Exception) -> Exception:
    """An error of the same class with the same numbers and identifiers, and without any text."""
    if not isinstance(error, RxStreamError):
        return RxStreamError(f"the source failed with {type(error).__name__}; {_WITHHELD}")
    copy = type(error).__new__(type(error), _WITHHELD)
    for name, value in error.__dict__.items():
        if isinstance(value, str):
            copy.__dict__[name] = value if _is_identifier(name, value) else ""
        elif name != "__notes__":
            copy.__dict__[name] = value if isinstance(value, int | float) else None
    copy.__dict__["message"] = _WITHHELD
    copy.args = (_WITHHELD,)
    return copy


def _said_by(error: BaseException) -> Iterator[object]:
    """What may be text of the model: everything but identifiers."""
    yield str(error)
    yield error.args
    for name, value in vars(error).items():
        if not _is_identifier(name, value):
            yield value
    for cls in type(error).__mro__:
        slots: Any = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(error, name, None)


def _is_identifier(name: str, value: object) -> bool:
    return isinstance(value, str) and name in _IDENTIFIERS and is_structure(name, value)


def _strings(value: object, errors: list[BaseException]) -> Iterable[str]:
    """The strings in a value at any depth, and what other objects show of themselves. Errors go to `errors`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("utf-8", "replace")
    elif isinstance(value, BaseException):
        errors.append(value)
    elif isinstance(value, dict):
        for pair in cast("dict[object, object]", value).items():
            yield from _strings(pair, errors)
    elif isinstance(value, list | tuple | set | frozenset):
        for element in cast("Iterable[object]", value):
            yield from _strings(element, errors)
    elif value is not None and not isinstance(value, int | float):
        yield repr(value)
