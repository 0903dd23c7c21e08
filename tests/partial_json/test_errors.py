"""What is no JSON: said clearly, at the place, and said again to whoever goes on."""

import json
import pickle

import pytest

from rxstream.errors import SchemaError
from rxstream.partial_json._incremental import IncrementalJson

CASES = [
    # text, where it is, what is said
    ("", "$", "ends before any value (path $, character 0)"),
    ("  ", "$", "ends before any value (path $, character 2)"),
    ("[", "$", "ends inside an array"),
    ('{"a":', "a", "ends inside an object (path a, character 5)"),
    ('{"a', "$", "ends inside a member name"),
    ('{"a":{"b":["x', "a.b[0]", "ends inside a string"),
    ('["\\u12', "[0]", "ends inside a string"),
    ("[1,tru", "[1]", "ends inside true, false or null"),
    ("[1,12", "[1]", "ends inside a number"),
    ("[1 2]", "$", "'2' where a comma or ] was expected (path $, character 3)"),
    ('{"a":1 "b"', "$", "'\"' where a comma or } was expected"),
    ('{"a" 1', "a", "'1' where a colon was expected"),
    ("[1,]", "[1]", "']' where a value was expected"),
    ('{"a":1,}', "$", "'}' where a member name in quotes was expected"),
    ("{a", "$", "'a' where a member name in quotes or } was expected"),
    ("[}", "[0]", "'}' where a value or ] was expected"),
    ("]", "$", "']' where a value was expected"),
    ("[NaN]", "[0]", "'N' where a value or ] was expected"),
    ("[1,Infinity]", "[1]", "'I' where a value was expected"),
    ("[-Infinity]", "[0]", "- is no number"),
    ("[01]", "[0]", "01 is no number"),
    ("1.e5 ", "$", "1.e5 is no number"),
    ("[nul ]", "[0]", "' ' where true, false or null was expected (path [0], character 4)"),
    ("\ufeff[]", "$", "'\\ufeff' where a value was expected"),
    ('["a\nb"]', "[0]", "a control character, '\\n', stands unescaped in a string (path [0], character 3)"),
    ('{"a\tb":1}', "$", "a control character, '\\t'"),
    ('{"a":"\\x41"}', "a", "no such escape: \\x (path a, character 6)"),
    ('{"a":"\\u12g4"}', "a", "no such escape: \\u12g (path a"),
    ("[1] x", "$", "'x' where nothing more was expected (path $, character 4)"),
    ("12 13", "$", "'1' where nothing more was expected"),
    ('{"my key":{"b":[0,{"c":x', '["my key"].b[1].c', "'x' where a value was expected"),
    ("[" * 1001, "[0]" * 1000, "nested deeper than 1000"),
    ("[" + "9" * 5000 + "]", "[0]", "an integer of 5000 digits, more than Python converts"),
]


@pytest.mark.parametrize(("text", "path", "message"), CASES, ids=[case[0][:16] for case in CASES])
def test_the_error_says_what_and_where(text: str, path: str, message: str) -> None:
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
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.path, again.text) == (str(caught.value), "$", '{"a":1,,2')


def test_without_kept_text_the_error_has_none() -> None:
    with pytest.raises(SchemaError) as caught:
        IncrementalJson(keep_text=False).feed("x")
    assert caught.value.text == ""


def test_what_was_right_before_the_error_remains() -> None:
    document = IncrementalJson()
    with pytest.raises(SchemaError):
        document.feed('{"a":[1,"text\x00')
    assert document.value == {"a": [1, "text"]}
    assert document.finished == [(("a", 0), 1)]
    assert document.open_path == ("a", 1)


def test_the_same_error_comes_again() -> None:
    document = IncrementalJson()
    with pytest.raises(SchemaError) as first:
        document.feed("[,")
    with pytest.raises(SchemaError) as second:
        document.feed("1]")
    with pytest.raises(SchemaError) as third:
        document.close()
    assert first.value is second.value is third.value


def test_a_string_that_goes_on_after_an_error_is_not_read() -> None:
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


def test_a_number_that_was_cut_is_not_finished() -> None:
    document = IncrementalJson()
    document.feed('{"price":12')
    with pytest.raises(SchemaError, match="inside a number"):
        document.close()
    assert document.finished == []


def test_a_valid_document_is_none_of_these() -> None:
    for text in ("0", "-0", "[]", "{}", '""', "[0,1e5]", "true", '"\x7f"', '" "'):
        document = IncrementalJson()
        document.feed(text)
        assert document.close() == json.loads(text)
