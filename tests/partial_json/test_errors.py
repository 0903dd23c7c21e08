"""Invalid JSON: the error names the problem and the place, and is raised again by later calls."""

import json
import pickle

import pytest

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson

CASES = [
    # text, path, message
    ("", "$", "ends before any value (path $, character 0)"),
    ("  ", "$", "ends before any value (path $, character 2)"),
    ("[", "$", "ends inside an array"),
    ('{"a":', "a", "ends inside an object (path a, character 5)"),
    ('{"a', "$", "ends inside a member name"),
    ('{"a":{"b":["x', "a.b[0]", "ends inside a string"),
    ('["\\u12', "[0]", "ends inside a string"),
    ("[1,tru", "[1]", "ends inside true, false or null"),
    ("[1,12", "[1]", "ends inside a number"),
    ("[1 2]", "$", "expected a comma or ], got '2' (path $, character 3)"),
    ('{"a":1 "b"', "$", "expected a comma or }, got '\"'"),
    ('{"a" 1', "a", "expected a colon, got '1'"),
    ("[1,]", "[1]", "expected a value, got ']'"),
    ('{"a":1,}', "$", "expected a member name in quotes, got '}'"),
    ("{a", "$", "expected a member name in quotes or }, got 'a'"),
    ("[}", "[0]", "expected a value or ], got '}'"),
    ("]", "$", "expected a value, got ']'"),
    ("[NaN]", "[0]", "expected a value or ], got 'N'"),
    ("[1,Infinity]", "[1]", "expected a value, got 'I'"),
    ("[-Infinity]", "[0]", "- is not a number"),
    ("[01]", "[0]", "01 is not a number"),
    ("1.e5 ", "$", "1.e5 is not a number"),
    ("[nul ]", "[0]", "expected true, false or null, got ' ' (path [0], character 4)"),
    ("\ufeff[]", "$", "expected a value, got '\\ufeff'"),
    ('["a\nb"]', "[0]", "control character '\\n' without an escape in a string (path [0], character 3)"),
    ('{"a\tb":1}', "$", "control character '\\t'"),
    ('{"a":"\\x41"}', "a", "unknown escape \\x (path a, character 6)"),
    ('{"a":"\\u12g4"}', "a", "unknown escape \\u12g (path a"),
    ("[1] x", "$", "expected the end of the text, got 'x' (path $, character 4)"),
    ("12 13", "$", "expected the end of the text, got '1'"),
    ('{"my key":{"b":[0,{"c":x', '["my key"].b[1].c', "expected a value, got 'x'"),
    ("[" * 1001, "[0]" * 1000, "nested deeper than 1000"),
    ("[" + "9" * 5000 + "]", "[0]", "expected an integer that Python can convert, got 5000 digits"),
]


@pytest.mark.parametrize(("text", "path", "message"), CASES, ids=[case[0][:16] for case in CASES])
def test_the_error_names_the_problem_and_the_place(text: str, path: str, message: str) -> None:
    for pieces in ([text], list(text)):
        document = IncrementalJson()
        with pytest.raises(SchemaError, match=r"^not JSON: ") as caught:
            for piece in pieces:
                document.feed(piece)
            document.close()
        assert caught.value.path == path
        assert message in str(caught.value)
        assert text.startswith(caught.value.text)


def test_the_error_has_the_text_so_far_and_no_more() -> None:
    document = IncrementalJson()
    document.feed('{"a":')
    with pytest.raises(SchemaError) as caught:
        document.feed("1,,2")
    assert caught.value.text == '{"a":1,,2'
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.path, copy.text) == (str(caught.value), "$", '{"a":1,,2')


def test_without_keep_text_the_error_has_no_text() -> None:
    with pytest.raises(SchemaError) as caught:
        IncrementalJson(keep_text=False).feed("x")
    assert caught.value.text == ""


def test_the_value_before_the_error_remains() -> None:
    document = IncrementalJson()
    with pytest.raises(SchemaError):
        document.feed('{"a":[1,"text\x00')
    assert document.value == {"a": [1, "text"]}
    assert document.finished == [(("a", 0), 1)]
    assert document.open_path == ("a", 1)


def test_later_calls_raise_the_same_error() -> None:
    document = IncrementalJson()
    with pytest.raises(SchemaError) as first:
        document.feed("[,")
    with pytest.raises(SchemaError) as second:
        document.feed("1]")
    with pytest.raises(SchemaError) as third:
        document.close()
    assert first.value is second.value is third.value


def test_text_after_an_error_is_not_read() -> None:
    document = IncrementalJson()
    with pytest.raises(SchemaError):
        document.feed('["a\x00')
    with pytest.raises(SchemaError):
        document.feed("plain")
    assert document.value == ["a"]


def test_a_whole_document_closes_twice_and_takes_no_more() -> None:
    document = IncrementalJson()
    document.feed("[1]")
    assert document.close() is document.close()
    with pytest.raises(ValueError, match="after close"):
        document.feed(" ")


def test_a_number_without_its_end_is_not_finished() -> None:
    document = IncrementalJson()
    document.feed('{"price":12')
    with pytest.raises(SchemaError, match="inside a number"):
        document.close()
    assert document.finished == []


def test_a_valid_document_raises_no_error() -> None:
    for text in ("0", "-0", "[]", "{}", '""', "[0,1e5]", "true", '"\x7f"', '" "'):
        document = IncrementalJson()
        document.feed(text)
        assert document.close() == json.loads(text)
