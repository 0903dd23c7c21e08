"""An app that subscribes functions to a stream: show the text, and say which tool is called, and how it ended.

python examples/handlers_app.py            a server on this machine answers: no key, no network
python examples/handlers_app.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import rxstream
from rxstream import events as ev
from rxstream.testing import LocalServer, answers

handlers = rxstream.Handlers()


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    raise NotImplementedError("this app shows the call, and does not make it")


@handlers.on(ev.ResponseOutputTextDeltaEvent)
def show(event: ev.ResponseOutputTextDeltaEvent) -> None:
    print(event.delta, end="", flush=True)


@handlers.on(ev.ResponseOutputItemDoneEvent)
def show_call(event: ev.ResponseOutputItemDoneEvent) -> None:
    if isinstance(event.item, ev.FunctionCallItem):
        print(f"\n[the model calls {event.item.name} with {event.item.arguments}]")


@handlers.on("response.completed")
async def report(event: ev.ResponseCompletedEvent) -> None:  # it may be async: the stream waits until it has returned
    print(f"[{event.response.usage.total_tokens if event.response.usage else '?'} tokens]")


@handlers.on_completed
def done() -> None:
    print("[the end]")


@handlers.on_error
def fail(error: Exception) -> None:
    print(f"\nNo answer: {error}", file=sys.stderr)


def main(session: rxstream.Session) -> None:
    question = "Say that you look it up, then ask for the weather in Paris."
    session.response(model="gpt-4o-mini", input=question, tools=[get_weather]).subscribe(handlers)


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        call = answers.function_calls([("get_weather", {"city": "Paris"})])
        said = answers.together(answers.text("I look it up."), call)
        with LocalServer([said], pace=20) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
