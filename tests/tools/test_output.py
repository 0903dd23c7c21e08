"""What a tool returns, as the API takes it; checked with the types of the official client."""

from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from openai.types.responses.response_input_param import FunctionCallOutput
from pydantic import BaseModel, Field, TypeAdapter

from rxstream.tools import File, Image, call_output

PNG = b"\x89PNG\r\n\x1a\n rest"


class Weather(BaseModel):
    celsius: float
    of: str = Field("Paris", serialization_alias="city")


@dataclass
class Point:
    x: int


def output(result: Any) -> Any:
    item = call_output("call_1", result)
    TypeAdapter(FunctionCallOutput).validate_python(item)
    assert item["type"] == "function_call_output"
    assert item["call_id"] == "call_1"
    return item["output"]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (Decimal("1.5"), '"1.5"'),
        (float("nan"), "null"),
        ({"a": [1, "ü"]}, '{"a":[1,"ü"]}'),
        (["a", "b"], '["a","b"]'),
        ([], "[]"),
        (Weather(celsius=21), '{"celsius":21.0,"city":"Paris"}'),
        ([Weather(celsius=21)], '[{"celsius":21.0,"city":"Paris"}]'),
        (Point(1), '{"x":1}'),
        (datetime.date(2020, 1, 2), '"2020-01-02"'),
        ({"type": "other"}, '{"type":"other"}'),
    ],
)
def test_texts_and_json(result: Any, text: str) -> None:
    assert output(result) == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("caf\udce9.txt", "caf\ufffd.txt"),
        (["caf\udce9.txt", "é"], '["caf\ufffd.txt","é"]'),
        ({"a": "\ud83d\ude00"}, '{"a":"😀"}'),
        (["\udce9", Image(url="u")], "\ufffd"),
    ],
)
def test_a_text_that_utf8_cannot_hold(result: Any, text: str) -> None:
    """Python writes file names that are not UTF-8 so."""
    output = call_output("c", result)["output"]
    assert (output if isinstance(output, str) else output[0]["text"]) == text


def test_images() -> None:
    data = base64.b64encode(PNG).decode()
    assert output(Image(PNG)) == [{"type": "input_image", "image_url": f"data:image/png;base64,{data}"}]
    (part,) = output(Image(url="https://example.com/a.png", detail="high"))
    assert part == {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"}
    assert output(Image(file_id="file_1")) == [{"type": "input_image", "file_id": "file_1"}]
    starts = {"jpeg": b"\xff\xd8\xff\xe0", "gif": b"GIF89a", "webp": b"RIFF....WEBPVP8 "}
    for kind, start in starts.items():
        assert output(Image(start))[0]["image_url"].startswith(f"data:image/{kind};base64,")
    assert output(Image(b"?", media_type="image/x"))[0]["image_url"] == "data:image/x;base64,Pw=="


def test_files() -> None:
    (part,) = output(File(b"%PDF", filename="a.pdf"))
    assert part == {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}
    assert output(File(b"?", filename="a.unknown"))[0]["file_data"].startswith("data:application/octet-stream;base64,")
    assert output(File(url="https://example.com/a")) == [{"type": "input_file", "file_url": "https://example.com/a"}]
    assert output(File(file_id="file_1")) == [{"type": "input_file", "file_id": "file_1"}]


def test_several_parts_in_order() -> None:
    raw = {"type": "input_text", "text": "raw", "prompt_cache_breakpoint": {"mode": "explicit"}}
    parts = output(["Look:", Image(PNG), raw, {"a": 1}])
    assert [part["type"] for part in parts] == ["input_text", "input_image", "input_text", "input_text"]
    assert parts[0]["text"] == "Look:"
    assert parts[2] == raw
    assert json.loads(parts[3]["text"]) == {"a": 1}
    assert output(raw) == [raw]


def test_what_is_no_result() -> None:
    for result, message in [
        (b"bytes", "got bytes: use tools.Image or tools.File"),
        (object(), "expected what JSON can hold as the result of a tool, got object"),
        ([Image(PNG), [Image(PNG)]], "a list inside the list"),
    ]:
        with pytest.raises(TypeError, match=message):
            call_output("call_1", result)


def test_an_image_or_a_file_that_cannot_be_sent() -> None:
    for make in [
        lambda: Image(),
        lambda: Image(PNG, url="https://example.com"),
        lambda: Image(b"unknown"),
        lambda: File(),
        lambda: File(b"data"),
        lambda: File(url="u", file_id="f"),
    ]:
        with pytest.raises(ValueError, match="expected"):
            make()
