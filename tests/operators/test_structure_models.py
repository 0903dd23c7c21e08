"""The answer as a model, and its elements as models."""

import datetime
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator

import rxstream
from rxstream import operators as rxs
from rxstream.errors import OutputError, SchemaError
from rxstream.results import Partial
from rxstream.testing import LocalServer, answers, assert_marbles
from tests._given import RECORDINGS, STREAMS, needs
from tests.operators._answers import COMPLETED, CREATED, RECIPE, Recipe, Step, message
from tests.operators._recorded import WHOLE, failing, final, recorded, run
from tests.waiting import BOUND


def test_partials_come_first_and_the_model_last():
    *partials, recipe = run(answers.events_of(answers.structured(RECIPE, split=3)), rxs.parse_output(Recipe))
    assert recipe == Recipe.model_validate(RECIPE)
    assert partials
    assert all(isinstance(one, Partial) for one in partials)
    assert partials[-1].value == RECIPE  # type: ignore[union-attr]


def test_without_partials_only_the_model_comes_and_it_comes_once():
    for split in (1, 5, 1000):
        came = run(answers.events_of(answers.structured(RECIPE, split=split)), rxs.parse_output(Recipe, partial=False))
        assert came == [Recipe.model_validate(RECIPE)]


def test_a_partial_is_a_model_as_soon_as_it_fits():
    came = run(answers.events_of(answers.structured(RECIPE, split=1)), rxs.parse_output(Recipe))
    models = [one.as_model() for one in came if isinstance(one, Partial)]
    assert models[0] is None
    assert Recipe(title="Ta") in models
    assert Recipe(title=RECIPE["title"], steps=[Step(text="Pee")]) in models
    assert models[-1] == came[-1]


@dataclass
class Point:
    x: int
    y: int


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


SHAPE: TypeAdapter[Circle | Square] = TypeAdapter(Annotated[Circle | Square, Field(discriminator="kind")])


@pytest.mark.parametrize(
    ("model", "said", "made"),
    [
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list[Step], [{"text": "Peel"}], [Step(text="Peel")]),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (SHAPE, {"kind": "square", "side": 2}, Square(kind="square", side=2)),
        (datetime.date, "2026-11-23", datetime.date(2026, 11, 23)),
    ],
)
def test_any_type_that_pydantic_validates_may_be_asked_for(model: Any, said: Any, made: Any):
    assert run(answers.events_of(answers.structured(said)), rxs.parse_output(model))[-1] == made
    assert run(answers.events_of(answers.structured({"items": [said, said]})), rxs.json_items("items[*]", model)) == [
        made,
        made,
    ]


@pytest.mark.parametrize("wrong", [3, "Recipe", Recipe(title="x"), object()])
def test_what_pydantic_cannot_validate_is_refused_while_the_pipe_is_put_together(wrong: Any):
    with pytest.raises(TypeError):
        rxs.parse_output(wrong)
    with pytest.raises(TypeError):
        rxs.json_items("items[*]", wrong)


def test_a_path_that_is_none_is_refused_while_the_pipe_is_put_together():
    with pytest.raises(ValueError, match="path pattern"):
        rxs.json_items("items[?(@.a)]")


class Strict(BaseModel):
    """JSON has no dates and no tuples: they are validated as JSON, and so strictness lets them pass."""

    model_config = ConfigDict(strict=True)
    day: datetime.date
    pair: tuple[int, int]


def test_a_strict_model_is_validated_as_json():
    said = {"day": "2026-11-23", "pair": [1, 2]}
    made = Strict(day=datetime.date(2026, 11, 23), pair=(1, 2))
    assert run(answers.events_of(answers.structured(said)), rxs.parse_output(Strict, partial=False)) == [made]
    assert run(answers.events_of(answers.structured([said])), rxs.json_items("[*]", Strict)) == [made]


# ---------------------------------------------------------------------- what does not fit


class Priced(BaseModel):
    name: str
    price: float

    @field_validator("price")
    @classmethod
    def positive(cls, price: float) -> float:
        if price < 0:
            raise ValueError("a price is not negative")
        return price


class Basket(BaseModel):
    items: list[Priced]
    shape: Annotated[Circle | Square, Field(discriminator="kind")] | None = None


GOOD = {"name": "tea", "price": 2}


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"items": [GOOD, GOOD, {"name": "x", "price": "dear"}]}, "items[2].price"),
        ({"items": [GOOD, {"price": 1}]}, "items[1].name"),
        ({"items": [GOOD, {"name": "x", "price": -1}]}, "items[1].price"),
        ({"items": {}}, "items"),
        ({}, "items"),
        ([], "$"),
        ({"items": [], "shape": {"kind": "square"}}, "shape.side"),
        ({"items": [], "shape": {"kind": "circle", "radius": "wide"}}, "shape.radius"),
        ({"items": [], "shape": {"kind": "star"}}, "shape"),
    ],
)
def test_what_does_not_fit_names_its_place_and_brings_the_text(said: Any, path: str):
    values, raised = failing(answers.events_of(answers.structured(said)), rxs.parse_output(Basket, partial=False))
    assert values == []
    assert isinstance(raised, SchemaError)
    assert isinstance(raised, OutputError)
    assert (raised.path, json.loads(raised.text)) == (path, said)
    assert "Basket" in str(raised)


