"""Nothing of a response is emitted twice or lost, and all operators agree on it, whatever a server leaves out."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.events import OutputItem, StreamingEvent
from rxstream.results import FunctionCall
from tests.event_builders import (
    Json,
    arguments_delta,
    arguments_done,
    completed,
    created,
    function_call,
    incomplete,
    item_added,
    item_done,
    make_event,
    message,
    part_added,
    part_done,
    text_delta,
    text_done,
    text_part,
)
from tests.response.decoding._normal import normal, text
from tests.response.decoding._normal import piped as run


def calls(events: Iterable[StreamingEvent]) -> list[FunctionCall]:
    return run(events, rxs.accumulate_function_args())


def output(events: Iterable[StreamingEvent]) -> list[OutputItem]:
    """The items of the final response, which are also those of the last snapshot."""
    (response,) = run(events, rxs.final_response())
    assert run(events, rxs.snapshots())[-1].response == response
    return response.output


def groups(events: Iterable[StreamingEvent], operator: Any) -> list[tuple[Any, list[str]]]:
    seen: list[tuple[Any, list[str]]] = []

    def on_group(group: Any) -> None:
        seen.append((group.key, []))
        group.subscribe(lambda event, types=seen[-1][1]: types.append(event.type.removeprefix("response.")))

    reactivex.from_iterable(list(events)).pipe(operator).subscribe(on_group)
    return seen


def summary_delta(delta: str, summary_index: int = 0) -> StreamingEvent:
    place = {"output_index": 0, "summary_index": summary_index, "item_id": "rs"}
    return make_event("response.reasoning_summary_text.delta", **place, delta=delta)


def summary_done(whole: str, summary_index: int = 0) -> StreamingEvent:
    place = {"output_index": 0, "summary_index": summary_index, "item_id": "rs"}
    return make_event("response.reasoning_summary_text.done", **place, text=whole)


def reasoning(*texts: str) -> Json:
    return {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": text} for text in texts]}


# ---------------------------------------------------------------------- after the end of an item


LATE: dict[str, tuple[list[StreamingEvent], list[StreamingEvent]]] = {
    "part": ([item_added(), part_added(), text_delta("Hi"), item_done(0, text_part("Hi"))], [part_done("Hi")]),
    "text": ([item_added(), text_delta("Hi"), item_done(0, text_part("Hi"))], [text_done("Hi")]),
    "item": ([item_added(), text_delta("Hi"), item_done(0, text_part("Hi"))], [item_done(0, text_part("Hi"))]),
    "arguments": (
        [item_added(0, **function_call("f")), item_done(0, **function_call("f", "{}"))],
        [arguments_done("{}")],
    ),
    "summary": (
        [item_added(0, **reasoning()), summary_delta("hm"), item_done(0, **reasoning("hm"))],
        [summary_done("hm")],
    ),
}


@pytest.mark.parametrize("kind", LATE)
def test_an_event_after_the_end_of_its_item_adds_nothing(kind: str) -> None:
    events, late = LATE[kind]
    for operator in (
        rxs.text_only(),
        rxs.reasoning_summary(),
        rxs.accumulate_function_args(),
        rxs.annotations(),
        rxs.sentences(),
        rxs.final_response(),
    ):
        ended = [created(), *events]
        assert run(normal(*ended, *late, completed()), operator) == run(normal(*ended, completed()), operator)
    for split in (rxs.group_by_output_index(), rxs.group_by_content_part()):
        on_time = groups(normal(created(), *events, completed()), split)
        seen = groups(normal(created(), *events, *late, completed()), split)
        assert [key for key, _ in seen] == [key for key, _ in on_time]


def test_an_ended_group_stays_ended() -> None:
    events, late = LATE["part"]
    seen = groups(normal(created(), *events, *late, completed()), rxs.group_by_output_index())
    assert seen == [(0, ["output_item.added", "content_part.added", "output_text.delta", "output_item.done"])]


# ---------------------------------------------------------------------- one part under many numbers


MANY = [item_added(), text_delta("I", 0, 0), text_delta(" go", 0, 1)]


@pytest.mark.parametrize(
    "events",
    [
        [*MANY, item_done(0, text_part("I go")), completed(message(text_part("I go")))],
        [*MANY, item_done(1, text_part("I go")), completed(message(text_part("I go")))],
        [*MANY, completed(message(text_part("I go")))],
        [*MANY, text_done("I", 0, 0), text_done(" go", 0, 1), item_done(0, text_part("I go")), completed()],
        [
            item_added(0, **reasoning()),
            item_done(0, **reasoning()),
            item_added(1),
            text_delta("I", 1, 0),
            text_delta(" go", 1, 1),
            item_done(2, text_part("I go")),
            completed(),
        ],
        [item_added(), text_delta("I", 0, 3), item_done(0, text_part("I go")), completed()],
    ],
)
def test_the_text_of_an_item_is_emitted_once_whatever_the_numbers_of_its_parts(events: list[StreamingEvent]) -> None:
    assert text(normal(created(), *events)) == "I go"


def test_parts_that_only_the_end_of_the_item_has_are_emitted() -> None:
    events = [item_added(), text_delta("a", 0, 0), item_done(0, text_part("a"), text_part("b"))]
    assert text(normal(created(), *events, completed())) == "ab"


# ---------------------------------------------------------------------- the id that changes


def test_a_call_whose_ids_change_is_one_call() -> None:
    """Each of the three events has another id and another call id, as one server sends them."""
    events = [
        item_added(0, **function_call("f", id="fc_1", call_id="call_1")),
        arguments_delta('{"a":1}', 0, "fc_2"),
        arguments_done('{"a":1}', 0, "fc_2"),
        item_done(0, **function_call("f", '{"a":1}', id="fc_3", call_id="call_3")),
        completed(function_call("f", '{"a":1}', id="fc_4", call_id="call_4")),
    ]
    seen = normal(created(), *events)
    assert [event.type for event in seen].count("response.output_item.done") == 1
    assert [(call.name, call.arguments, call.output_index) for call in calls(seen)] == [("f", '{"a":1}', 0)]
    tools = run(seen, rxs.tool_calls())
    assert {call.output_index for call in tools} == {0}
    assert [call.done for call in tools].count(True) == 1
    assert [key for key, _ in groups(seen, rxs.group_by_output_index())] == [0]


def test_an_item_that_gets_its_call_id_at_the_end_is_one_item() -> None:
    search = {"type": "tool_search_call", "id": "ts_1", "call_id": None}
    events = [item_added(0, **search), item_done(0, **search | {"call_id": "call_1"}), completed()]
    assert [key for key, _ in groups(normal(created(), *events), rxs.group_by_output_index())] == [0]


def test_two_calls_that_are_equal_stay_two() -> None:
    events: list[StreamingEvent] = []
    for index in range(2):
        call = function_call("f", "{}", index, id=f"fc_{index}")
        events += [item_added(index, **function_call("f", "", index, id=f"fc_{index}")), item_done(index, **call)]
    output = [function_call("f", "{}", id="x"), function_call("f", "{}", id="y", call_id="z")]
    assert len(calls(normal(created(), *events, completed(*output)))) == 2
    assert len(calls(normal(created(), completed(*output)))) == 2


# ---------------------------------------------------------------------- what a later event leaves empty


def test_empty_arguments_at_the_end_do_not_replace_the_known_ones() -> None:
    events = [
        item_added(0, **function_call("f", id="fc")),
        arguments_delta('{"a":1}', 0, "fc"),
        arguments_done("", 0, "fc"),
        item_done(0, **function_call("f", "", id="fc")),
        completed(function_call("f", "", id="fc")),
    ]
    seen = normal(created(), *events)
    assert [call.arguments for call in calls(seen)] == ['{"a":1}']
    (call,) = output(seen)
    assert call.model_dump()["arguments"] == '{"a":1}'


@pytest.mark.parametrize("empty", [1, 2, 3, 4])
def test_an_empty_text_at_the_end_does_not_replace_the_known_one(empty: int) -> None:
    """Of the four events that repeat a text, the first `empty` have none."""
    repeated = [text_part("" if number < empty else "Hi") for number in range(4)]
    events = [
        item_added(),
        part_added(),
        text_delta("Hi"),
        text_done(repeated[0]["text"]),
        part_done(repeated[1]["text"]),
        item_done(0, repeated[2]),
        completed(message(repeated[3])),
    ]
    seen = normal(created(), *events)
    assert text(seen) == "Hi"
    for snapshot in run(seen, rxs.snapshots())[3:]:
        assert snapshot.text == "Hi"
    assert [item.text for item in output(seen)] == ["Hi"]  # type: ignore[attr-defined]


def test_refusals_and_custom_input_are_not_replaced_by_an_empty_end_either() -> None:
    place = {"output_index": 0, "item_id": "m"}
    refusal = [
        item_added(0, id="m"),
        make_event("response.refusal.delta", **place, content_index=0, delta="No."),
        make_event("response.refusal.done", **place, content_index=0, refusal=""),
        item_done(0, {"type": "refusal", "refusal": ""}, id="m"),
        completed(),
    ]
    assert "".join(run(normal(created(), *refusal), rxs.refusals())) == "No."
    (item,) = output(normal(created(), *refusal))
    assert item.model_dump()["content"][0]["refusal"] == "No."
    custom = {"type": "custom_tool_call", "id": "m", "call_id": "c", "name": "sh"}
    events = [
        item_added(0, **custom, input=""),
        make_event("response.custom_tool_call_input.delta", **place, delta="ls"),
        make_event("response.custom_tool_call_input.done", **place, input=""),
        item_done(0, **custom, input=""),
        completed(),
    ]
    assert run(normal(created(), *events), rxs.tool_calls())[-1].input == "ls"
    (item,) = output(normal(created(), *events))
    assert item.model_dump()["input"] == "ls"


def test_a_call_waits_for_its_name() -> None:
    nameless = {name: value for name, value in function_call("f", id="fc").items() if name != "name"}
    events = [item_added(0, **nameless), arguments_done("{}", 0, "fc")]
    assert calls(normal(created(), *events)) == []
    done = item_done(0, **function_call("f", "{}", id="fc"))
    assert [call.name for call in calls(normal(created(), *events, done, completed()))] == ["f"]


def test_a_name_that_is_empty_at_the_end_keeps_its_value() -> None:
    events = [
        item_added(0, **function_call("f", id="fc")),
        arguments_delta("{}", 0, "fc"),
        item_done(0, **function_call("", "{}", id="fc", call_id="")),
        completed(function_call("", "{}", id="fc", call_id="")),
    ]
    seen = normal(created(), *events)
    assert [(call.name, call.call_id) for call in calls(seen)] == [("f", "call_0")]
    (call,) = output(seen)
    assert (call.model_dump()["name"], call.model_dump()["call_id"]) == ("f", "call_0")


# ---------------------------------------------------------------------- calls that are cut, and calls in one event


def test_a_call_that_was_cut_is_not_emitted() -> None:
    cut = function_call("f", '{"x":48151', id="fc", status="incomplete")
    events = [
        item_added(0, **function_call("f", id="fc")),
        arguments_done('{"x":48151', 0, "fc"),
        item_done(0, **cut),
        incomplete(cut),
    ]
    assert calls(normal(created(), *events)) == []


@pytest.mark.parametrize(
    "events",
    [
        [item_added(0, **function_call("f", id="fc")), arguments_delta("{}", 0, "fc"), completed()],
        [item_added(0, **function_call("f", "{}", id="fc")), completed()],
        [completed(function_call("f", "{}", id="fc"))],
        [item_done(0, **function_call("f", "{}", id="fc")), completed()],
    ],
    ids=["deltas", "added", "response", "done"],
)
def test_a_call_that_is_whole_in_one_kind_of_event_is_emitted(events: list[StreamingEvent]) -> None:
    assert [(call.name, call.arguments) for call in calls(normal(created(), *events))] == [("f", "{}")]


# ---------------------------------------------------------------------- reasoning is not the answer


@pytest.mark.parametrize("only_at_end", [False, True])
def test_texts_of_items_that_are_not_messages_are_not_the_answer(only_at_end: bool) -> None:
    thinking = {"type": "reasoning", "id": "rs", "summary": [], "content": [text_part('{"hm": 1}')]}
    answer = text_part('{"yes": 2}')
    events = [
        item_added(0, **thinking | {"content": []}),
        text_delta('{"hm": 1}', 0, 0, "rs"),
        item_done(0, **thinking),
        item_added(1, id="m"),
        text_delta(answer["text"], 1, 0, "m"),
        item_done(1, answer, id="m"),
    ]
    end = completed(thinking, message(answer, id="m"))
    seen = normal(created(), end) if only_at_end else normal(created(), *events, end)
    assert text(seen) == answer["text"]
    assert run(seen, rxs.accumulate_text())[-1].text == answer["text"]
    assert run(seen, rxs.lines()) == [answer["text"]]
    assert run(seen, rxs.partial_json())[-1].value == {"yes": 2}
    assert run(seen, rxs.snapshots())[-1].text == answer["text"]


# ---------------------------------------------------------------------- all operators agree


STREAMED = [item_added(0, id="m"), text_delta("Hi", 0, 0, "m"), item_done(0, text_part("Hi"), id="m")]
CALLED = [
    item_added(1, **function_call("f", id="fc", output_index=1)),
    arguments_delta("{}", 1, "fc"),
    item_done(1, **function_call("f", "{}", id="fc", output_index=1)),
]


@pytest.mark.parametrize(
    "final",
    [
        [],
        [message(text_part("Hi"), id="m")],
        [message(text_part("(No update)"), id="m"), function_call("f", "{}", 1, id="fc")],
        [message(id="m"), function_call("f", "{}", 1, id="fc")],
        [function_call("f", "{}", 1, id="fc")],
        [message(text_part("Hi"), id="other"), function_call("f", "", 1, id="another")],
    ],
)
def test_what_was_emitted_is_in_the_final_response(final: list[Json]) -> None:
    seen = normal(created(), *STREAMED, *CALLED, completed(*final))
    assert text(seen) == "Hi"
    assert [call.arguments for call in calls(seen)] == ["{}"]
    first, second = output(seen)
    assert first.model_dump()["content"][0]["text"] == "Hi"
    assert second.model_dump()["arguments"] == "{}"
    (response,) = run(seen, rxs.final_response())
    assert response.synthetic


def test_a_final_response_with_everything_is_left_as_it_is() -> None:
    final = completed(message(text_part("Hi"), id="m"), function_call("f", "{}", 1, id="fc"))
    (response,) = run(normal(created(), *STREAMED, *CALLED, final), rxs.final_response())
    assert response is final.response  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("deltas", "whole"),
    [(["Hi"], "Hi"), (["H", "i"], "Hi"), (["Hi", " you"], "Hi you"), ([" you"], "Hi you"), ([], "Hi")],
    ids=["equal", "in pieces", "longer", "continued", "none"],
)
def test_a_text_with_which_a_part_is_added_counts_once(deltas: Sequence[str], whole: str) -> None:
    events = [item_added(), part_added(text="Hi"), *map(text_delta, deltas), item_done(0, text_part(whole))]
    seen = normal(created(), *events, completed())
    assert text(seen) == whole
    assert {snapshot.text for snapshot in run(seen, rxs.snapshots())} <= {
        "",
        *(whole[:n] for n in range(len(whole) + 1)),
    }
    assert [item.model_dump()["content"][0]["text"] for item in output(seen)] == [whole]


def test_an_annotation_that_is_told_again_counts_once() -> None:
    cited = {"type": "file_citation", "file_id": "file-1", "filename": "a.pdf", "index": 1}
    place = {"output_index": 0, "content_index": 0, "item_id": "m"}
    told = make_event("response.output_text.annotation.added", **place, annotation_index=0, annotation=cited)
    events = [item_added(0, id="m"), text_delta("Hi", 0, 0, "m"), told, told]
    whole = text_part("Hi", annotations=[cited])
    for end in (
        [part_done("Hi", annotations=[cited]), item_done(0, whole, id="m")],
        [item_done(0, text_part("Hi"), id="m")],
    ):
        seen = normal(created(), *events, *end, completed(message(text_part("Hi"), id="m")))
        assert len(run(seen, rxs.annotations())) == 1
        (item,) = output(seen)
        assert len(item.model_dump()["content"][0]["annotations"]) == 1


# ---------------------------------------------------------------------- parts of a summary


def test_the_parts_of_a_summary_are_set_apart() -> None:
    events = [item_added(0, **reasoning()), summary_delta("**A**"), summary_delta("**B**", 1), summary_delta("b", 1)]
    seen = normal(created(), *events, item_done(0, **reasoning("**A**", "**B**b")), completed())
    assert "".join(run(seen, rxs.reasoning_summary())) == "**A**\n\n**B**b"
    assert run(seen, rxs.reasoning_summary(separator="")) == ["**A**", "**B**", "b"]
    only_at_end = normal(created(), completed(reasoning("**A**", "**B**")))
    assert "".join(run(only_at_end, rxs.reasoning_summary(" / "))) == "**A** / **B**"


# ---------------------------------------------------------------------- usage


def test_usage_without_counts_is_no_usage() -> None:
    assert run(normal(created(), completed(usage={})), rxs.usage()) == []
    assert run(normal(created(), completed(usage={})), rxs.measure(every=None))[-1].usage is None


def test_usage_under_the_names_of_chat_completions_is_read() -> None:
    sent = {"prompt_tokens": 3, "completion_tokens": 4}
    (usage,) = run(normal(created(), completed(usage=sent)), rxs.usage())
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (3, 4, 7)
    assert usage.model_dump() == sent
