"""JSON for browsers."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from rxstream.events._base import finite


def json_text(value: Any) -> str:
    """A value as JSON that every browser reads: NaN and infinities are null, lone surrogates are escaped.

    Raises: TypeError: it is not JSON, and pydantic cannot make JSON of it.
    """
    try:
        return to_json(value, by_alias=True, inf_nan_mode="null").decode()
    except UnicodeEncodeError:
        pass
    except (PydanticSerializationError, ValueError) as error:
        if "surrogate" not in str(error):
            raise TypeError(f"expected what JSON can hold, got {type(value).__name__}: {error}") from None
    return json.dumps(finite(value))


def escaped(text: str) -> str:
    """A text as it is inside a string of JSON."""
    return json_text(text)[1:-1]


def read_object(text: str) -> Any:
    """The value of a text that is a JSON object or array; any other text as it is."""
    if text[:1] in ("{", "["):
        try:
            return finite(from_json(text, allow_inf_nan=True))
        except ValueError:
            pass
    return text


def data_frame(value: Any) -> bytes:
    """An SSE block with a JSON value as its data."""
    return f"data: {json_text(value)}\n\n".encode()
