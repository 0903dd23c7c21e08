"""In any split, the value is that of `json.loads`, and before the end that of pydantic's partial mode."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from rxstream.errors import SchemaError
from rxstream.partial_json import _parser
from rxstream.partial_json._incremental import IncrementalJson
from tests.thinned import tries

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["", '"', "\\", "\\u00e9", "\n\t\r\b\f/", "😀", "\x7f\u2028"])
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    style = draw(st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}]))
    return json.dumps(draw(values), ensure_ascii=draw(st.booleans()), **style)


@st.composite
def splits(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def read(pieces: Iterator[str] | list[str]) -> Any:
    document = IncrementalJson()
    for piece in pieces:
        document.feed(piece)
        document.value
    return document.close()


def no_constant(name: str) -> None:
    raise ValueError(name)


def loads(text: str) -> Any:
    return json.loads(text, parse_constant=no_constant)


def without_surrogates(value: Any) -> Any:
    """The value with U+FFFD for lone surrogates, which `json.loads` lets through."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(item) for name, item in value.items()}
    return value


HARD_DOCUMENT = (
    ' {"\\u00e9\\"k\\\\":[ -0.50e+1 ,0,12, -7,[],{},[[]],{"":{"a":null}} ],'
    '\n"s\\ud83d\\ude00":"\\ud83d\\ude00 \\\\ud83d \\" \\/\\b\\f\\n\\r\\t😀\\u0000é'
    '\\ud83dx\\ude00\\ud83d\\ud83d\\ude00\\ud83d",'
    '\t"dup":1,"dup":{"t":true,"f":false},"n" : null,"":"" } \r\n'
)


def test_a_hard_document_at_every_split_into_three() -> None:
    whole = without_surrogates(loads(HARD_DOCUMENT))
    for a in range(len(HARD_DOCUMENT)):
        for b in range(a, len(HARD_DOCUMENT), 7):
            assert read([HARD_DOCUMENT[:a], HARD_DOCUMENT[a:b], HARD_DOCUMENT[b:]]) == whole
    assert repr(read(list(HARD_DOCUMENT))) == repr(whole)


@settings(max_examples=tries(100, 300), deadline=None)
@given(st.data())
def test_any_document_in_any_split_is_that_of_json_loads(data: st.DataObject) -> None:
    text = data.draw(documents())
    assert repr(read(data.draw(splits(text)))) == repr(loads(text))


BROKEN_NUMBER = re.compile(r"(?<![-+.eE0-9])[-+.eE0-9]+$")
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


