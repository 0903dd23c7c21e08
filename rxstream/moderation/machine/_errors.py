"""The text of the model that an error of the source may repeat."""

from rxstream.errors import ContentTypeError, RxStreamError, StatusError, TransportError, TruncatedError

_LONGEST = 4096
_WITHHELD = "the message of this error was withheld, because it did not pass moderation"


def error_text(error: Exception) -> str | None:
    """What an error and its causes say. None if only rxstream or the network said it."""
    texts: dict[str, None] = {}
    current: BaseException | None = error
    for _ in range(8):
        if current is None:
            break
        if not _is_own(current):
            texts |= dict.fromkeys((str(current), *_strings(current)))
        current = current.__cause__ or current.__context__
    text = "\n".join(filter(None, texts))
    return text[:_LONGEST] if text else None


def without_text(error: Exception) -> Exception:
    """An error of the same class with the same numbers and identifiers, and without any text."""
    if not isinstance(error, RxStreamError):
        return RxStreamError(f"the source failed with {type(error).__name__}; {_WITHHELD}")
    copy = type(error).__new__(type(error), _WITHHELD)
    kept = {name: value for name, value in error.__dict__.items() if not isinstance(value, str) or name in _KEPT}
    copy.__dict__.update({**dict.fromkeys(error.__dict__, ""), **kept, "message": _WITHHELD})
    copy.args = (_WITHHELD,)
    return copy


_KEPT = frozenset(("response_id", "request_id", "event_type", "content_type"))


def _is_own(error: BaseException) -> bool:
    """Whether the message is rxstream's or the network's."""
    if isinstance(error, StatusError | ContentTypeError):
        return False
    return isinstance(error, TransportError | TruncatedError | OSError)


def _strings(error: BaseException) -> list[str]:
    return [value for name, value in vars(error).items() if isinstance(value, str) and name not in _KEPT]
