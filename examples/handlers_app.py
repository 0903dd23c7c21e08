"""An app that hangs functions on a stream: show the text, say which tool is asked for, save the answer.

python examples/handlers_app.py            a server on this machine answers: no key, no network
python examples/handlers_app.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
import tempfile
from pathlib import Path

import anyio

import rxstream
from rxstream import events as ev
from rxstream.testing import LocalServer, answers

TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SAVED = Path(tempfile.gettempdir()) / "rxstream-answer.json"
handlers = rxstream.Handlers()


@handlers.on(ev.ResponseOutputTextDeltaEvent)
def show(event: ev.ResponseOutputTextDeltaEvent) -> None:
    print(event.delta, end="", flush=True)


@handlers.on(ev.ResponseOutputItemAddedEvent)
def announce(event: ev.ResponseOutputItemAddedEvent) -> None:
    if isinstance(event.item, ev.FunctionCallItem):
        print(f"\n[the model asks for {event.item.name} …]")


@handlers.on("response.completed")
async def save(event: ev.ResponseCompletedEvent) -> None:  # the stream waits until it has returned
    await anyio.Path(SAVED).write_text(event.response.model_dump_json(indent=2), encoding="utf-8")


@handlers.on_completed
def done() -> None:
    print(f"[saved to {SAVED}]")


@handlers.on_error
def fail(error: Exception) -> None:
    print(f"\nNo answer: {error}", file=sys.stderr)


def main(session: rxstream.Session) -> None:
    question = "Say that you look it up, then ask for the weather in Paris."
    session.response(model="gpt-4o-mini", input=question, tools=[TOOL]).subscribe(handlers)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        said = answers.together(
            answers.text("I look it up."), answers.function_calls([("get_weather", {"city": "Paris"})])
        )
        with LocalServer([said], pace=20) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
