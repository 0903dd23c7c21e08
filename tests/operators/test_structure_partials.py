"""Partial values in a type of their own, and pydantic's validation context."""

import datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationInfo, field_validator
from typing_extensions import TypedDict

from rxstream import operators as rxs
from rxstream.errors import SchemaError
from rxstream.results import FunctionCall, Partial
from rxstream.testing import answers
from tests.operators._recorded import run


class Stop(BaseModel):
    city: str
    kind: Literal["train", "bus"]


class Trip(BaseModel):
    title: str
    start: datetime.date
    stops: list[Stop]


class TripSoFar(BaseModel):
    title: str = ""
    start: datetime.date | None = None
    stops: list[Stop] = []


class OpenStop(TypedDict, total=False):
    city: str
    kind: Literal["train", "bus"]


class OpenTrip(TypedDict, total=False):
    title: str
    stops: list[OpenStop]


TRIP: dict[str, Any] = {
    "title": "North",
    "start": "2026-11-30",
    "stops": [{"city": "Oslo", "kind": "train"}, {"city": "Rome", "kind": "bus"}],
}


def partials(operator: Any, split: int = 1, document: Any = TRIP) -> list[Partial[Any, Any]]:
    *values, model = run(answers.events_of(answers.structured(document, split=split)), operator)
    assert not isinstance(model, Partial)
    assert all(isinstance(value, Partial) for value in values)
    return values


def distinct(values: list[Any]) -> list[Any]:
    return [value for index, value in enumerate(values) if index == 0 or values[index - 1] != value]


@pytest.mark.parametrize("late", [False, True])
def test_a_partial_value_is_an_instance_of_the_shape(late: bool) -> None:
    values: list[TripSoFar] = []
    if late:
        values = [one.value for one in partials(rxs.parse_output(Trip, partial=TripSoFar))]
    else:
        run(
            answers.events_of(answers.structured(TRIP, split=1)),
            lambda source: source.pipe(
                rxs.parse_output(Trip, partial=TripSoFar),
                rxs.lift(lambda: _Reader(values)),
            ),
        )
    assert values[0] == TripSoFar()
    date = datetime.date(2026, 11, 30)
    oslo, rome = Stop(city="Oslo", kind="train"), Stop(city="Rome", kind="bus")
    assert distinct(values)[-4:] == [
        TripSoFar(title="North"),
        TripSoFar(title="North", start=date),
        TripSoFar(title="North", start=date, stops=[oslo]),
        TripSoFar(title="North", start=date, stops=[oslo, rome]),
    ]


class _Reader:
    """Reads the value of each partial at once."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def feed(self, value: Any) -> tuple[()]:
        if isinstance(value, Partial):
            self._values.append(value.value)
        return ()

    def finish(self) -> tuple[()]:
        return ()


def test_only_what_does_not_fit_yet_is_left_out() -> None:
    values = distinct([one.value for one in partials(rxs.parse_output(Trip, partial=OpenTrip))])
    assert values[:3] == [{}, {"title": ""}, {"title": "N"}]
    assert {"title": "North", "stops": [{"city": "Os"}]} in values
    assert {"title": "North", "stops": [{"city": "Oslo", "kind": "train"}, {}]} in values
    assert values[-1]["stops"][1] == {"city": "Rome", "kind": "bus"}
    assert not any(
        stop.get("kind") not in (None, "train", "bus") for value in values for stop in value.get("stops", [])
    )


def test_paths_and_models_of_a_partial_are_those_of_the_json() -> None:
    shaped, plain = (partials(rxs.parse_output(Trip, partial=kind)) for kind in (TripSoFar, True))
    assert [one.finished_paths for one in shaped] == [one.finished_paths for one in plain]
    assert [one.open_path for one in shaped] == [one.open_path for one in plain]
    assert [one.as_model() for one in shaped] == [one.as_model() for one in plain]
    assert [str(one) for one in shaped] == [str(one) for one in plain]


def test_a_whole_value_that_does_not_fit_the_shape_is_an_error_where_it_is_read() -> None:
    last = partials(rxs.parse_output(dict[str, Any], partial=TripSoFar), document={"title": "x", "start": 3.5})[-1]
    for _ in range(2):
        with pytest.raises(SchemaError, match="cannot read the answer so far as TripSoFar") as caught:
            _ = last.value
        assert caught.value.path == "start"


def test_a_list_and_an_adapter_as_shape() -> None:
    for shape in (list[OpenStop], TypeAdapter(list[OpenStop])):
        values = [one.value for one in partials(rxs.parse_output(list[Stop], partial=shape), document=TRIP["stops"])]
        assert values[0] == []
        assert values[-1] == TRIP["stops"]


def test_a_shape_that_is_no_type() -> None:
    with pytest.raises(TypeError, match="expected a class to validate with"):
        rxs.parse_output(Trip, partial="TripSoFar")  # type: ignore[call-overload]


class Upper(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def in_context(cls, name: str, info: ValidationInfo) -> str:
        return f"{info.context['prefix']}{name}" if info.context else name


class OpenUpper(Upper):
    name: str = ""


CONTEXT = {"prefix": "Dr. "}


def test_the_context_reaches_the_model_the_partials_and_the_shape() -> None:
    document = {"name": "No"}
    events = answers.events_of(answers.structured(document))
    assert run(events, rxs.parse_output(Upper, partial=False, context=CONTEXT)) == [Upper(name="Dr. No")]
    assert run(events, rxs.parse_output(Upper, partial=False)) == [Upper(name="No")]
    for one in partials(rxs.parse_output(Upper, partial=OpenUpper, context=CONTEXT), document=document)[-1:]:
        assert one.as_model() == Upper(name="Dr. No")
        assert one.value == OpenUpper(name="Dr. No")
    many = answers.events_of(answers.structured([document]))
    assert run(many, rxs.json_items("[*]", Upper, context=CONTEXT)) == [Upper(name="Dr. No")]
    call = FunctionCall("f", "call_1", '{"name": "No"}')
    assert call.parse(Upper, context=CONTEXT) == Upper(name="Dr. No")
