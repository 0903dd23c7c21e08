"""Pages in headless Chromium: a chat by `useChat`, and `EventSource` whose connection breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.tools import tool
from rxstream.web import EventStreamResponse, from_ui_messages, to_sse, to_ui_messages
from tests.waiting import wait_for
from tests.web._clients import FOLDER, SECONDS, browser, bundled, needs_chromium, needs_node
from tests.web._serving import served, with_session

pytestmark = needs_chromium


class Page:
    """A page with a script, and what it reports."""

    def __init__(self, script: str) -> None:
        self._script = script
        self.reports: list[Any] = []
        self.routes = [Route("/", self._show), Route("/report", self._report, methods=["POST"])]

    async def _show(self, request: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><meta charset=utf-8><body><script>{self._script}</script>")

    async def _report(self, request: Request) -> JSONResponse:
        self.reports.append(await request.json())
        return JSONResponse({})


@needs_node
def test_use_chat_runs_tools_asks_for_approval_goes_on_and_stops() -> None:
    page, bodies, approved = Page(bundled("chat.jsx").replace("</script", "<\\/script")), [], reactivex.Subject[str]()

    @tool(needs_approval=True)
    async def weather(city: str) -> dict[str, Any]:
        """The weather in a city."""
        return {"city": city, "celsius": 21}

    async def chat(request: Request) -> EventStreamResponse:
        bodies.append(await request.json())
        items = from_ui_messages(bodies[-1])
        session = request.app.state.session

        def ask(items: list[Any]) -> Any:
            return session.response(model="m", input=items)

        def approve(call: Any) -> Any:
            return approved.pipe(ops.filter(lambda call_id: call_id == call.call_id), ops.map(lambda _: True))

        run = rxs.run_tools([weather], ask, input=items, approve=approve)
        return EventStreamResponse(ask(items).pipe(run), to_ui_messages())

    async def approval(request: Request) -> JSONResponse:
        approved.on_next((await request.json())["id"])
        return JSONResponse({})

    routes = [Route("/chat", chat, methods=["POST"]), Route("/approve", approval, methods=["POST"]), *page.routes]
    script = [
        answers.function_calls([("weather", {"city": "Oslo"}, "c1")]),
        answers.text("It is warm."),
        answers.text("Yes."),
        answers.endless(pace=100),
    ]
    with LocalServer(script) as upstream:
        with served(with_session(upstream.base_url, *routes), lifespan=True) as url, browser(f"{url}/"):
            wait_for(lambda: page.reports, SECONDS)
            upstream.wait_closed(timeout=SECONDS)  # `stop()` in the page closes the socket of the answer
        inputs = [exchange.json["input"] for exchange in upstream.log]
    (report,) = page.reports
    assert report["error"] is None
    first, second, third = [message["parts"] for message in report["messages"] if message["role"] == "assistant"]
    (call,) = [part for part in first if part["type"] == "tool-weather"]
    assert (call["state"], call["output"]) == ("output-available", {"city": "Oslo", "celsius": 21})
    assert call["approval"]["approved"] is True
    assert [part["text"] for part in first if part["type"] == "text"] == ["It is warm."]
    assert [part["text"] for part in second if part["type"] == "text"] == ["Yes."]
    assert any(part["type"] == "text" and part["text"] for part in third)
    assert inputs[2] == [
        {"role": "user", "content": "Hi"},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Oslo"}'},
        {"type": "function_call_output", "call_id": "c1", "output": '{"city":"Oslo","celsius":21}'},
        {"role": "assistant", "content": "It is warm."},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize("cut_after", [1, 4])
def test_event_source_goes_on_where_its_connection_broke(cut_after: int) -> None:
    page, asked = Page((FOLDER / "event_source.js").read_text()), []
    events = answers.events_of(answers.text(["Hello", " there", "."]))

    async def stream(request: Request) -> EventStreamResponse:
        last = request.headers.get("last-event-id")
        asked.append(last)
        source = reactivex.from_iterable(events)
        if len(asked) == 1:
            source = source.pipe(ops.take(cut_after))
        return EventStreamResponse(source, to_sse(after=int(last) if last else None, retry=0.01))

    routes = [Route("/events", stream), *page.routes]
    with served(with_session("http://127.0.0.1:1", *routes), lifespan=True) as url, browser(f"{url}/"):
        wait_for(lambda: page.reports, SECONDS)
    (report,) = page.reports
    assert [each[2] for each in report["seen"]] == [json.loads(event.model_dump_json()) for event in events]
    assert [each[1] for each in report["seen"]] == [str(event.sequence_number) for event in events]
    assert asked == [None, str(events[cut_after - 1].sequence_number)]
    assert report["opened"] == 2
