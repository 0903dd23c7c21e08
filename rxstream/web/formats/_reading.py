"""Reading what a browser posted. Nothing of it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from rxstream.errors import ProtocolError
from rxstream.errors._redaction import one_line

_OBJECTS: TypeAdapter[list[dict[str, Any]]] = TypeAdapter(list[dict[str, Any]])


def read_body(body: Any) -> dict[str, Any]:
    """The JSON object of a body. Raises: ProtocolError: it is none."""
    if isinstance(body, str | bytes | bytearray):
        try:
            body = from_json(body)
        except ValueError as error:
            raise ProtocolError(f"expected the body of the request as JSON, got other text: {error}") from None
    if not isinstance(body, Mapping):
        raise ProtocolError(f"expected the body of the request as a JSON object, got {type(body).__name__}")
    return dict(cast("Mapping[str, Any]", body))


def read_objects(owner: Mapping[str, Any], name: str, place: str) -> list[dict[str, Any]]:
    """A field with a list of objects. Raises: ProtocolError: it is not there, or is something else."""
    value: Any = owner.get(name)
    try:
        return _OBJECTS.validate_python(value)
    except ValidationError:
        raise ProtocolError(f"expected a list of objects as {place}, got {one_line(repr(value), 80)}") from None


def read_text(owner: Mapping[str, Any], name: str, place: str) -> str:
    """A field with a text. Raises: ProtocolError: it is not there, or is something else."""
    value: Any = owner.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"expected a text as {place}.{name}, got {one_line(repr(value), 80)}")
    return value


def refuse_role(role: str, place: str) -> ProtocolError:
    """The error of a message that gives instructions to the model."""
    return ProtocolError(
        f"expected messages of the user and the assistant, got a {role} message as {place}: a browser must not give "
        "instructions to the model. Set instructions= on the server, or pass allow_system=True"
    )


def file_part(media_type: str, url: str, filename: str | None, place: str) -> dict[str, Any]:
    """The content part of a file with a `data:` or `http(s):` address.

    Raises: ProtocolError: it has another address, or the API takes no such files.
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in ("data", "http", "https"):
        raise ProtocolError(f"expected a data, http or https URL as {place}, got {one_line(url, 80)}")
    kind = media_type.partition("/")[0]
    if kind == "image":
        return {"type": "input_image", "detail": "auto", "image_url": url}
    if kind in ("audio", "video"):
        raise ProtocolError(
            f"expected an image or a document as {place}, got {media_type}: the API reads no such files"
        )
    if scheme == "data":
        return {"type": "input_file", "filename": filename or "file", "file_data": url}
    return {"type": "input_file", "file_url": url}


def content_of(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """The content of a user's message: a text if it is nothing else."""
    if all(part["type"] == "input_text" for part in parts) and len(parts) < 2:
        return parts[0]["text"] if parts else ""
    return parts