def remove(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value without the one at `path`; None if `path` is empty."""
    if not path:
        return None
    inner = value
    for part in path[:-1]:
        inner = inner[part]
    if isinstance(inner, list):
        del inner[path[-1] :]
    else:
        inner.pop(path[-1], None)
    return value


@settings(max_examples=tries(50, 150), deadline=None)
@given(documents())
def test_after_each_character_the_value_is_that_of_pydantic(text: str) -> None:
    """Except an unfinished number: pydantic has no value for `12.`, and we have 12."""
    document = IncrementalJson()
    for end in range(1, len(text) + 1):
        document.feed(text[end - 1])
        ours = document.value
        number = BROKEN_NUMBER.search(text[:end])
        leaf = document.open_path
        in_number = number and leaf is not None and not text[:end].endswith('"') and document._state == 8
        if in_number and number and not WHOLE_NUMBER.fullmatch(number[0]):
            ours = remove(json.loads(json.dumps(ours)), leaf or ())
        try:
            theirs = from_json(text[:end], allow_partial="trailing-strings")
        except ValueError:
            theirs = None  # no value yet
        assert repr(ours) == repr(theirs), text[:end]


ALPHABET = '[]{}:,"\\/u0d8ce123456789.-+eEtrufalsn \n\x01\ufeffé'


@settings(max_examples=tries(130, 400), deadline=None)
@given(st.data())
def test_invalid_documents_are_those_of_json_loads(data: st.DataObject) -> None:
    text = data.draw(documents())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        dropped = data.draw(st.integers(0, 2))
        text = text[:at] + data.draw(st.text(ALPHABET, max_size=3)) + text[at + dropped :]
    compare(text, data.draw(splits(text)))


@settings(max_examples=tries(130, 400), deadline=None)
@given(st.data())
def test_random_tokens(data: st.DataObject) -> None:
    text = data.draw(st.text(ALPHABET, max_size=12) | st.lists(st.sampled_from(TOKENS), max_size=8).map("".join))
    compare(text, data.draw(splits(text)))


TOKENS = ["[", "]", "{", "}", ",", ":", '"', '"a"', '"\\u', "d83d", "\\ude00", "1", "-", ".5", "e9", "tru", "e", "null"]


def compare(text: str, pieces: list[str]) -> None:
    try:
        theirs = loads(text)
    except ValueError:
        with pytest.raises(SchemaError):
            read(pieces)
    else:
        assert repr(read(pieces)) == repr(without_surrogates(theirs))


def test_the_cost_is_linear() -> None:
    """All matches of the expressions together are not longer than twice the document."""
    matched = 0

    def counting(run: Any) -> Any:
        def count(text: str, at: int) -> Any:
            nonlocal matched
            match = run(text, at)
            matched += match.end() - at
            return match

        return count

    text = json.dumps({"s": 'x\n"😀' * 3000, "n": [1.25e10] * 2000, "o": [{"k": "v"}] * 1000})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STRING_BODY", "SPACE", "NUMBER_CHARACTERS"):
            patch.setattr(_parser, name, counting(getattr(_parser, name)))
        assert read([text[at : at + 4] for at in range(0, len(text), 4)]) == json.loads(text)
    assert matched < 2 * len(text)


class TestStrings:
    def test_they_grow_as_they_arrive(self) -> None:
        document = IncrementalJson()
        values_so_far: list[Any] = []
        for piece in ['{"t":', '"', "he", "llo", '"', "}"]:
            document.feed(piece)
            values_so_far.append(dict(document.value))  # type: ignore[call-overload]
        assert values_so_far == [{}, {"t": ""}, {"t": "he"}, {"t": "hello"}, {"t": "hello"}, {"t": "hello"}]

    def test_a_string_that_a_caller_kept_does_not_change(self) -> None:
        """A string of which there is another reference is not changed in place."""
        document = IncrementalJson()
        document.feed('["')
        kept: list[str] = []
        for _ in range(500):
            document.feed("ab")
            if len(kept) % 3 != 2:
                document.value
            kept.append(document.value[0])  # type: ignore[index]
        assert kept == ["ab" * (i + 1) for i in range(500)]

    def test_read_once_at_the_end_they_are_whole(self) -> None:
        document = IncrementalJson()
        for piece in ['["', *["word "] * 30000, '"]']:
            document.feed(piece)
        assert document.close() == ["word " * 30000]

    @pytest.mark.parametrize(
        ("pieces", "value"),
        [
            (['"\\ud83d', "\\ude00", '"'], "😀"),
            (['"\\ud8', "3d\\", "ude0", '0"'], "😀"),
            (['"\ud83d', '\ude00"'], "😀"),  # cut between UTF-16 units
            (['"\ud83d', "\ude00", '"'], "😀"),
            (['"\ud83d', '"'], "\ufffd"),
            (['"\ud83d', "x", '\ude00"'], "\ufffdx\ufffd"),
            (['"\\ud83d', '"'], "\ufffd"),
            (['"\\ud83d', 'x"'], "\ufffdx"),
            (['"\\ud83d', '\\n"'], "\ufffd\n"),
            (['"\\ud83d\\ud83d', '\\ude00"'], "\ufffd😀"),
            (['"\\ude00', '\\ud83d"'], "\ufffd\ufffd"),
            (['"\\\\ud83d', '"'], "\\ud83d"),
        ],
    )
    def test_surrogates(self, pieces: list[str], value: str) -> None:
        assert read(pieces) == value

    def test_a_high_half_is_not_in_the_value(self) -> None:
        document = IncrementalJson()
        document.feed('"a\\ud83d')
        assert document.value == "a"
        document.feed("\\ude")
        assert (document.value, document.changed) == ("a", [])
        document.feed("00")
        assert (document.value, document.changed) == ("a😀", [()])

    def test_in_names_too(self) -> None:
        assert read(['{"a\\ud8', "3d\\ude", "00", '":1}']) == {"a😀": 1}


class TestNumbers:
    def test_the_value_is_the_longest_start_that_is_a_number(self) -> None:
        document = IncrementalJson()
        values_so_far: list[Any] = []
        for char in "[-12.50e2]":
            document.feed(char)
            values_so_far.append((document.value[0] if document.value else None, bool(document.changed)))  # type: ignore[index]
        assert repr(values_so_far) == repr(
            [
                (None, True),  # the list
                (None, False),
                (-1, True),
                (-12, True),
                (-12, False),
                (-12.5, True),
                (-12.5, False),
                (-12.5, False),
                (-1250.0, True),
                (-1250.0, False),
            ]
        )

    def test_a_single_number_ends_with_the_text_or_the_next_character(self) -> None:
        document = IncrementalJson()
        document.feed("12")
        assert (document.value, document.complete, document.finished) == (12, False, [])
        assert document.close() == 12
        assert (document.complete, document.finished) == (True, [((), 12)])
        document = IncrementalJson()
        document.feed("12 ")
        assert document.complete

    def test_a_very_long_one_is_read(self) -> None:
        digits = "1234" * 5000
        assert read(["[", *[digits[at : at + 4] for at in range(0, len(digits), 4)], ".5]"]) == [float(digits)]

    def test_as_large_as_json_loads_allows(self) -> None:
        assert read(["1" * 4300]) == int("1" * 4300)
        assert read(["-1e9", "99"]) == float("-inf")


def test_of_a_repeated_name_the_last_wins() -> None:
    document = IncrementalJson()
    document.feed('{"a":{"x":1},"a":')
    assert document.value == {"a": {"x": 1}}
    document.feed('2,"a":[')
    assert document.value == {"a": []}
    document.feed("]}")
    assert document.close() == {"a": []}


def test_before_the_first_value() -> None:
    document = IncrementalJson()
    assert (document.value, document.complete, document.open_path, document.changed) == (None, False, None, [])
    document.feed("")
    document.feed(" \n")
    assert (document.value, document.complete, document.text) == (None, False, " \n")


def test_the_text_is_kept_or_not() -> None:
    pieces = ["[", *["1,"] * 2000, "1]"]
    kept, not_kept = IncrementalJson(), IncrementalJson(keep_text=False)
    for piece in pieces:
        kept.feed(piece)
        not_kept.feed(piece)
    assert (kept.text, not_kept.text) == ("".join(pieces), "")


class TestTrailing:
    def test_whitespace_is_always_allowed(self) -> None:
        assert read(["[1]", " ", "\n"]) == [1]

    def test_other_text_only_with_allow_trailing(self) -> None:
        document = IncrementalJson(allow_trailing=True)
        for piece in ['{"a":1', "} and", " more }"]:
            document.feed(piece)
        assert document.close() == {"a": 1}

    def test_after_a_number_and_a_literal(self) -> None:
        for text, value in (("12abc", 12), ("truely", True), ('"a""b"', "a")):
            document = IncrementalJson(allow_trailing=True)
            for char in text:
                document.feed(char)
            assert document.close() == value


def test_deep_documents_without_recursion() -> None:
    text = "[" * 1000 + "]" * 1000
    document = IncrementalJson()
    for char in text:
        document.feed(char)
    assert document.complete
    deep = IncrementalJson(max_depth=20_000)
    deep.feed('{"a":' * 2000 + "1" + "}" * 2000)
    assert deep.complete
    assert len(deep.finished) == 2001
