"""JSON of one part that comes under many numbers: one document, as the text is one text."""

import json
from itertools import accumulate
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from tests.event_builders import item_added, item_done, make_event, text_part
from tests.operators._answers import COMPLETED, RECIPE, Recipe
from tests.operators._recorded import run

JSON = json.dumps(RECIPE)
OPERATORS: dict[str, Any] = {
    "partial_json": rxs.partial_json(),
    "parse_output": rxs.parse_output(Recipe),
    "parse_output(partial=True)": rxs.parse_output(Recipe, partial=True),
    "json_items": rxs.json_items("steps[*]"),
}
each = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)


def delta(text: str, number: int) -> StreamingEvent:
    return make_event("response.output_text.delta", output_index=0, content_index=number, delta=text)


def added(number: int) -> StreamingEvent:
    return make_event("response.content_part.added", output_index=0, content_index=number, part=text_part(""))


def values(events: list[StreamingEvent], operator: Any) -> list[Any]:
    return [one.value if hasattr(one, "value") else one for one in run([*events, COMPLETED], operator)]


def split(step: int) -> list[str]:
    return [JSON[at : at + step] for at in range(0, len(JSON), step)]


@each
@pytest.mark.parametrize("step", [1, 2, 5, 40, len(JSON) - 1])
@pytest.mark.parametrize("ends", ["item", "response"])
def test_one_document_under_many_numbers(operator: Any, step: int, ends: str) -> None:
    one = [item_added(0), *(delta(text, 0) for text in split(step)), item_done(0, text_part(JSON))]
    many = [item_added(0), *(delta(text, number) for number, text in enumerate(split(step)))]
    if ends == "item":
        many.append(item_done(0, text_part(JSON)))
    assert values(many, operator) == values(one, operator)


def test_what_the_item_has_more_is_read_too() -> None:
    events = [item_added(0), delta('{"a": ', 0), delta("[1", 1), item_done(0, text_part('{"a": [1, 2]}'))]
    assert values(events, rxs.partial_json())[-1] == {"a": [1, 2]}
    assert "".join(run(events, rxs.text_only())) == '{"a": [1, 2]}'


def test_the_numbers_may_have_gaps() -> None:
    numbers = accumulate([0, 3, 1, 7])
    events = [item_added(0), *map(delta, ['{"a"', ": [1", ", 2]", "}"], numbers)]
    assert values(events, rxs.partial_json())[-1] == {"a": [1, 2]}


@each
def test_a_part_that_was_added_is_a_document_of_its_own(operator: Any) -> None:
    alone = [item_added(0), *(delta(text, 0) for text in split(9))]
    behind = [item_added(0), delta('{"title": "x', 0), added(1), *(delta(text, 1) for text in split(9))]
    assert values(behind, operator)[-1] == values(alone, operator)[-1]


@each
def test_a_document_behind_a_whole_one_is_another(operator: Any) -> None:
    other = json.dumps({"title": "x", "steps": [{"text": "y"}]})
    alone = [item_added(0), *(delta(text, 0) for text in split(9))]
    behind = [item_added(0), delta(other, 0), *(delta(text, 1) for text in split(9))]
    assert values(behind, operator)[-1] == values(alone, operator)[-1]
