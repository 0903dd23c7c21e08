"""A function as a tool: its definition, the calls of what the model wrote, and wrong use."""

from __future__ import annotations

import functools
from datetime import timedelta
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from rxstream.errors import ToolError
from rxstream.tools import Context, CustomTool, Tool, tool


class Place(BaseModel):
    latitude: float
    name: str = "somewhere"


@tool(pure=True)
def get_weather(
    city: str,
    context: Context[str],
    place: Place | None = None,
    json: Annotated[int, Field(ge=3, description="How many days.")] = 3,
    *,
    unit: Literal["celsius", "fahrenheit"] = "celsius",
) -> tuple[Any, ...]:
    """The weather in a city, now.

    Of the last hour.

    Args:
        city (str): The city,
            or a town.
        place: Where: exactly.
        json: Not this one.

    Returns:
        All of it.
    """
    return city, context, place, json, unit


def test_the_definition() -> None:
    definition = get_weather.definition
    assert definition["type"] == "function"
    assert definition["name"] == "get_weather"
    assert definition["strict"] is True
    assert definition["description"] == "The weather in a city, now.\n\nOf the last hour."
    properties = definition["parameters"]["properties"]
    assert [*properties] == definition["parameters"]["required"] == ["city", "place", "json", "unit"]
    assert properties["city"] == {"type": "string", "description": "The city, or a town."}
    assert properties["place"]["description"] == "Where: exactly."
    assert properties["json"]["description"] == "How many days.\nDefault: 3"


def test_it_is_still_the_function() -> None:
    context = Context(call_id="c", deps="d")
    assert get_weather("Paris", context, unit="fahrenheit") == ("Paris", context, None, 3, "fahrenheit")
    assert get_weather.__name__ == "get_weather"


def test_a_call() -> None:
    context = Context(call_id="call_1", turn=2, deps="mine")
    written = '{"city": "Paris", "place": {"latitude": 1, "name": "P"}, "json": 4, "unit": "fahrenheit"}'
    call = get_weather.bind(written, context)
    assert call() == ("Paris", context, Place(latitude=1, name="P"), 4, "fahrenheit")


def test_null_stands_for_the_default_at_every_depth() -> None:
    written = '{"city": "Paris", "place": {"latitude": 1, "name": null}, "json": null, "unit": null}'
    assert get_weather.bind(written)()[2:] == (Place(latitude=1), 3, "celsius")


class Shelf(BaseModel):
    places: list[Place]
    either: Place | list[int]


def test_null_stands_for_the_default_in_lists_and_unions() -> None:
    def show(shelf: Shelf) -> Shelf:
        return shelf

    show.__annotations__["shelf"] = Shelf
    inner = '{"latitude": 1, "name": null}'
    shelf = Tool(show).bind(f'{{"shelf": {{"places": [{inner}, {inner}], "either": {inner}}}}}')()
    assert shelf == Shelf(places=[Place(latitude=1)] * 2, either=Place(latitude=1))


def test_a_null_that_is_a_value_stays() -> None:
    def note(text: str | None = "none") -> str | None:
        return text

    assert Tool(note).bind('{"text": null}')() is None
    assert Tool(note).bind("{}")() == "none"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('{"place": null, "json": null, "unit": null}', "city: Field required"),
        ('{"city": null}', "city: Field required"),
        ('{"city": 3}', "city: Input should be a valid string, got 3"),
        (
            '{"city": "P", "place": {"latitude": "x"}}',
            "place.latitude: Input should be a valid number, unable to parse",
        ),
        ('{"city": "P", "unit": "kelvin"}', "unit: Input should be 'celsius' or 'fahrenheit', got \"kelvin\""),
        ('{"city": "P", "town": "Q"}', "town: Extra inputs are not permitted"),
        ('{"city": "P', "Invalid JSON: EOF"),
        ("[1]", "Input should be an object, got [1]"),
        ("", "city: Field required"),
    ],
)
def test_wrong_arguments_are_a_short_message_for_the_model(written: str, problem: str) -> None:
    with pytest.raises(ToolError) as raised:
        get_weather.bind(written)
    assert str(raised.value).startswith(f"cannot read the arguments of get_weather(): {problem}")
    assert raised.value.name == "get_weather"
    assert "pydantic" not in str(raised.value)


def test_the_message_is_short() -> None:
    many = {f"p{i}": 1 for i in range(9)}
    with pytest.raises(ToolError) as raised:
        get_weather.bind(f'{{"city": ["{"x" * 500}"], {", ".join(f""" "{n}": 1""" for n in many)}}}')
    assert len(str(raised.value)) < 500
    assert "; and 5 more" in str(raised.value)


def test_arguments_that_are_half_a_surrogate_pair() -> None:
    def say(text: str) -> str:
        return text

    assert Tool(say).bind('{"text": "\\ud83d\\ude00"}')() == "😀"


