"""Paths as text, and the paths that a pattern selects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.partial_json._paths import JsonPath, PathPattern, finished_paths, format_path

paths = st.lists(st.text(max_size=6) | st.integers(0, 10**6)).map(tuple)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), "$"),
        (("items", 2, "price"), "items[2].price"),
        ((0, 1), "[0][1]"),
        (("a b", "c"), '["a b"].c'),
        (("a", "b-c", "d.e", ""), 'a["b-c"]["d.e"][""]'),
        (("größe", "名"), "größe.名"),
        (("1", 1), '["1"][1]'),
        (("$", "*"), '["$"]["*"]'),
        (('"',), '["\\""]'),
    ],
)
def test_format_path(path: JsonPath, text: str) -> None:
    assert format_path(path) == text
    assert PathPattern(text).steps == path


@given(paths, paths)
def test_a_path_as_text_is_a_pattern_of_that_path_only(path: JsonPath, other: JsonPath) -> None:
    pattern = PathPattern(format_path(path))
    assert pattern.matches(path)
    assert pattern.matches(other) == (path == other)


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("$", ()),
        ("items[*]", ("items", None)),
        ("$.items[*]", ("items", None)),
        ("$[*]", (None,)),
        ("[*]", (None,)),
        ("a.b[*].c", ("a", "b", None, "c")),
        ("a.*.c", ("a", None, "c")),
        ("*", (None,)),
        ("a['x y'][0]", ("a", "x y", 0)),
        ("unit-price", ("unit-price",)),
        ("$['$']", ("$",)),
    ],
)
def test_patterns(pattern: str, steps: tuple[str | int | None, ...]) -> None:
    assert PathPattern(pattern).steps == steps


@pytest.mark.parametrize(
    "pattern",
    ["", "a..b", "..a", "a[", "a[]", "a[-1]", "a[1:2]", "a[?x]", "a.", ".a", "a b", "a[*]b", "$a", '["\\x"]', "a[01]"],
)
def test_text_that_is_not_a_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="path pattern"):
        PathPattern(pattern)


def test_a_pattern_selects_no_values_around_or_inside() -> None:
    pattern = PathPattern("items[*].tags")
    assert pattern.matches(("items", 3, "tags"))
    assert not pattern.matches(("items", 3))
    assert not pattern.matches(("items", 3, "tags", 0))
    assert not pattern.matches(("items", 3, "name"))
    assert repr(pattern) == "PathPattern('items[*].tags')"


def test_finished_paths_are_all_but_those_around_the_open_one() -> None:
    value = {"a": [1, {"b": "x", "c": "y"}], "d": 1}
    assert list(finished_paths(value, None)) == [
        *[(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("a", 1, "c"), ("d",)]
    ]
    assert list(finished_paths({"a": [1, {"b": "x", "c": "y"}]}, ("a", 1, "c"))) == [("a", 0), ("a", 1, "b")]
    assert list(finished_paths({}, ())) == []