def test_an_element_that_does_not_fit_is_an_error_the_moment_it_is_whole():
    assert_marbles(
        rxs.json_items("a[*]", int),
        """
        source   -C-`{"a":[1,`-`2,"`-`x"`-`,4]}`-K|
        result   ---x----------y-----#
        where x = 1, y = 2, # = SchemaError(path="a[2]", text='"x"', sequence_number=3)
        """,
    )


def test_an_element_names_its_concrete_place():
    said = {"days": [{"meals": [GOOD]}, {"meals": [GOOD, {"name": "x", "price": None}]}]}
    values, raised = failing(answers.events_of(answers.structured(said)), rxs.json_items("days[*].meals[*]", Priced))
    assert values == [Priced(name="tea", price=2)] * 2
    assert isinstance(raised, SchemaError)
    assert (raised.path, raised.text) == ("days[1].meals[1].price", '{"name":"x","price":null}')


def test_elements_before_the_place_that_breaks_are_emitted():
    values, raised = failing([CREATED, *message('{"items": [1, 2, oops]}', split=100)], rxs.json_items("items[*]"))
    assert values == [1, 2]
    assert isinstance(raised, SchemaError)
    assert raised.text == '{"items": [1, 2, oops]}'


def test_elements_of_a_list_that_never_ends_are_emitted_and_then_it_is_told():
    values, raised = failing([*message("[1, 2"), COMPLETED], rxs.json_items("[*]"))
    assert values == [1]
    assert isinstance(raised, SchemaError)


def test_each_element_comes_the_moment_it_is_whole():
    seen: list[tuple[int, Any]] = []
    events = answers.events_of(answers.structured([{"a": 1}, "two", [3]], split=1))
    for count in range(len(events)):
        values, _ = failing(events[:count], rxs.json_items("[*]"))
        seen.append((count, values))
    text = '[{"a":1},"two",[3]]'
    first_delta = next(number for number, event in enumerate(events) if "delta" in event.type)
    ends = [text.index("}"), text.index('",'), text.index("]")]
    for count, values in seen:
        assert len(values) == sum(first_delta + end < count for end in ends), count


@needs(STREAMS)
def test_every_recorded_answer_that_is_json_validates_and_gives_its_members():
    count = 0
    for name in WHOLE:
        form = final(name).text
        if form is None or form.format is None or form.format.get("type") == "text":
            continue
        said = [item.text for item in final(name).output if item.type == "message" and item.text]
        if said:
            whole = json.loads(said[-1])
            assert run(recorded(name), rxs.parse_output(dict[str, Any]))[-1] == whole, name
            if len(said) == 1:
                assert run(recorded(name), rxs.json_items("*")) == list(whole.values()), name
            count += 1
    assert count > 25


@needs(RECORDINGS)
@pytest.mark.parametrize("name", ["llamacpp-schema", "mship-schema"])
def test_what_small_models_wrote_for_a_schema(name: str):
    bytes_ = (RECORDINGS / f"{name}.sse").read_bytes()

    class Person(BaseModel):
        name: str
        age: int
        tags: list[str]

    def read(source: Any) -> Any:
        return source.pipe(rxs.decode_events(), rxs.parse_output(Person, partial=False))

    assert run([bytes_], read) == [Person(name="Erykos", age=20, tags=["Erykos"] * 3)]


def test_an_answer_that_breaks_closes_the_request():
    broken = answers.text(['{"title" oops', *["more "] * 5000])
    with LocalServer([broken], pace=200) as server, rxstream.Session("any", base_url=server.base_url) as session:
        recipe = session.response(model="any", input="A recipe.").pipe(rxs.parse_output(Recipe))
        with pytest.raises(SchemaError, match="expected a colon"):
            rxstream.result(recipe).wait(BOUND)
        server.wait_closed(1, BOUND)


@pytest.mark.parametrize("depth", [150, 210, 300, 900])
def test_a_deep_answer_is_a_value_or_one_of_our_errors(depth: int):
    text = "[" * depth + "]" * depth
    values, error = failing(answers.events_of(answers.text([text])), rxs.parse_output(list))
    partial = values[0]
    assert isinstance(partial, Partial)
    items, item_error = failing(answers.events_of(answers.text([f"[{text}]"])), rxs.json_items("[*]", list))
    if depth == 150:
        assert partial.as_model() == values[1] == items[0] == json.loads(text)
        return
    for failed in (error, item_error):
        assert isinstance(failed, SchemaError)
    with pytest.raises(SchemaError, match="nested too deep"):
        partial.as_model()
