"""The answer as JSON: the value so far, which text it is, and how it may fail."""

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.errors import (
    ApiError,
    RefusalError,
    ResponseFailedError,
    ResponseIncompleteError,
    SchemaError,
    TruncatedError,
)
from rxstream.results import JsonSoFar
from rxstream.testing import answers
from tests._given import STREAMS, manifest, needs
from tests.operators._answers import COMPLETED, CREATED, RECIPE, Recipe, message
from tests.operators._recorded import NAMES, failing, final, recorded, run
from tests.waiting import BOUND

OPERATORS: dict[str, Any] = {
    "partial_json": rxs.partial_json(),
    "parse_output": rxs.parse_output(Recipe),
    "parse_output, only the model": rxs.parse_output(Recipe, partial=False),
    "json_items": rxs.json_items("steps[*]"),
}
every_operator = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
JSON = json.dumps(RECIPE, ensure_ascii=False)


# ---------------------------------------------------------------------- the value so far


def test_the_value_grows_until_it_is_whole():
    came = run(answers.events_of(answers.structured(RECIPE, split=1)), rxs.partial_json())
    assert came[0].value == {}
    assert {"title": "Tarte"} in [one.value for one in came]
    assert came[-1].value == RECIPE
    assert [one.complete for one in came].count(True) == 1
    assert [one.text for one in came] == sorted({one.text for one in came}, key=len)
    assert came[-1].finished_paths == [
        "$",
        "title",
        "steps",
        "steps[0]",
        "steps[0].text",
        "steps[0].minutes",
        "steps[1]",
        "steps[1].text",
    ]


def test_the_text_of_a_value_is_json():
    source = '{"a": [1e999, -1e999], "Infinity": "NaN", "b": 1}'
    came = run(answers.events_of(answers.text([source[:17], source[17:]])), rxs.partial_json())
    assert [json.loads(str(one)) for one in came] == [one.value for one in came]
    assert str(came[-1]) == source


def test_what_is_asked_for_late_is_what_it_was_at_its_moment():
    events = answers.events_of(answers.structured(RECIPE, split=1))
    at_once: list[tuple[str, list[str]]] = []

    def look(one: JsonSoFar) -> None:
        at_once.append((json.dumps(one.value), one.finished_paths))

    kept = run(events, lambda source: source.pipe(rxs.partial_json(), ops.do_action(look)))
    late = run(events, rxs.partial_json())
    assert [(json.dumps(one.value), one.finished_paths) for one in late] == at_once
    assert [(json.dumps(one.value), one.finished_paths) for one in kept] == at_once


def test_values_may_be_asked_for_in_another_thread_while_they_go_on():
    document = {"list": list(range(400)), "text": "x" * 400}
    kept: list[JsonSoFar] = []
    wrong: list[object] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            for one in kept[-2:]:
                try:
                    json.dumps(one.value)
                except Exception as broken:
                    wrong.append(broken)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        run(
            answers.events_of(answers.structured(document, split=1)),
            lambda source: source.pipe(rxs.partial_json(), ops.do_action(kept.append)),
        )
    finally:
        over.set()
        thread.join(BOUND)
    assert wrong == []
    assert kept[-1].value == document


def test_is_finished_tells_of_one_path():
    one = failing(message('{"a": {"b": [1, 2')[:-2], rxs.partial_json())[0][-1]
    known = ("a", "a.b", "a.b[0]", "a.b[1]", "$")
    assert [one.is_finished(path) for path in known] == [False, False, True, False, False]
    assert not any(one.is_finished(path) for path in ("x", "a.b[2]", "a.b.c", "a[0]", "a.b[0].c"))
    with pytest.raises(ValueError, match="without a wildcard"):
        one.is_finished("a.*")
    with pytest.raises(ValueError, match="path"):
        one.is_finished("a b")


def test_a_number_that_is_the_whole_answer_is_finished_by_its_end():
    came = run(answers.events_of(answers.text(["4", "2"])), rxs.partial_json())
    assert [(one.value, one.complete) for one in came] == [(4, False), (42, False), (42, True)]


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(document=DOCUMENTS, split=st.integers(1, 9))
def test_any_document_in_any_split_ends_as_what_it_is(document: Any, split: int):
    events = message(json.dumps(document), split=split)
    last = run(events, rxs.partial_json())[-1]
    assert (last.value, last.complete) == (json.loads(json.dumps(document)), True)
    assert run(events, rxs.json_items("$")) == [last.value]
    assert run(events, rxs.parse_output(object))[-1] == last.value


