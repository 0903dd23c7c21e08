"""JSON in a code fence, said twice, or with text around it: what each operator makes of it."""

import json
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.errors import SchemaError
from tests.operators._answers import COMPLETED, CREATED, RECIPE, Recipe, message
from tests.operators._recorded import failing, run

JSON = json.dumps(RECIPE, ensure_ascii=False)
OPERATORS: dict[str, Any] = {
    "partial_json": rxs.partial_json,
    "parse_output": lambda **options: rxs.parse_output(Recipe, **options),
    "parse_output, only the model": lambda **options: rxs.parse_output(Recipe, partial=False, **options),
    "json_items": lambda **options: rxs.json_items("steps[*]", **options),
}
every_operator = pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS)


def answer(text: str, split: int = 4) -> list[Any]:
    return [CREATED, *message(text, split=split), COMPLETED]


def shown(values: list[Any]) -> list[str]:
    return [repr(value) for value in values]


@every_operator
@pytest.mark.parametrize(
    "text", [f"```json\n{JSON}\n```", f"```\n{JSON}\n```\n", f"`{JSON}`", JSON + JSON, f"{JSON}\n\n{JSON}\n"]
)
@pytest.mark.parametrize("split", [1, 4, 1000])
def test_a_fence_or_the_same_document_again_changes_nothing(make: Any, text: str, split: int) -> None:
    expected = run(answer(JSON, 1), make())
    assert shown(run(answer(text, 1), make())) == shown(expected)
    assert shown(run(answer(text, split), make()))[-1:] == shown(expected)[-1:]


@every_operator
def test_a_document_that_the_end_of_its_item_repeats(make: Any) -> None:
    events = answer(JSON)
    done = next(index for index, event in enumerate(events) if event.type == "response.output_text.done")
    events[done] = events[done].model_copy(update={"text": JSON + JSON})
    assert shown(run(events, make())) == shown(run(answer(JSON), make()))


@every_operator
def test_the_same_document_in_two_messages(make: Any) -> None:
    assert (
        shown(run([CREATED, *message(JSON), *message(JSON, 1), COMPLETED], make()))[-1]
        == shown(run(answer(JSON), make()))[-1]
    )


@every_operator
def test_a_second_document_is_an_error_at_once(make: Any) -> None:
    values, error = failing(message(JSON + '{"title": "other"}'), make())
    assert isinstance(error, SchemaError)
    assert "expected the same document again" in str(error)
    assert values or make is OPERATORS["parse_output, only the model"]


@every_operator
def test_text_before_the_document_is_an_error_that_says_where_the_document_begins(make: Any) -> None:
    values, error = failing(answer(f"Here is the JSON: {JSON}"), make())
    assert values == []
    assert isinstance(error, SchemaError)
    assert "JSON begins at character 18: allow_leading=True" in str(error)
    assert error.text == f"Here is the JSON: {JSON}"


@every_operator
@pytest.mark.parametrize("text", [f"Here: {JSON}", f"Here:\n\n```json\n{JSON}\n```"])
def test_text_before_the_document_where_it_is_allowed(make: Any, text: str) -> None:
    assert shown(run(answer(text, 1), make(allow_leading=True))) == shown(run(answer(JSON, 1), make()))
    assert isinstance(failing(answer(f"{text}\nBye."), make(allow_leading=True))[1], SchemaError)
    both = make(allow_leading=True, allow_trailing=True)
    assert shown(run(answer(f"{text}\nBye.", 1), both)) == shown(run(answer(JSON, 1), make()))


@every_operator
def test_a_partial_value_that_is_read_late_is_what_it_was(make: Any) -> None:
    text = f"Here:\n```json\n{JSON}\n```"
    values = run(answer(text, 1), make(allow_leading=True))
    assert [getattr(value, "value", None) for value in values] == [
        getattr(value, "value", None) for value in run(answer(JSON, 1), make())
    ]
