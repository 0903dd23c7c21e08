"""A model on the local server that plays whole runs, and runs against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio.lowlevel

import rxstream
from rxstream.testing import LocalServer, answers
from rxstream.tools import tool
from tests.session._modes import Heard, in_session, options_for


@tool(pure=True)
async def look(city: str) -> dict[str, Any]:
    """Look."""
    await anyio.lowlevel.checkpoint()
    return {"city": city}


def cities_of(items: list[dict[str, Any]]) -> list[str]:
    """The cities that tools have looked at."""
    outputs = [item["output"] for item in items if item.get("type") == "function_call_output"]
    return [json.loads(output)["city"] for output in outputs]


def traveller(*route: str) -> Callable[[list[dict[str, Any]]], Any]:
    """A model that thinks, looks at each city in its own turn, and then names them."""

    def play(items: list[dict[str, Any]]) -> Any:
        seen = cities_of(items)
        if len(seen) < len(route):
            city = route[len(seen)]
            return answers.reasoning_summary("Hm.", then=answers.function_calls([("look", {"city": city})]))
        return f"I saw {', '.join(seen)}."

    return play


def run(mode: str, script: list[Any], **options: Any) -> tuple[Heard, list[Any]]:
    """A run in a session of that mode, and the bodies of its requests."""
    heard = Heard()
    with LocalServer(script) as server:
        request = {"model": "m", "input": "Q", "tools": [look], **options}
        in_session(mode, lambda session: heard.subscribe(session.run(**request)), **options_for(server))
        return heard, [exchange.json for exchange in server.log]


def journey(*route: str, mode: str = "with", **options: Any) -> tuple[Heard, list[Any]]:
    """A run with a traveller."""
    return run(mode, [answers.conversation(traveller(*route))], **options)


def kinds(items: list[Any]) -> list[str]:
    return [item.get("type", "message") for item in items]


def text_of(heard: Heard) -> str:
    return "".join(event.delta for event in heard.values if event.type == "response.output_text.delta")


def with_session(server: LocalServer) -> rxstream.Session:
    return rxstream.Session(**options_for(server))
