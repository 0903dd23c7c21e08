"""What a tool is to a type checker. This file is checked by pyright and mypy, and never run."""

from collections.abc import Callable
from typing import Any, assert_type

from pydantic import BaseModel
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.tools import Context, RunProgress, RunStreamEvent, Tool, called, keep_tokens, tool, turns


class Weather(BaseModel):
    celsius: float


@tool
def plain(city: str) -> Weather:
    return Weather(celsius=len(city))


@tool(pure=True, timeout=3)
async def later(city: str, context: Context[dict[str, int]]) -> float:
    context.emit("half")
    return context.deps[city]


def enough(progress: RunProgress) -> bool:
    return progress.tool_calls > 2


def runs(session: rxstream.Session) -> None:
    def ask(items: list[Any]) -> Observable[StreamingEvent]:
        return session.response(model="m", input=items, tools=[plain])

    rule = turns(3) | enough | called("plain")
    run = session.response(model="m", input="Hi").pipe(rxs.run_tools([plain, later], ask, stop_when=rule))
    assert_type(run, Observable[RunStreamEvent])
    assert_type(run.pipe(rxs.text_only()), Observable[str])


def session_runs(session: rxstream.Session) -> None:
    def newest(items: list[Any]) -> list[Any]:
        return items[-3:]

    async def summary(items: list[Any]) -> list[Any]:
        return items

    run = session.run(
        model="m",
        input="Hi",
        tools=[plain, later, {"type": "web_search"}],
        text_format=Weather,
        through=(rxs.require_completed(),),
        stop_when=turns(3) | enough,
        approve=lambda call: call.name == "plain",
        context=[keep_tokens(1000), newest, summary],
        continue_by="previous_response_id",
        background=True,
        resume=True,
    )
    assert_type(run, Observable[RunStreamEvent])
    session.run(context=summary, through=[rxs.require_completed()], conversation={"id": "conv_1"})
    session.run(stop_whn=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    session.run(model=3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def asynchronous() -> None:
    assert_type(await later("Paris", Context(deps={"Paris": 1})), float)


def tools(session: rxstream.Session) -> None:
    assert_type(plain("Paris"), Weather)
    assert_type(plain.bind("{}"), Callable[[], Weather])
    assert_type(Tool(max, name="max").strict, bool)
    session.response(model="m", input="Hi", tools=[plain, later, print, {"type": "web_search"}], text_format=Weather)
