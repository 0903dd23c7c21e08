"""Runs with a ledger against a local server: what the tests of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import Ledger, LedgerRecord, MemoryLedger, Tool
from tests.session._modes import Heard, in_session, options_for


class Effects:
    """Two tools, and what they did."""

    def __init__(self, **options: Any) -> None:
        self.done: list[str] = []

        async def look(city: str) -> str:
            self.done.append(f"look {city}")
            return f"warm in {city}"

        def save(city: str) -> str:
            self.done.append(f"save {city}")
            return f"saved {city}"

        self.tools = [Tool(look, pure=True), Tool(save, **options)]


CALLS = answers.function_calls([("look", {"city": "Oslo"}, "call_0"), ("save", {"city": "Rome"}, "call_1")])


def model(body: Any) -> Any:
    """Two calls, and the answer behind their outputs."""
    asked_first = all(item.get("type") != "function_call_output" for item in items_of(body))
    return CALLS if asked_first else "Saved."


def items_of(body: Any) -> list[dict[str, Any]]:
    return [] if isinstance(body["input"], str) else body["input"]


def run(
    ledger: Ledger | None,
    tools: Sequence[Any],
    mode: str = "with",
    script: Sequence[Any] = (model,),
    input: Any = "Q",
    observe: Callable[[Heard, Observable[Any]], object] = Heard.subscribe,
    **options: Any,
) -> tuple[Heard, int]:
    """A run in a session of that mode, and the number of its requests."""
    heard = Heard()
    with LocalServer(script) as server:

        def body(session: rxstream.Session) -> None:
            def ask(items: list[Any] | str) -> Observable[Any]:
                return session.response(model="m", input=items, tools=tools)

            observe(heard, ask(input).pipe(rxs.run_tools(tools, ask, input=input, ledger=ledger, **options)))

        in_session(mode, body, **options_for(server))
        return heard, len(server.log)


def of_type(heard: Heard, kind: type[Any]) -> list[Any]:
    return [event for event in heard.values if isinstance(event, kind)]


def whole_run(effects: Effects, **options: Any) -> tuple[list[LedgerRecord], list[Any]]:
    """The records of a run that nothing interrupts, and its conversation."""
    ledger = MemoryLedger()
    heard, _ = run(ledger, effects.tools, **options)
    assert heard.completed()
    return ledger.records, heard.values[-1].input


def without_ids(items: list[Any]) -> list[Any]:
    """The server numbers the items of all its answers."""
    return [{name: value for name, value in item.items() if name != "id"} for item in items]


def until_record(records: list[LedgerRecord], kind: str, name: str | None = None) -> list[LedgerRecord]:
    """The records up to the first one of a type, with it."""
    for number, record in enumerate(records, 1):
        if record["type"] == kind and name in (None, record.get("name")):
            return records[:number]
    raise AssertionError(kind)