@given(document=DOCUMENTS, split=st.integers(1, 9), cut=st.integers(1, 60))
def test_the_value_of_a_moment_does_not_depend_on_how_the_text_came(document: Any, split: int, cut: int):
    said = json.dumps(document)[:cut]
    in_pieces, _ = failing(message(said, split=split)[1:-2], rxs.partial_json())
    at_once, _ = failing(message(said, split=cut)[1:-2], rxs.partial_json())
    assert [json.dumps(one.value) for one in in_pieces[-1:]] == [json.dumps(one.value) for one in at_once[-1:]]


# ---------------------------------------------------------------------- which text


@every_operator
def test_commentary_is_passed_over(operator: Any):
    alone = run([*message(JSON, 1), COMPLETED], operator)
    before = message("Let me think.", 0, "commentary")
    after = message("Done.", 2, "commentary")
    assert same(run([*before, *message(JSON, 1), *after, COMPLETED], operator), alone)


@every_operator
@pytest.mark.parametrize("preamble", ["Here it comes:", "3 steps, no more", "nothing easier", '"Tarte", you say?'])
@pytest.mark.parametrize("split", [1, 100])
def test_text_that_is_no_json_may_be_followed_by_the_answer(operator: Any, preamble: str, split: int):
    alone = run([*message(JSON, 1), COMPLETED], operator)
    came = run([*message(preamble, 0, split=split), *message(JSON, 1), COMPLETED], operator)
    assert same(came[-len(alone) :], alone)


@every_operator
def test_of_two_documents_the_last_counts(operator: Any):
    first = json.dumps({"title": "Other", "steps": []})
    came = run([*message(first, 0), *message(JSON, 1), COMPLETED], operator)
    assert same(came[-1:], run([*message(JSON, 1), COMPLETED], operator)[-1:])
    with_calls = answers.together(
        answers.structured(RECIPE), answers.function_calls([("look", {"a": 1})]), interleaved=True
    )
    assert same(
        run(answers.events_of(with_calls), operator), run(answers.events_of(answers.structured(RECIPE)), operator)
    )


@every_operator
def test_an_empty_part_at_the_end_is_not_the_answer(operator: Any):
    alone = run([*message(JSON, 0), COMPLETED], operator)
    assert same(run([*message(JSON, 0), *message("\n", 1), *message("", 2), COMPLETED], operator), alone)


@every_operator
def test_an_answer_that_only_the_last_event_brings(operator: Any):
    events = answers.events_of(answers.together(answers.reasoning_summary("Hm."), answers.structured(RECIPE)))
    assert same(run(events[-1:], operator)[-1:], run(events, operator)[-1:])


@every_operator
@pytest.mark.parametrize("answer", [answers.function_calls([("look", {})]), answers.reasoning_summary("Hm.")])
def test_a_response_without_answer_text_completes_without_a_value(operator: Any, answer: answers.Answer):
    assert run(answers.events_of(answer), operator) == []


def test_one_item_alone_is_a_stream_too():
    events = answers.events_of(
        answers.together(answers.function_calls([("look", {})]), answers.structured(RECIPE), interleaved=True)
    )
    came = run(
        events,
        lambda source: source.pipe(
            rxs.group_by_output_index(),
            ops.flat_map(lambda group: group.pipe(rxs.parse_output(Recipe, partial=False))),
        ),
    )
    assert came == [Recipe.model_validate(RECIPE)]


# ---------------------------------------------------------------------- how it may fail


@every_operator
def test_a_refusal_is_an_error_with_its_text(operator: Any):
    values, raised = failing(answers.events_of(answers.refusal("I can't do that.")), operator)
    assert values == []
    assert isinstance(raised, RefusalError)
    assert (raised.text, raised.response_id) == (
        "I can't do that.",
        answers.events_of(answers.refusal("x"))[0].response.id,
    )  # type: ignore[union-attr]


