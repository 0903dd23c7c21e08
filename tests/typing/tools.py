"""What a tool is to a type checker. This file is checked by pyright and mypy, and never run."""

from collections.abc import Callable
from typing import assert_type

from pydantic import BaseModel

import rxstream
from rxstream.tools import Context, Tool, tool


class Weather(BaseModel):
    celsius: float


@tool
def plain(city: str) -> Weather:
    return Weather(celsius=len(city))


@tool(pure=True, timeout=3)
async def later(city: str, context: Context[dict[str, int]]) -> float:
    context.emit("half")
    return context.deps[city]


async def asynchronous() -> None:
    assert_type(await later("Paris", Context(deps={"Paris": 1})), float)


def tools(session: rxstream.Session) -> None:
    assert_type(plain("Paris"), Weather)
    assert_type(plain.bind("{}"), Callable[[], Weather])
    assert_type(Tool(max, name="max").strict, bool)
    session.response(model="m", input="Hi", tools=[plain, later, print, {"type": "web_search"}], text_format=Weather)