def test_no_parameters_and_no_arguments() -> None:
    def now() -> int:
        return 1

    assert Tool(now).definition["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
    assert Tool(now).bind("")() == 1
    assert Tool(now).bind("{}")() == 1


def test_positional_parameters_aliases_and_fields_as_defaults() -> None:
    def send(
        a: int,
        /,
        b: int = Field(description="B."),
        c: int = Field(3, ge=1),
        d: list[int] = Field(default_factory=list),  # noqa: B008
        from_: Annotated[str, Field(alias="from")] = "me",
    ) -> tuple[Any, ...]:
        return a, b, c, d, from_

    sender = Tool(send)
    assert [*sender.parameters["properties"]] == ["a", "b", "c", "d", "from"]
    assert sender.parameters["properties"]["b"] == {"type": "integer", "description": "B."}
    assert sender.bind('{"a": 1, "b": 2, "c": null, "d": null, "from": null}')() == (1, 2, 3, [], "me")
    assert sender.bind('{"a": 1, "b": 2, "c": 4, "d": [5], "from": "you"}')() == (1, 2, 4, [5], "you")


class Store:
    def find(self, key: str, limit: int = 10) -> tuple[str, int]:
        """Find it."""
        return key, limit

    def __call__(self, key: str) -> str:
        """Get it."""
        return key


def test_methods_objects_and_partials() -> None:
    assert Tool(Store().find).bind('{"key": "k", "limit": null}')() == ("k", 10)
    assert Tool(Store(), name="get").definition["description"] == "Get it."
    assert Tool(Store(), name="get").bind('{"key": "k"}')() == "k"
    limited = Tool(functools.partial(Store().find, limit=2), name="find")
    assert limited.definition["description"] == "Find it."
    assert [*limited.parameters["properties"]] == ["key"], "what the app has given is not the model's to choose"
    assert limited.bind('{"key": "k"}')() == ("k", 2)


def test_an_async_function_is_not_started() -> None:
    @tool
    async def later(x: int) -> int:
        return x

    with pytest.raises(StopIteration) as returned:
        later.bind('{"x": 1}')().send(None)
    assert returned.value.value == 1


def test_a_default_that_is_not_json() -> None:
    missing = object()

    def look(at: str, where: list[str] = missing) -> bool:  # type: ignore[assignment]
        return where is missing

    assert Tool(look).bind('{"at": "a", "where": null}')() is True


def test_not_strict() -> None:
    def save(values: dict[str, int], mode: str = "w") -> tuple[Any, ...]:
        return values, mode

    with pytest.raises(TypeError, match=r"save\(\) cannot be strict at values: expected .* or use strict=False"):
        Tool(save)
    saver = Tool(save, strict=False)
    assert saver.definition["strict"] is False
    assert saver.parameters["required"] == ["values"]
    assert saver.parameters["properties"]["mode"] == {"type": "string", "default": "w"}
    assert saver.bind('{"values": {"a": 1}}')() == ({"a": 1}, "w")
    with pytest.raises(ToolError, match="mode: Input should be a valid string, got null"):
        saver.bind('{"values": {}, "mode": null}')


def test_a_function_whose_parameters_no_schema_can_say() -> None:
    def rest(*args: int) -> None: ...
    def options(**kwargs: int) -> None: ...
    def bare(x) -> None: ...  # type: ignore[no-untyped-def]
    def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
    def of_a_class(x: int, y: object) -> None: ...

    of_a_class.__annotations__["y"] = Store
    for function, message in [
        (rest, r"rest\(\): expected parameters with names, got \*args"),
        (options, r"options\(\): expected parameters with names, got \*\*kwargs"),
        (bare, r"bare\(\): expected an annotation of the parameter x, got none"),
        (unknown, r"unknown\(\): cannot read its annotations: .*define the type in the module"),
        (of_a_class, r"of_a_class\(\): pydantic cannot validate the parameter y: "),
        (Store.find, r"make Tool\(object.method\)"),
        (Store, "expected a function to make a tool of, got <class"),
        (get_weather, "expected a function to make a tool of, got <Tool get_weather>"),
        (3, "expected a function to make a tool of, got 3"),
    ]:
        with pytest.raises(TypeError, match=message):
            Tool(function)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "annotation",
    [Context, Context[str], Context | None, Context[str] | None, Annotated[Context[str], "of the call"]],
)
def test_each_form_of_a_context(annotation: Any) -> None:
    def show(x: int, context: Any = None) -> Any:
        return x, context.call_id

    def text(value: str, context: Any = None) -> Any:
        return value, context.call_id

    context = Context(call_id="c")
    show.__annotations__["context"] = text.__annotations__["context"] = annotation
    assert [*Tool(show).parameters["properties"]] == ["x"]
    assert Tool(show).bind('{"x": 1}', context)() == (1, "c")
    assert CustomTool(text).bind_call(SimpleNamespace(input="a"), context)() == ("a", "c")


def test_a_pattern_that_pydantic_cannot_check_is_said_with_its_place() -> None:
    def find(key: str, code: Annotated[str, Field(pattern="^(?!a)")]) -> None: ...

    with pytest.raises(TypeError, match=r"find\(\): pydantic cannot validate the parameter code: .*look-around"):
        Tool(find)


def test_sections_of_arguments_by_keyword() -> None:
    def look(city: str, *, days: int, unit: str) -> None:
        """Look.

        Args:
            city: A town.

        Keyword Args:
            days (int, of one week): How many.

        Other Parameters:
            unit: Of length.
        """

    assert Tool(look).description == "Look."
    described = {name: each["description"] for name, each in Tool(look).parameters["properties"].items()}
    assert described == {"city": "A town.", "days": "How many.", "unit": "Of length."}


def test_options() -> None:
    def run(x: int) -> int:
        return x

    assert Tool(run, name="go", description="Go.").definition["description"] == "Go."
    assert Tool(run, description="").definition.keys() == {"type", "name", "parameters", "strict"}
    assert Tool(run).start == "turn"
    assert Tool(run, pure=True).start == "item"
    assert Tool(run, pure=True, start="turn").start == "turn"
    assert Tool(run, timeout=timedelta(minutes=1)).timeout == 60.0
    for options in [
        {"name": "no spaces"},
        {"name": ""},
        {"name": "x" * 65},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": True},
        {"max_in_flight": 0},
        {"max_in_flight": True},
        {"max_in_flight": 2.5},
        {"max_in_flight": "2"},
        {"timeout": "2"},
        {"start": "now"},
        {"start": "item"},
    ]:
        with pytest.raises(ValueError, match="expected"):
            Tool(run, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give one with name="):
        Tool(lambda: 1)
