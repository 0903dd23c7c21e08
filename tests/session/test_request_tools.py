"""Functions as tools and models as the format of the answer, in a request."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from pydantic import BaseModel

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import tool


class Recipe(BaseModel):
    name: str
    minutes: int


def get_time(zone: str) -> str:
    """The time, now."""
    return zone


@tool(name="weather")
def get_weather(city: str) -> str:
    return city


def sent(**request: Any) -> dict[str, Any]:
    """The body that arrives at the server."""
    with LocalServer([answers.text("Hi")]) as server:
        with rxstream.Session(api_key="k", base_url=server.base_url) as session:
            rxstream.result(session.response(model="m", input="Hi", **request).pipe(rxs.final_response())).wait(10)
        return server.log[0].json


def test_functions_tools_and_dicts() -> None:
    search = {"type": "web_search"}
    parameters = {
        "type": "object",
        "properties": {"zone": {"type": "string"}},
        "required": ["zone"],
        "additionalProperties": False,
    }
    time = {"type": "function", "name": "get_time", "description": "The time, now.", "parameters": parameters}
    body = sent(tools=[get_time, get_weather, search])
    assert body["tools"] == [time | {"strict": True}, get_weather.definition, search]
    assert sent(tools=(search,))["tools"] == [search]
    assert sent(tools=None)["tools"] is None


def test_a_function_that_cannot_be_strict() -> None:
    def save(values: dict[str, int]) -> None: ...

    with (
        rxstream.Session(api_key="k") as session,
        pytest.raises(TypeError, match=r"save\(\) cannot be strict at values"),
    ):
        session.response(model="m", input="Hi", tools=[save])


def test_a_model_as_the_format_of_the_answer() -> None:
    with LocalServer([answers.structured(Recipe(name="Soup", minutes=25))]) as server:
        with rxstream.Session(api_key="k", base_url=server.base_url) as session:
            answer = session.response(model="m", input="Hi", text_format=Recipe, text={"verbosity": "low"})
            recipe = rxstream.result(answer.pipe(rxs.parse_output(Recipe, partial=False))).wait(10)
        client = openai.OpenAI(api_key="k", base_url=server.base_url)
        with client, client.responses.stream(model="m", input="Hi", text_format=Recipe) as stream:
            assert stream.get_final_response().output_parsed == recipe
        ours, theirs = (exchange.json["text"] for exchange in server.log)
    assert ours.pop("verbosity") == "low"
    for field in theirs["format"]["schema"]["properties"].values():
        del field["title"]  # only the name of the field again
    assert ours == theirs
    assert sent(text_format=None).keys() == {"model", "input", "stream"}


def test_two_formats_are_refused() -> None:
    with rxstream.Session(api_key="k") as session, pytest.raises(TypeError, match="got both: leave one out"):
        session.response(model="m", input="Hi", text_format=Recipe, text={"format": {"type": "text"}})
