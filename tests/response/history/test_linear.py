"""What a response of many parts costs, counted in lines of Python that run."""

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import pytest

from rxstream.events import StreamingEvent
from rxstream.response.history._closing import Closing
from tests.event_builders import created, item_added, make_event, part_added, part_done, text_delta, text_done


def steps(work: Callable[[], object]) -> int:
    """How many calls, lines and returns of Python the work takes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def parts(number: int, *, opened: bool = True, done: bool = True) -> Iterable[StreamingEvent]:
    yield created()
    yield item_added()
    for index in range(number):
        if opened:
            yield part_added(content_index=index)
        yield text_delta("a", 0, index)
        if done:
            yield text_done("a", 0, index)
            if opened:
                yield part_done("a", content_index=index)


def summaries(number: int) -> Iterable[StreamingEvent]:
    yield created()
    where: dict[str, Any] = {"output_index": 0, "item_id": "rs"}
    yield make_event(
        "response.output_item.added", output_index=0, item={"type": "reasoning", "id": "rs", "summary": []}
    )
    for index in range(number):
        part = {"type": "summary_text", "text": ""}
        name = "response.reasoning_summary"
        yield make_event(f"{name}_part.added", **where, summary_index=index, part=part)
        yield make_event(f"{name}_text.delta", **where, summary_index=index, delta="a")
        yield make_event(f"{name}_part.done", **where, summary_index=index, part={**part, "text": "a"})


def commands(number: int) -> Iterable[StreamingEvent]:
    yield created()
    where: dict[str, Any] = {"output_index": 0, "item_id": "sh"}
    for index in range(number):
        yield make_event("response.shell_call_command.added", **where, command_index=index, command="")
        yield make_event("response.shell_call_command.delta", **where, command_index=index, delta="l")
        yield make_event("response.shell_call_command.done", **where, command_index=index, command="ls")


STREAMS: dict[str, Callable[[int], Iterable[StreamingEvent]]] = {
    "parts": parts,
    "parts that are left open": lambda number: parts(number, done=False),
    "parts that were never opened": lambda number: parts(number, opened=False),
    "parts that were never opened nor closed": lambda number: parts(number, opened=False, done=False),
    "summaries": summaries,
    "commands": commands,
}


@pytest.mark.parametrize("name", STREAMS)
def test_four_times_the_parts_cost_four_times_the_steps(name: str):
    def cost(number: int) -> int:
        events = list(STREAMS[name](number))

        def work() -> None:
            closing = Closing()
            for event in events:
                closing.feed(event)
            closing.end("cut")

        return steps(work)

    cost(2)  # what is done once in a process
    assert cost(400) < 4.5 * cost(100)
