"""The values that a pattern selects, each as soon as it is whole."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.errors import SchemaError
from rxstream.partial_json._elements import JsonItem, JsonItems
from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, PathPattern
from tests.partial_json.test_values import documents, splits
from tests.thinned import tries


def items_of(pattern: str, pieces: Any, **options: Any) -> list[JsonItem]:
    items = JsonItems(pattern, **options)
    return [item for piece in pieces for item in items.feed(piece)] + items.finish()


ORDER = '{"id":7,"items":[{"n":"a","tags":["x","y"]},{"n":"b","tags":[]}, 3],"more":{"a":[{"c":1},{"d":2},{"c":[4]}]}}'


@pytest.mark.parametrize(
    ("pattern", "items"),
    [
        (
            "items[*]",
            [(("items", 0), {"n": "a", "tags": ["x", "y"]}), (("items", 1), {"n": "b", "tags": []}), (("items", 2), 3)],
        ),
        ("items[1]", [(("items", 1), {"n": "b", "tags": []})]),
        ("$.items[*].tags[*]", [(("items", 0, "tags", 0), "x"), (("items", 0, "tags", 1), "y")]),
        ("more.a[*].c", [(("more", "a", 0, "c"), 1), (("more", "a", 2, "c"), [4])]),
        ("id", [(("id",), 7)]),
        ("more.*", [(("more", "a"), [{"c": 1}, {"d": 2}, {"c": [4]}])]),
        ("$", [((), json.loads(ORDER))]),
        ("nothing[*]", []),
        ("[*]", [(("id",), 7), (("items",), json.loads(ORDER)["items"]), (("more",), json.loads(ORDER)["more"])]),
    ],
)
def test_the_values_that_a_pattern_selects(pattern: str, items: list[tuple[JsonPath, Any]]) -> None:
    for pieces in (ORDER, [ORDER], [ORDER[at : at + 7] for at in range(0, len(ORDER), 7)]):
        assert items_of(pattern, pieces) == items


def test_each_is_returned_as_soon_as_it_is_whole() -> None:
    items = JsonItems("items[*]")
    assert items.feed('{"items":[{"a":1') == []
    assert items.feed("}") == [(("items", 0), {"a": 1})]
    assert items.feed(",12") == []  # may not be the whole number
    assert items.feed(",") == [(("items", 1), 12)]
    assert items.feed('"x","y"') == [(("items", 2), "x"), (("items", 3), "y")]
    assert items.feed("]}") == []
    assert items.finish() == []


def test_a_single_number_is_returned_at_the_end() -> None:
    items = JsonItems("$")
    assert items.feed("12") == []
    assert items.finish() == [((), 12)]


@settings(max_examples=tries(50, 150), deadline=None)
@given(st.data())
def test_any_document_any_split_any_pattern(data: st.DataObject) -> None:
    text = data.draw(documents())
    pattern = data.draw(st.sampled_from(["$", "[*]", "[*][*]", "[0]", "[*][1]", "[*].*[*]"]))
    expected: list[tuple[JsonPath, Any]] = []

    def walk(value: Any, path: JsonPath) -> None:
        for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, dict | list):
                walk(inner, (*path, part))
            if PathPattern(pattern).matches((*path, part)):
                expected.append(((*path, part), inner))

    whole = json.loads(text)
    walk([whole], ("root",))
    expected.clear()
    if isinstance(whole, dict | list):
        walk(whole, ())
    if pattern == "$":
        expected.append(((), whole))
    assert repr([tuple(item) for item in items_of(pattern, data.draw(splits(text)))]) == repr(expected)


def size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(size, value.values()))
    return 1 + sum(map(size, value)) if isinstance(value, list) else 1


@pytest.mark.parametrize("pattern", ["items[*]", "items[*].tags[*]", "elsewhere[*]", "items[7].tags"])
def test_the_memory_is_that_of_the_open_values(pattern: str) -> None:
    items = JsonItems(pattern)
    text = json.dumps({"head": list(range(1000)), "items": [{"n": n, "tags": ["a", "b", n]} for n in range(1000)]})
    largest = 0
    for at in range(0, len(text), 5):
        items.feed(text[at : at + 5])
        largest = max(largest, size(items.value))
    assert largest < 15
    items.finish()


def test_values_before_the_error_are_returned_first() -> None:
    for pieces in (["[1,2,x", "3"], list("[1,2,x3"), ["[1,2,", "x3"]):
        items = JsonItems("[*]")
        before: list[Any] = []
        with pytest.raises(SchemaError, match="'x'"):
            for piece in pieces:
                before += items.feed(piece)
            items.finish()
        assert before == [((0,), 1), ((1,), 2)]


def test_an_error_without_a_value_before_it_is_raised_at_once() -> None:
    items = JsonItems("[*]")
    with pytest.raises(SchemaError):
        items.feed("[x")
    with pytest.raises(SchemaError):
        items.finish()


def test_a_list_without_its_end_is_an_error() -> None:
    items = JsonItems("items[*]")
    assert len(items.feed('{"items":[1,2,3')) == 2
    with pytest.raises(SchemaError, match="ends inside a number") as caught:
        items.finish()
    assert caught.value.path == "items[2]"


def test_text_behind_the_document_only_with_allow_trailing() -> None:
    assert items_of("[*]", ["[1] thanks"], document=IncrementalJson(allow_trailing=True)) == [((0,), 1)]
    items = JsonItems("[*]")
    assert items.feed("[1] thanks") == [((0,), 1)]
    with pytest.raises(SchemaError, match="the end of the text"):
        items.finish()


def test_a_wrong_pattern_raises_before_the_first_feed() -> None:
    with pytest.raises(ValueError, match="expected a path pattern"):
        JsonItems("items[")