@every_operator
def test_an_answer_that_was_cut_is_incomplete_and_not_bad_json(operator: Any):
    values, raised = failing(answers.events_of(answers.incomplete(JSON[:40], split=3)), operator)
    assert isinstance(raised, ResponseIncompleteError)
    assert raised.reason == "max_output_tokens"
    assert same(values, failing(message(JSON[:40], split=3), operator)[0])
    whole_but_cut = failing(answers.events_of(answers.incomplete(JSON)), operator)
    assert isinstance(whole_but_cut[1], ResponseIncompleteError)


@every_operator
@pytest.mark.parametrize(
    ("answer", "kind"),
    [(answers.failed(partial_text='{"title'), ResponseFailedError), (answers.error(partial_text='{"title'), ApiError)],
)
def test_a_failure_of_the_response_is_what_it_fails_with(operator: Any, answer: answers.Answer, kind: type[Exception]):
    assert isinstance(failing(answers.events_of(answer), operator)[1], kind)


@every_operator
def test_a_source_that_completes_in_the_middle_is_truncated(operator: Any):
    assert isinstance(failing([CREATED, *message(JSON)[:4]], operator)[1], TruncatedError)
    assert isinstance(failing([CREATED], operator)[1], TruncatedError)


@every_operator
def test_a_document_that_never_ends_is_an_error_at_the_end(operator: Any):
    _, raised = failing([CREATED, *message('{"title": "x", "steps": [{"text": "y'), COMPLETED], operator)
    assert isinstance(raised, SchemaError)
    assert (raised.path, raised.text) == ("steps[0].text", '{"title": "x", "steps": [{"text": "y')
    assert (raised.response_id, raised.sequence_number) == ("resp_1", 99)


@every_operator
@pytest.mark.parametrize("split", [1, 5, 100])
def test_an_object_that_breaks_is_an_error_at_once(operator: Any, split: int):
    events = message('{"title": "x" "steps": []}', split=split)
    _, raised = failing(events, operator)
    assert isinstance(raised, SchemaError)
    assert raised.text.startswith('{"title": "x" "')
    assert raised.path == "$"
    deltas = [event for event in events if "delta" in event.type]
    assert isinstance(failing(deltas[: 14 // split + 1], operator)[1], SchemaError)


@every_operator
def test_text_that_is_no_json_at_all_is_an_error_at_the_end_with_all_of_it(operator: Any):
    values, raised = failing([CREATED, *message("Sorry, no recipe today."), COMPLETED], operator)
    assert values == []
    assert isinstance(raised, SchemaError)
    assert (raised.text, raised.path, raised.sequence_number) == ("Sorry, no recipe today.", "$", 99)


@every_operator
def test_an_empty_answer_is_an_error(operator: Any):
    _, raised = failing([CREATED, *message(""), COMPLETED], operator)
    assert isinstance(raised, SchemaError)
    assert "empty" in str(raised)


@pytest.mark.parametrize(
    "make",
    [
        rxs.partial_json,
        lambda **options: rxs.parse_output(Recipe, **options),
        lambda **options: rxs.json_items("steps[*]", **options),
    ],
)
def test_text_after_the_document_is_tolerated_only_where_asked(make: Any):
    events = [*message(JSON + "\nI hope this helps."), COMPLETED]
    assert isinstance(failing(events, make())[1], SchemaError)
    assert same(run(events, make(allow_trailing=True)), run([*message(JSON), COMPLETED], make()))


@needs(STREAMS)
def test_every_recorded_answer_that_is_json_is_read_as_it_is():
    count = 0
    for name in NAMES:
        if manifest()[name]["terminal_event"] != "response.completed":
            continue
        form = final(name).text
        if form is None or form.format is None or form.format.get("type") == "text":
            continue
        said = [item.text for item in final(name).output if item.type == "message" and item.text]
        values, raised = failing(recorded(name), rxs.partial_json())
        if any(item.type == "message" and item.refusal for item in final(name).output):
            assert isinstance(raised, RefusalError), name
        elif said:
            assert (values[-1].value, values[-1].complete) == (json.loads(said[-1]), True), name
            count += 1
        else:
            assert (values, raised) == ([], None), name
    assert count > 30


def same(one: list[Any], other: list[Any]) -> bool:
    return [repr(value) for value in one] == [repr(value) for value in other]
