"""What a browser is told of an error: no text of the error itself, because it may hold what is not for users."""

from collections.abc import Callable
from typing import TypeAlias

from rxstream.errors import (
    ModerationError,
    RefusalError,
    ResponseError,
    ResponseIncompleteError,
    ToolError,
    TransportError,
    TruncatedError,
)

ErrorText: TypeAlias = Callable[[Exception], str]

_TEXTS: tuple[tuple[type[Exception], str], ...] = (
    (ModerationError, "The answer was withheld."),
    (ResponseIncompleteError, "The answer was cut short."),
    (RefusalError, "The model refused to answer."),
    (ResponseError, "The model reported an error."),
    (TruncatedError, "The connection to the model was lost."),
    (TransportError, "The connection to the model was lost."),
    (ToolError, "The tool failed."),
)


def error_text(error: Exception) -> str:
    """A sentence for the class of the error."""
    return next((text for kind, text in _TEXTS if isinstance(error, kind)), "An error occurred.")
