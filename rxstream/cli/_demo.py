"""`rxstream demo`: streams over loopback HTTP, from a server in this process."""

from __future__ import annotations

import reactivex
from reactivex import Observable
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._stopwatch import Stopwatch
from rxstream.events import ResponseFunctionCallArgumentsDeltaEvent, StreamingEvent
from rxstream.results import EventGroup
from rxstream.session import Session
from rxstream.sinks import iterate
from rxstream.testing import LocalServer, answers

PROMPT = "Say 'double bubble bath' ten times fast."
ANSWER = " ".join(["Double bubble bath,"] * 9 + ["double bubble bath!"])
QUESTION = "What is the weather in Paris, and what time is it there?"
CALLS = [("get_weather", {"city": "Paris", "unit": "celsius"}), ("get_time", {"zone": "Europe/Paris"})]


def demo(pace: float) -> int:
    """Print a text as it arrives, then two interleaved function calls, each with its own arguments, then a summary."""
    with (
        LocalServer([answers.text(ANSWER), answers.function_calls(CALLS)], pace=pace) as server,
        Session(api_key="demo", base_url=server.base_url) as session,
    ):
        print(f"A Responses API server runs at {server.base_url}: real HTTP, no key, no network.\n")

        watch = Stopwatch()
        print(f"> {PROMPT}")
        answer = session.response(model="demo", input=PROMPT).pipe(watch.events(), rxs.text_only(), watch.text())
        for piece in iterate(answer):
            print(piece, end="", flush=True)

        print(f"\n\n> {QUESTION}")
        print("Two function calls, interleaved on the wire, grouped by output index:")
        calls = session.response(model="demo", input=QUESTION).pipe(watch.events(), ops.publish(_deltas_and_calls))
        for line in iterate(calls):
            print(line, flush=True)
        print(f"\n{watch.summary()}")
    return 0


def _deltas_and_calls(events: Observable[StreamingEvent]) -> Observable[str]:
    return reactivex.merge(
        events.pipe(
            rxs.of_type(ResponseFunctionCallArgumentsDeltaEvent),
            ops.map(lambda event: f"  wire  #{event.output_index}  {event.delta}"),
        ),
        events.pipe(rxs.group_by_output_index(), ops.flat_map(_call)),
    )


def _call(group: EventGroup[int]) -> Observable[str]:
    return group.pipe(
        rxs.accumulate_function_args(), ops.map(lambda call: f"  call  #{group.key}  {call.name}({call.arguments})")
    )
