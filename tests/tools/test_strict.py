"""The schema of a tool, beside the one that the official client makes of the same model."""

from __future__ import annotations

import copy
import datetime
import enum
import pathlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional

import pytest
from openai import pydantic_function_tool
from openai.lib._pydantic import to_strict_json_schema
from openai.lib._tools import pydantic_responses_function_tool
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from rxstream.tools import Tool, strict_schema, text_format


class Unit(enum.Enum):
    C = "celsius"
    F = "fahrenheit"


class Place(BaseModel):
    """A place on Earth."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    name: str | None = None


class Node(BaseModel):
    value: int
    children: list[Node]
    parent: Optional[Node] = Field(None, description="The one above.")  # noqa: UP045


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tail: bool


class Everything(BaseModel):
    text: str
    count: int = Field(description="How many.", ge=1, multiple_of=2)
    unit: Unit
    choice: Literal["a", "b"]
    one: Literal["a"]
    place: Place
    places: list[Place]
    node: Node
    either: Cat | Dog
    maybe: int | None
    maybe_place: Place | None = None
    when: datetime.datetime
    code: Annotated[str, Field(pattern="^[a-z]+$")]


def without_titles(schema: Any) -> Any:
    """Without the titles that pydantic makes of the names of fields."""
    if isinstance(schema, list):
        return [without_titles(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    fields = {name: without_titles(inner) for name, inner in schema.items()}
    for name, field in fields.get("properties", {}).items():
        if isinstance(field, dict) and field.get("title", "").lower() == name.replace("_", " "):
            del field["title"]
    return fields


def ours(model: type[BaseModel], **options: Any) -> dict[str, Any]:
    return without_titles(strict_schema(model.model_json_schema(), **options))


def theirs(model: type[BaseModel]) -> dict[str, Any]:
    return without_titles(to_strict_json_schema(model))


@pytest.mark.parametrize("model", [Everything, Place, Node, Cat, Dog])
def test_the_same_as_of_the_official_client(model: type[BaseModel]) -> None:
    assert ours(model) == theirs(model)


def test_a_function_and_a_model_of_its_parameters_are_the_same_tool() -> None:
    def get_weather(city: str, place: Place, unit: Literal["celsius", "fahrenheit"]) -> str:
        """The weather in a city, now."""
        raise NotImplementedError

    class GetWeather(BaseModel):
        """The weather in a city, now."""

        city: str
        place: Place
        unit: Literal["celsius", "fahrenheit"]

    get_weather.__annotations__ |= {"place": Place}
    tool = without_titles(Tool(get_weather).definition)
    expected = without_titles(pydantic_responses_function_tool(GetWeather, name="get_weather"))
    del expected["parameters"]["title"]  # only the name again
    del expected["parameters"]["description"]  # only that of the tool again
    assert tool == expected
    chat: Any = without_titles(pydantic_function_tool(GetWeather, name="get_weather"))["function"]
    assert chat["description"] == tool["description"]


class Defaults(BaseModel):
    unit: str = "celsius"
    place: Place = Place(latitude=0)
    tags: list[str] = Field(default_factory=list, description="Any.")
    code: str | None = "x"


def test_difference_an_optional_property_may_be_null_and_has_no_default() -> None:
    """`default` is not allowed, and the official client leaves it. It makes the model write a value."""
    assert theirs(Defaults)["properties"]["unit"] == {"type": "string", "default": "celsius"}
    properties = ours(Defaults)["properties"]
    null = {"type": "null"}
    assert properties["unit"] == {"anyOf": [{"type": "string"}, null], "description": 'Default: "celsius"'}
    assert properties["place"]["anyOf"] == [{"$ref": "#/$defs/Place"}, null]
    assert properties["tags"]["anyOf"] == [{"type": "array", "items": {"type": "string"}}, null]
    assert properties["tags"]["description"] == "Any."
    assert properties["code"] == {"anyOf": [{"type": "string"}, null], "description": 'Default: "x"'}
    assert ours(Defaults)["required"] == ["unit", "place", "tags", "code"]


def test_in_an_answer_an_optional_property_has_to_be_written() -> None:
    schema = ours(Defaults, optional="required")
    assert schema["properties"]["unit"] == {"type": "string"}
    assert schema["required"] == ["unit", "place", "tags", "code"]


class Pets(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


def test_difference_a_discriminated_union_is_any_of() -> None:
    """`oneOf` and `discriminator` are not allowed, and the official client leaves them."""
    assert "oneOf" in theirs(Pets)["properties"]["pet"]
    assert ours(Pets)["properties"]["pet"] == {"anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]}


class Keywords(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=9, description="A name.")]
    path: pathlib.Path
    tags: set[str]
    even: Annotated[str, Field(json_schema_extra={"pattern": "^(?=x)"})]
    mixed: Literal[1, "a", None]


def test_difference_keywords_that_are_not_allowed_are_in_the_description() -> None:
    properties = ours(Keywords)["properties"]
    assert properties["name"] == {"type": "string", "description": "A name.\nminLength: 2\nmaxLength: 9"}
    assert properties["path"] == {"type": "string", "description": "format: path"}
    assert properties["tags"]["description"] == "uniqueItems: true"
    assert properties["even"] == {"type": "string", "description": "pattern: ^(?=x)"}
    assert properties["mixed"] == {"enum": [1, "a", None], "type": ["integer", "string", "null"]}


class Described(BaseModel):
    place: Place = Field(description="Where.")
    tree: Node = Field(description="What.")


class Linked(BaseModel):
    value: int
    next: Linked = Field(description="The next one.")


def test_difference_a_definition_that_is_not_used_is_left_out() -> None:
    """Nothing may stand beside a `$ref`, so a described one is copied, as the official client does."""
    expected = theirs(Described)
    assert "Place" in expected["$defs"]
    del expected["$defs"]["Place"]
    assert ours(Described) == expected


def test_difference_a_described_reference_to_itself_ends() -> None:
    with pytest.raises(RecursionError):
        to_strict_json_schema(Linked)
    schema = strict_schema(Linked.model_json_schema())
    inner = schema["properties"]["next"]["properties"]["next"]
    assert inner == {"anyOf": [{"$ref": "#/$defs/Linked"}], "description": "The next one."}


def test_the_argument_is_not_changed() -> None:
    schema = Everything.model_json_schema()
    before = copy.deepcopy(schema)
    strict_schema(schema)
    assert schema == before


class Rows(TypedDict, total=False):
    a: int


@dataclass
class Point:
    x: int
    y: int = 0


def test_typed_dicts_and_dataclasses() -> None:
    schema = strict_schema(TypeAdapter(Rows).json_schema())
    assert schema["required"] == ["a"]
    assert schema["properties"]["a"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert text_format(Point)["schema"]["required"] == ["x", "y"]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Outer(BaseModel):
    filters: list[dict[str, int]]


class Pair(BaseModel):
    pair: tuple[int, str]


class Anything(BaseModel):
    values: list[Any]


class Extra(BaseModel):
    name: Annotated[str, Field(json_schema_extra={"not": {"const": "x"}})]


@pytest.mark.parametrize(
    ("model", "place", "got"),
    [
        (Open, "its root", "any keys"),
        (Outer, "filters[]", "any keys"),
        (Pair, "pair", "a tuple"),
        (Anything, "values", "one without"),
        (Extra, "name", "not"),
    ],
)
def test_what_cannot_be_strict_is_said_with_its_place(model: type[BaseModel], place: str, got: str) -> None:
    with pytest.raises(TypeError) as raised:
        text_format(model)
    assert f"{model.__name__} cannot be strict at {place}: expected" in str(raised.value)
    assert got in str(raised.value)


def test_the_root_is_an_object() -> None:
    with pytest.raises(TypeError, match="expected an object, such as a pydantic model, got array"):
        strict_schema(TypeAdapter(list[int]).json_schema())
    with pytest.raises(TypeError, match=r"a reference to one of \$defs"):
        strict_schema({"type": "object", "properties": {"a": {"$ref": "#/$defs/B"}}})


class Page(BaseModel):
    items: list[int]


def test_a_text_format() -> None:
    form = text_format(Page)
    assert form == {"type": "json_schema", "name": "Page", "strict": True, "schema": form["schema"]}
    assert form["schema"]["additionalProperties"] is False
    with pytest.raises(TypeError, match="expected a class to validate with"):
        text_format("Page")  # type: ignore[arg-type]
