"""The result of a tool, as the API takes it: a text, or a list of texts, images and files."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

OutputPart: TypeAlias = dict[str, Any]

_PARTS = ("input_text", "input_image", "input_file")
_SIGNATURES = {b"\x89PNG\r\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the result of a tool, or as one of a list. Exactly one of `data`, `url` and `file_id`.

    Raises: ValueError: none or several of them, or `data` of an unknown type without `media_type`.
    """

    data: bytes | None = None
    media_type: str | None = None
    """Of `data`, such as "image/png"; PNG, JPEG, GIF and WebP are recognized."""
    url: str | None = None
    file_id: str | None = None
    """The id of a file that was uploaded to the API."""
    detail: Literal["auto", "low", "high", "original"] | None = None

    def __post_init__(self) -> None:
        _expect_one("an image", data=self.data, url=self.url, file_id=self.file_id)
        if self.data is not None and self._media_type() is None:
            raise ValueError("expected PNG, JPEG, GIF or WebP as the data of an image, got others: say media_type=")

    def part(self) -> OutputPart:
        """The content part of the API."""
        url = self.url
        if self.data is not None:
            url = _data_url(self.data, self._media_type() or "")
        return _sent(type="input_image", image_url=url, file_id=self.file_id, detail=self.detail)

    def _media_type(self) -> str | None:
        if self.media_type is not None:
            return self.media_type
        data = self.data or b""
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return "image/webp"
        return next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)


@dataclass(frozen=True, slots=True)
class File:
    """A file as the result of a tool, or as one of a list. Exactly one of `data`, `url` and `file_id`.

    Raises: ValueError: none or several of them, or `data` without a `filename`.
    """

    data: bytes | None = None
    filename: str | None = None
    """Needed with `data`; its ending says the type."""
    url: str | None = None
    file_id: str | None = None
    """The id of a file that was uploaded to the API."""

    def __post_init__(self) -> None:
        _expect_one("a file", data=self.data, url=self.url, file_id=self.file_id)
        if self.data is not None and not self.filename:
            raise ValueError("expected a filename with the data of a file, such as report.pdf, got none")

    def part(self) -> OutputPart:
        """The content part of the API."""
        data = None
        if self.data is not None:
            media_type, _ = mimetypes.guess_type(self.filename or "")
            data = _data_url(self.data, media_type or "application/octet-stream")
        return _sent(type="input_file", file_data=data, filename=self.filename, file_url=self.url, file_id=self.file_id)


def output_of(value: Any) -> str | list[OutputPart]:
    """The `output` of a call whose tool returned `value`.

    A `str` is the text. An `Image`, a `File`, or a part as the API has it, alone or in a list with texts, becomes
    content parts. Everything else becomes JSON: None, numbers, dicts, dataclasses, models.

    Raises: TypeError: pydantic cannot make JSON of it.
    """
    if isinstance(value, str):
        return whole_characters(value)
    if _is_part(value):
        return [_part(value)]
    values: Sequence[Any] = cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()
    if any(_is_part(each) for each in values):
        return [_part(each) for each in values]
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("expected a text or JSON as the result of a tool, got bytes: use tools.Image or tools.File")
    try:
        if isinstance(value, BaseModel):
            return value.model_dump_json(by_alias=True)
        return to_json(value, by_alias=True, inf_nan_mode="null").decode()
    except (PydanticSerializationError, ValueError) as error:
        if "surrogates" in str(error) and (text := _json_of_whole_characters(value)) is not None:
            return text
        raise TypeError(
            f"expected what JSON can hold as the result of a tool, got {type(cast('object', value)).__name__}: {error}"
        ) from error


def whole_characters(text: str) -> str:
    """The text as UTF-8 can hold it: half a surrogate pair, as of a file name that is not UTF-8, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _json_of_whole_characters(value: Any) -> str | None:
    try:
        written = json.dumps(
            to_jsonable_python(value, by_alias=True), ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
    except (PydanticSerializationError, ValueError):
        return None
    return whole_characters(written)


def call_output(call_id: str, result: Any) -> dict[str, Any]:
    """The input item that answers a function call with the result of its tool.

    Raises: TypeError: pydantic cannot make JSON of `result`.
    """
    return {"type": "function_call_output", "call_id": call_id, "output": output_of(result)}


def _is_part(value: Any) -> bool:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value).get("type") in _PARTS
    return isinstance(value, Image | File)


def _part(value: Any) -> OutputPart:
    if isinstance(value, Image | File):
        return value.part()
    if _is_part(value):
        return dict(value)
    output = output_of(value)
    if not isinstance(output, str):
        raise TypeError("expected texts, images and files in the result of a tool, got a list inside the list")
    return {"type": "input_text", "text": output}


def _data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _sent(**fields: Any) -> OutputPart:
    return {name: value for name, value in fields.items() if value is not None}


def _expect_one(what: str, **sources: Any) -> None:
    count = sum(value is not None for value in sources.values())
    if count != 1:
        raise ValueError(f"expected one of {', '.join(sources)} for {what}, got {count or 'none'} of them")
