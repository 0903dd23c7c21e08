"""What may stand around a JSON document: a code fence, the same document again, and text where that is allowed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.errors import SchemaError
from rxstream.partial_json._enclosed import EnclosedJson, text_before_json
from rxstream.partial_json._incremental import IncrementalJson
from tests.partial_json.test_values import documents, splits

DOCUMENT = '{"a": [1, "}\\ud83d\\ude00"], "b": "`` {"}'


def read(text: str, size: int = 1000, **options: bool) -> tuple[Any, str]:
    document = EnclosedJson(**options)
    for start in range(0, len(text), size):
        document.feed(text[start : start + size])
    return document.close(), document.document.strip()


AROUND = [
    ("```json\n", "\n```"),
    ("\n ```\n", "\n```\n\n"),
    ("```JSON5 ", "```"),
    ("````json\r\n", "\r\n````"),
    ("`", "`"),
    ("```json\n", ""),
    ("", DOCUMENT),
    ("", f"\n\n{DOCUMENT} {DOCUMENT}\n"),
    ("```json\n", f"{DOCUMENT}\n```"),
]


@pytest.mark.parametrize(("before", "after"), AROUND)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_fence_and_copies_are_read_over(before: str, after: str, size: int) -> None:
    assert read(before + DOCUMENT + after, size) == (json.loads(DOCUMENT), DOCUMENT)


@given(st.data(), documents(), st.sampled_from(["```json\n", "", " \n"]))
def test_the_document_does_not_depend_on_the_split(data: st.DataObject, element: str, before: str) -> None:
    text = f"[{element}]"
    document, plain = EnclosedJson(), IncrementalJson()
    for piece in data.draw(splits(f"{before}{text}\n{text}" + ("\n```" if "`" in before else ""))):
        document.feed(piece)
    plain.feed(text)
    assert repr(document.close()) == repr(plain.close())
    assert document.document == text


WRONG = [
    ('{"a": 1}{"a": 2}', "expected the same document again, or the end of the text (allow_trailing=True", 14),
    ('{"a": 1}{"b": 1}', "expected the same document again", 10),
    ('{"a": 1} {"a":1', "expected the same document again", 14),
    ('{"a": 1}{"a"', "the text ends inside a copy of the document", 12),
    ('{"a": 1} Done.', "expected the end of the text (allow_trailing=True passes over other text), got 'D'", 9),
    ('{"a": 1}\n```', "expected the end of the text", 9),
    ('```json\n{"a": 1}\n``` x', "expected the end of the text", 21),
    ('```json\n{"a": 1}\n``` ```', "expected the end of the text", 21),
    ('```json\n{"a": 1', "the text ends inside a number", 15),
    ("```json\n", "the text ends before any value", None),
    ("1 1", "expected the end of the text", 2),
    ("[1]x[1]", "expected the end of the text", 3),
]


@pytest.mark.parametrize(("text", "message", "at"), WRONG)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_other_text_is_an_error_with_its_place(text: str, message: str, at: int | None, size: int) -> None:
    with pytest.raises(SchemaError) as caught:
        read(text, size)
    assert message in str(caught.value)
    assert at is None or f"character {at})" in str(caught.value)


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize("before", ["Here is the JSON: ", "Sure!\n\n```json\n", ""])
@pytest.mark.parametrize("after", ["", "\n```\nI hope this helps. {", " Done", DOCUMENT])
def test_text_around_the_document_where_it_is_allowed(before: str, after: str, size: int) -> None:
    assert read(before + DOCUMENT + after, size, allow_leading=True, allow_trailing=True) == (
        json.loads(DOCUMENT),
        DOCUMENT,
    )


def test_text_before_the_document_alone() -> None:
    assert read("See: " + DOCUMENT, allow_leading=True)[0] == json.loads(DOCUMENT)
    assert read("See:\n```\n" + DOCUMENT + "\n```", allow_leading=True)[0] == json.loads(DOCUMENT)
    with pytest.raises(SchemaError, match=r"got 'D' \(path \$, character 12\)"):
        read("See: [1, 2] Done", allow_leading=True)
    with pytest.raises(SchemaError, match="the text ends before any value"):
        read("No.", allow_leading=True)


def test_a_number_and_text_after_it() -> None:
    for size in (1, 2, 3, 1000):
        assert read("12 apples", size, allow_trailing=True) == (12, "12")


def test_what_is_wrong_with_text_before_the_document() -> None:
    assert text_before_json("  [1] x") is None
    assert text_before_json("Sorry.") == "not JSON: expected JSON, got 'Sorry.'"
    assert text_before_json("Sorry {no}.") == "not JSON: expected JSON, got 'Sorry {no}.'"
    assert "JSON begins at character 6: allow_leading=True" in str(text_before_json('See: \n{"a": 1} Done.'))
    assert "got '" + "x" * 60 + "…'" in str(text_before_json("x" * 1000))
