"""The paths that a feed changed and finished; snapshots; dropping finished values."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.partial_json._incremental import IncrementalJson
from rxstream.partial_json._paths import JsonPath, finished_paths
from tests.partial_json.test_values import HARD_DOCUMENT, documents, splits
from tests.thinned import tries


def places(value: Any, path: JsonPath = ()) -> dict[JsonPath, str]:
    """Each path of a value -> the leaf, or the kind of container, as text."""
    if isinstance(value, dict):
        inner = [place for name, item in value.items() for place in places(item, (*path, name)).items()]
        return {path: "{}", **dict(inner)}
    if isinstance(value, list):
        inner = [place for index, item in enumerate(value) for place in places(item, (*path, index)).items()]
        return {path: "[]", **dict(inner)}
    return {path: repr(value)}


def places_so_far(document: IncrementalJson) -> dict[JsonPath, str]:
    """The places in the tree; none before the first value."""
    started = document.value is not None or document.complete
    return places(document.value) if started else {}


@settings(max_examples=tries(70, 200), deadline=None)
@given(st.data())
def test_changed_and_finished_are_the_differences(data: st.DataObject) -> None:
    text = data.draw(documents())
    document = IncrementalJson()
    before: dict[JsonPath, str] = {}
    finished: dict[JsonPath, str] = {}
    for piece in [*data.draw(splits(text)), None]:
        if piece is None:
            document.close()
        else:
            document.feed(piece)
        now = places_so_far(document)
        differs = {path for path, what in now.items() if before.get(path) != what}
        assert set(document.changed) == differs
        assert len(document.changed) == len(differs)
        assert not differs & set(finished), "a finished path never changes again"
        for path, value in document.finished:
            assert path not in finished, "finished once"
            finished[path] = json.dumps(value)
        assert before.keys() <= now.keys(), "nothing disappears"
        if now and not (document.open_path is None and not document.complete):
            assert set(finished) == set(finished_paths(document.value, document.open_path))
        before = now
    assert set(finished) == set(before), "every path is finished at the end"
    for path, value in finished.items():
        inner = document.value
        for part in path:
            inner = inner[part]  # type: ignore[index, call-overload]
        assert json.dumps(inner) == value, "as it was when it was finished"


def test_changed_and_finished_come_in_order() -> None:
    document = IncrementalJson()
    document.feed('{"a":[1,{"b":"x"}],"c":"y')
    assert document.changed == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("c",)]
    assert document.finished == [
        (("a", 0), 1),
        (("a", 1, "b"), "x"),
        (("a", 1), {"b": "x"}),
        (("a",), [1, {"b": "x"}]),
    ]
    assert document.open_path == ("c",)
    document.feed('"}')
    assert (document.changed, document.open_path) == ([], None)
    assert document.finished == [(("c",), "y"), ((), document.value)]


def test_the_next_feed_does_not_change_the_lists_of_the_last() -> None:
    document = IncrementalJson()
    document.feed("[1,")
    changed, finished = document.changed, document.finished
    document.feed("2,")
    assert (changed, finished) == ([(), (0,)], [((0,), 1)])


def test_a_repeated_name_is_changed_and_finished_again() -> None:
    document = IncrementalJson()
    document.feed('{"a":1,"a":"x"}')
    assert document.changed == [(), ("a",), ("a",)]
    assert document.finished == [(("a",), 1), (("a",), "x"), ((), {"a": "x"})]


def test_a_snapshot_does_not_change() -> None:
    for step in (1, 2, 5):
        document = IncrementalJson()
        snapshots: list[tuple[Any, str]] = []
        for at in range(0, len(HARD_DOCUMENT), step):
            document.feed(HARD_DOCUMENT[at : at + step])
            snapshot = document.snapshot()
            assert snapshot == document.value
            snapshots.append((snapshot, repr(snapshot)))
        assert document.complete
        assert [repr(snapshot) for snapshot, _ in snapshots] == [text for _, text in snapshots]


def test_a_snapshot_shares_finished_values_and_copies_open_ones() -> None:
    document = IncrementalJson()
    document.feed('{"done":[1,2],"open":[{"a":1},{"b":[')
    snapshot: Any = document.snapshot()
    live: Any = document.value
    assert snapshot["done"] is live["done"]
    assert snapshot["open"][0] is live["open"][0]
    for ours, theirs in ((snapshot, live), (snapshot["open"], live["open"]), (snapshot["open"][1], live["open"][1])):
        assert ours == theirs
        assert ours is not theirs
    document.feed("]}]}")
    assert document.snapshot() is document.value


def test_the_value_is_one_tree_that_grows() -> None:
    document = IncrementalJson()
    document.feed('{"a":[')
    first: Any = document.value
    inner = first["a"]
    document.feed('"x"],"b":1}')
    assert document.value is first
    assert first == {"a": ["x"], "b": 1}
    assert inner == ["x"]


class TestDropFinished:
    def test_finished_values_are_dropped_and_indices_count_on(self) -> None:
        document = IncrementalJson()
        document.feed('{"a":1,"b":[{"x":1},{"y":2},"op')
        document.drop_finished(2)
        assert document.value == {"b": ["op"]}
        document.feed('en",3')
        document.drop_finished(1)
        assert document.value == {"b": ["open", 3]}
        assert document.finished == [(("b", 2), "open")]
        document.feed('4],"c":true')
        assert document.finished == [(("b", 3), 34), (("b",), ["open", 34]), (("c",), True)]
        document.drop_finished(1)
        document.feed("}")
        assert document.close() == {}

    def test_an_open_value_is_not_dropped(self) -> None:
        for text in ('{"a":[1,{"b":"', '{"a":[1,{"b":2', '{"a":[1,{"b":tr', '{"a":[1,{"b":', '{"a":[1,{'):
            dropping, plain = IncrementalJson(), IncrementalJson()
            for document in (dropping, plain):
                document.feed(text)
            dropping.drop_finished(10)
            rest = {'"': 'x"', "2": "2", "r": "ue", ":": "null", "{": '"b":0'}[text[-1]] + "}]}"
            for document in (dropping, plain):
                document.feed(rest)
                document.close()
            assert dropping.value == {"a": [copy.deepcopy(plain.value)["a"][1]]}  # type: ignore[index, call-overload]

    def test_a_whole_document_is_not_dropped(self) -> None:
        document = IncrementalJson()
        document.drop_finished(3)
        document.feed("[1]")
        document.drop_finished(3)
        assert document.value == [1]
