"""Function calls: whole, and on the way."""

import json
import threading
from typing import Any

import pytest
from pydantic import BaseModel
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.errors import OutputError, SchemaError
from rxstream.events import (
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    StreamingEvent,
)
from rxstream.results import FunctionCall, FunctionCallProgress
from rxstream.testing import answers, assert_marbles
from tests._given import STREAMS, needs
from tests.operators._recorded import WHOLE, recorded, run
from tests.waiting import BOUND

ARGUMENTS: dict[str, Any] = {"city": "Zürich “5 °C” 😀", "days": [1, 2.5, -3], "units": {"wind": None, "rain": True}}
TWO = answers.function_calls([("look", ARGUMENTS, "call_a"), ("sum", {"n": 1}, "call_b")], split=1)


def without(events: list[StreamingEvent], *classes: type) -> list[StreamingEvent]:
    return [event for event in events if not isinstance(event, classes)]


@pytest.mark.parametrize(
    "missing",
    [
        (),
        (ResponseFunctionCallArgumentsDeltaEvent,),
        (ResponseFunctionCallArgumentsDoneEvent,),
        (ResponseOutputItemDoneEvent,),
        (ResponseOutputItemAddedEvent,),
        (ResponseOutputItemAddedEvent, ResponseFunctionCallArgumentsDoneEvent),
        (ResponseOutputItemAddedEvent, ResponseOutputItemDoneEvent, ResponseFunctionCallArgumentsDoneEvent),
    ],
)
def test_each_call_comes_once_whatever_event_is_missing(missing: tuple[type, ...]):
    calls = run(without(answers.events_of(TWO), *missing), rxs.accumulate_function_args())
    assert {(call.output_index, call.name, call.call_id, call.arguments) for call in calls} == {
        (0, "look", "call_a", json.dumps(ARGUMENTS, separators=(",", ":"))),
        (1, "sum", "call_b", '{"n":1}'),
    }
    assert len(calls) == 2


def test_a_call_that_was_cut_is_not_emitted():
    cut = [*answers.events_of(TWO)[:30], answers.events_of(answers.incomplete("x"))[-1]]
    assert [call.name for call in run(cut, rxs.accumulate_function_args())] == ["sum"]


def test_progress_says_the_arguments_so_far_and_comes_before_the_call():
    came = run(answers.events_of(TWO), rxs.accumulate_function_args(partial=True))
    for index, whole in ((0, ARGUMENTS), (1, {"n": 1})):
        mine = [one for one in came if one.output_index == index]
        *progress, call = mine
        assert isinstance(call, FunctionCall)
        assert call.parse() == whole
        said = ""
        for one in progress:
            assert isinstance(one, FunctionCallProgress)
            said += one.delta
            assert (one.arguments, one.name, one.call_id, one.item_id) == (said, call.name, call.call_id, call.item_id)
        assert said == call.arguments
        assert progress[-1].value == whole  # type: ignore[union-attr]


def test_a_value_that_is_asked_for_late_is_that_of_its_moment():
    at_once: list[str] = []

    def look(one: FunctionCall | FunctionCallProgress) -> None:
        if isinstance(one, FunctionCallProgress):
            at_once.append(json.dumps(one.value))

    run(
        answers.events_of(TWO),
        lambda source: source.pipe(rxs.accumulate_function_args(partial=True), ops.do_action(look)),
    )
    kept = [
        one
        for one in run(answers.events_of(TWO), rxs.accumulate_function_args(partial=True))
        if isinstance(one, FunctionCallProgress)
    ]
    assert [json.dumps(one.value) for one in reversed(kept)] == at_once[::-1]
    assert [json.dumps(one.value) for one in kept] == at_once  # and asked again


def test_values_may_be_asked_for_in_another_thread_while_they_go_on():
    events = answers.events_of(
        answers.function_calls([("look", {"list": list(range(300)), "text": "x" * 300})], split=1)
    )
    expected = [one.arguments for one in run(events, rxs.accumulate_function_args(partial=True))]
    wrong: list[object] = []
    threads: list[threading.Thread] = []
    kept: list[Any] = []

    def ask() -> None:
        while len(kept) < len(expected):
            for one in kept[-3:]:
                try:
                    value = one.value if isinstance(one, FunctionCallProgress) else one.parse()
                    wrong.extend(set(value) - {"list", "text"} if isinstance(value, dict) else [value])
                except Exception as error:
                    wrong.append(error)

    threads.append(threading.Thread(target=ask))
    threads[0].start()
    run(events, lambda source: source.pipe(rxs.accumulate_function_args(partial=True), ops.do_action(kept.append)))
    threads[0].join(BOUND)
    assert wrong == []
    assert [one.arguments for one in kept] == expected
    assert kept[-2].value == kept[-1].parse()


def test_arguments_that_are_no_json_go_on_as_text():
    came = run(
        answers.events_of(answers.function_calls([("look", '{"a": 1, nonsense')], split=3)),
        rxs.accumulate_function_args(partial=True),
    )
    *progress, call = came
    assert "".join(one.delta for one in progress) == '{"a": 1, nonsense'  # type: ignore[union-attr]
    assert [one.value for one in progress][-1] == {"a": 1}  # type: ignore[union-attr]
    assert progress[-1].arguments == call.arguments
    with pytest.raises(OutputError, match="as JSON") as raised:
        call.parse()  # type: ignore[union-attr]
    assert raised.value.text == '{"a": 1, nonsense'


def test_progress_knows_which_paths_are_finished():
    assert_marbles(
        rxs.accumulate_function_args(partial=True),
        """
        source   -C-F:look-f:{"a":[1`,`2-|
        result   ----------x-------------|
        where x = FunctionCallProgress(json=JsonSoFar(finished_paths=["a[0]"], open_path="a[1]"))
        """,
    )


class Place(BaseModel):
    city: str
    days: list[float]


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ('{"city": "Oslo", "days": [1, "x"]}', "days[1]"),
        ('{"city": 3, "days": []}', "city"),
        ('{"days": []}', "city"),
        ("[]", "$"),
        ("{", "$"),
    ],
)
def test_arguments_that_do_not_fit_the_model_name_the_place(arguments: str, path: str):
    with pytest.raises(SchemaError) as raised:
        FunctionCall("look", "call_a", arguments).parse(Place)
    assert (raised.value.path, raised.value.text) == (path, arguments)


def test_no_arguments_are_an_empty_object():
    assert FunctionCall("now", "call_a", "").parse() == {}


@pytest.mark.parametrize("arguments", ["[1]", "3", '"text"'])
def test_arguments_that_are_no_object_are_an_error(arguments: str):
    with pytest.raises(OutputError, match="as a JSON object"):
        FunctionCall("look", "call_a", arguments).parse()


@needs(STREAMS)
def test_the_progress_of_every_recorded_call_ends_with_its_arguments():
    count = 0
    for name in WHOLE:
        said: dict[int, str] = {}
        last: dict[int, Any] = {}
        for one in run(recorded(name), rxs.accumulate_function_args(partial=True)):
            if isinstance(one, FunctionCallProgress):
                said[one.output_index] = said.get(one.output_index, "") + one.delta
                last[one.output_index] = one.value
            elif one.output_index in said:
                assert said[one.output_index] == one.arguments, name
                assert last[one.output_index] == one.parse(), name
                count += 1
    assert count > 80
