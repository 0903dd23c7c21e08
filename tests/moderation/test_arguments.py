"""Arguments of functions behind a moderator: judged decoded, and never used cut or before their verdict."""

import json
import random
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.moderation import Blocklist
from rxstream.results import FunctionCall
from rxstream.testing import VirtualClock, answers
from rxstream.tools import ToolStartedEvent, tool
from tests.event_builders import (
    arguments_delta,
    arguments_done,
    completed,
    created,
    function_call,
    make_event,
)
from tests.moderation._moderated import split_in
from tests.session._modes import modes
from tests.session._runs import run

SECRET = "hunter2 swordfish"
HIDDEN = "".join(f"\\u{ord(character):04x}" for character in SECRET)


def inside(text: str, levels: int) -> str:
    """A JSON text that holds a JSON text, and so on, with the secret written in escapes."""
    for _ in range(levels):
        text = '{"q": ' + json.dumps(text) + "}"
    return text


ARGUMENTS = {
    "plain": json.dumps({"q": SECRET}),
    "escaped": f'{{"q": "{HIDDEN}"}}',
    "in a name": json.dumps({"n": 1, SECRET: 2}),
    "JSON in JSON": inside(json.dumps({"inner": SECRET}), 1),
    "escaped in JSON in JSON": inside(f'{{"inner": "{HIDDEN}"}}', 1),
    "escaped, three deep": inside(f'{{"inner": "{HIDDEN}"}}', 2),
    "after whole JSON": '{"n": 1}' + " " * 90 + SECRET,
    "after a number": f'{{"n": 123456, "q": "{SECRET}"}}',
}


def stream(arguments: str, repeats: tuple[bool, bool], pieces: int) -> list[StreamingEvent]:
    """A call, with the events that repeat its arguments, or without."""
    call = function_call("look", arguments, status="completed")
    events = [created(), make_event("response.output_item.added", output_index=0, item={**call, "arguments": ""})]
    events += [arguments_delta(piece) for piece in split_in(arguments, pieces)]
    if repeats[0]:
        events.append(arguments_done(arguments))
    if repeats[1]:
        events.append(make_event("response.output_item.done", output_index=0, item=call))
    return [*events, completed(call)]


def calls_of(events: list[StreamingEvent], gap: float, *operators: Any) -> list[FunctionCall]:
    clock, source, calls = VirtualClock(), reactivex.Subject[Any](), list[Any]()
    source.pipe(*operators).subscribe(calls.append, lambda error: None, scheduler=clock.scheduler)
    for event in events:
        source.on_next(event)
        clock.advance(gap)
    source.on_completed()
    clock.advance(60)
    return [call for call in calls if call.done]


@pytest.mark.parametrize("action", ["cut", "error", "refuse", "replace"])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_no_call_has_arguments_that_were_flagged_or_cut(name: str, action: Any):
    rng = random.Random(name)
    for mode in ("hold", "bounded"):
        for repeats in ((True, True), (False, True), (True, False), (False, False)):
            for operator in (rxs.accumulate_function_args, rxs.tool_calls):
                events = stream(ARGUMENTS[name], repeats, rng.choice([1, 7, 40]))
                first = rng.choice([5, 60])
                moderate = rxs.debounce_moderation(
                    Blocklist([SECRET]), mode=mode, on_flag=action, first_chars=first, max_chars=60
                )
                calls = calls_of(events, rng.choice([0.0, 0.3]), moderate, operator())
                if action == "replace" and (mode == "hold" or calls):
                    (call,) = calls
                    assert "[removed]" in call.arguments or "null" in call.arguments
                    assert "hunter2" not in call.arguments
                    assert HIDDEN[:12] not in call.arguments
                else:
                    assert calls == []


@pytest.mark.parametrize("name", ["JSON in JSON", "escaped in JSON in JSON", "escaped, three deep"])
def test_a_replacement_leaves_json_in_json_as_it_is(name: str):
    moderate = rxs.debounce_moderation(Blocklist([SECRET]), on_flag="replace")
    (call,) = calls_of(stream(ARGUMENTS[name], (True, True), 9), 0.0, moderate, rxs.accumulate_function_args())
    value = json.loads(call.arguments)
    while "q" in value:
        value = json.loads(value["q"])
    assert value == {"inner": "[removed]"}


@pytest.mark.parametrize("pieces", [1, 3, 50])
def test_arguments_that_pass_arrive_as_they_were_written(pieces: int):
    arguments = inside(json.dumps({"path": "C:\\users\\u", "text": 'naïve "😀" \\\n', "end": "\\" * 21}), 2)
    moderate = rxs.debounce_moderation(Blocklist([SECRET]))
    (call,) = calls_of(stream(arguments, (True, True), pieces), 0.0, moderate, rxs.accumulate_function_args())
    assert call.arguments == arguments


@modes
@pytest.mark.parametrize("action", ["cut", "error", "refuse"])
def test_a_run_never_calls_a_tool_with_arguments_that_were_cut(mode: str, action: Any):
    called: list[Any] = []

    @tool
    def look(n: int = 0, q: str = "") -> str:
        called.append((n, q))
        return "seen"

    for name, arguments in ARGUMENTS.items():
        if not name.startswith("in a name"):
            events = stream(arguments, (True, True), 9)
            script = [answers.events([json.loads(event.model_dump_json()) for event in events])]
            heard, requests = run(
                mode, script, tools=[look], through=[rxs.debounce_moderation(Blocklist([SECRET]), on_flag=action)]
            )
            assert called == []
            assert len(requests) == 1, name
            assert not any(isinstance(event, ToolStartedEvent) for event in heard.values)
