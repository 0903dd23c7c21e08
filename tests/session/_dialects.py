"""Eight servers' dialects, rebuilt event by event from what is known of them (docs/reference/compatibility.md).

Each says the same five things: a text, a text and two parallel calls, reasoning and a text, a failure in the middle of
a text, and a text whose wire closes early. What they should come to is in `Script`, and is the same for all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

Wire = Iterator[dict[str, Any]]

TEXT = ("Hel", "lo ", "wörld", "…")
THOUGHT = ("Let me ", "think.")
CALLS = (("weather", "call_a", ('{"city"', ':"Oslo"}')), ("clock", "call_b", ('{"tz":', '"CET"}')))
MESSAGE = "the upstream went away"

SAID = "".join(TEXT)
THOUGHT_SAID = "".join(THOUGHT)
CALLED = [(name, call_id, json.loads("".join(arguments))) for name, call_id, arguments in CALLS]


@dataclass(frozen=True)
class Dialect:
    """A server that does everything right. The others differ in something."""

    name: str
    event_lines: bool = True
    done_mark: bool = False
    numbered: str = "all"
    created_at: float = 1_763_900_000

    # ------------------------------------------------------------------ what it says

    def text(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)
        yield self.ending("completed", [whole_message()])

    def text_and_calls(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)
        for index, (name, call_id, _) in enumerate(CALLS, 1):
            yield added(index, {**call(name, call_id, ""), "status": "in_progress"})
        for pieces in zip(*(arguments for _, _, arguments in CALLS), strict=True):
            for index, piece in enumerate(pieces, 1):
                yield {
                    "type": "response.function_call_arguments.delta",
                    "item_id": f"fc_{CALLS[index - 1][1]}",
                    "output_index": index,
                    "delta": piece,
                }
        for index, (name, call_id, arguments) in enumerate(CALLS, 1):
            yield {
                "type": "response.function_call_arguments.done",
                "item_id": f"fc_{call_id}",
                "output_index": index,
                "arguments": "".join(arguments),
            }
            yield done(index, call(name, call_id, "".join(arguments)))
        yield self.ending("completed", [whole_message(), *whole_calls()])

    def reasoning(self) -> Wire:
        yield from self.opening()
        at = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
        blank = {"type": "summary_text", "text": ""}
        yield added(0, {"id": "rs_1", "type": "reasoning", "summary": []})
        yield {"type": "response.reasoning_summary_part.added", **at, "part": blank}
        for piece in THOUGHT:
            yield {"type": "response.reasoning_summary_text.delta", **at, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": THOUGHT_SAID}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": {**blank, "text": THOUGHT_SAID}}
        yield done(0, whole_reasoning())
        yield from self.message(1)
        yield self.ending("completed", [whole_reasoning(), whole_message()])

    def failure(self) -> Wire:
        yield from self.cut()
        yield {"type": "error", "error": {"type": "server_error", "code": "upstream", "message": MESSAGE}}
        yield self.ending("failed", [], error={"code": "upstream", "message": MESSAGE})

    def cut(self) -> Wire:
        yield from self.opening()
        yield from list(self.message(0))[: 2 + len(TEXT)]

    # ------------------------------------------------------------------ its parts

    def opening(self) -> Wire:
        for kind in ("created", "in_progress"):
            yield {"type": f"response.{kind}", "response": self.response("in_progress", [])}

    def message(self, index: int) -> Wire:
        at = {"item_id": "msg_1", "output_index": index, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": []}
        yield added(
            index, {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        )
        yield {"type": "response.content_part.added", **at, "part": part}
        for piece in TEXT:
            yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
        yield {"type": "response.output_text.done", **at, "text": SAID, "logprobs": []}
        yield {"type": "response.content_part.done", **at, "part": {**part, "text": SAID}}
        yield done(index, whole_message())

    def ending(self, status: str, output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {"type": f"response.{status}", "response": self.response(status, output) | more}

    def response(self, status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "model": "m",
            "output": output,
            "usage": None if status != "completed" else {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            "error": None,
        }

    # ------------------------------------------------------------------ as bytes

    def frames(self, events: Iterable[dict[str, Any]]) -> bytes:
        return b"".join(self._frames(events))

    def _frames(self, events: Iterable[dict[str, Any]]) -> Iterator[bytes]:
        numbers = count()
        ended = False
        for event in events:
            ended = ended or event.get("type") in ("response.completed", "response.failed")
            if self.numbered == "all" or (self.numbered == "some" and str(event.get("type")).endswith("delta")):
                event = {**event, "sequence_number": next(numbers)}
            line = f"event: {event['type']}\n" if self.event_lines and "type" in event else ""
            yield f"{line}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
        if self.done_mark and ended:
            yield b"data: [DONE]\n\n"


class Fastresponses(Dialect):
    """A nested `error`, then `response.failed`; items of types of its own between the others."""

    def text(self) -> Wire:
        for event in super().text():
            if event["type"] == "response.completed":
                foreign = {"id": "x_1", "type": "pydantic_ai:function_call", "status": "completed"}
                yield added(1, foreign)
                yield {"type": "pydantic_ai:function_call.delta", "item_id": "x_1", "output_index": 1, "delta": "?"}
                yield done(1, foreign)
                event["response"]["output"].append(foreign)
            yield event


class Litellm(Dialect):
    """One place for the reasoning and for the message after it, which is never added; calls begin at 1."""

    def text(self) -> Wire:
        yield from self.opening()
        yield from list(self.message(0))[2:]
        yield self.ending("completed", [whole_message()])

    def text_and_calls(self) -> Wire:
        yield from self.opening()
        message = list(self.message(0))[2:]
        yield from message[: len(TEXT)]
        for event in super().text_and_calls():
            place = event.get("output_index", 0)
            if place > 0:
                call_id = CALLS[place - 1][1]
                yield {**event, "item_id": call_id} if "item" not in event else _with(event, id=call_id)
        yield from message[len(TEXT) :]
        yield self.ending("completed", [whole_message(), *whole_calls()])

    def reasoning(self) -> Wire:
        yield from self.opening()
        yield added(0, {"id": "rs_1", "type": "reasoning", "status": "in_progress", "summary": None})
        for piece in THOUGHT:
            delta = {"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0}
            yield {**delta, "delta": piece}
        at = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
        part = {"type": "summary_text", "text": THOUGHT_SAID}
        yield {"type": "response.reasoning_summary_text.done", **at, "text": THOUGHT_SAID}
        yield {"type": "response.reasoning_summary_part.done", **at, "part": part}
        yield done(0, whole_reasoning())
        for event in list(self.message(0))[2:]:
            if event["type"] == "response.content_part.done":
                event["part"] = {"type": "reasoning_text", "reasoning": THOUGHT_SAID}
            yield event
        yield self.ending("completed", [whole_reasoning(), whole_message()])

    def failure(self) -> Wire:
        yield from self.cut()
        yield self.ending("failed", [], error={"code": "upstream", "message": MESSAGE})

    def cut(self) -> Wire:
        yield from self.opening()
        yield from list(self.message(0))[2 : 2 + len(TEXT)]


class LlamaStack(Dialect):
    """The message is never added and ends without `output_text.done`; calls take its place, and share one another's."""

    def message(self, index: int) -> Wire:
        part = {"type": "output_text", "text": "", "annotations": []}
        yield {"type": "response.content_part.added", "response_id": "resp_1", "item_id": "msg_1", "part": part}
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        for piece in TEXT:
            yield {"type": "response.output_text.delta", **at, "delta": piece}
        ended = {**part, "text": SAID}
        yield {"type": "response.content_part.done", "response_id": "resp_1", "item_id": "msg_1", "part": ended}

    def text(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)
        yield self.ending("completed", [whole_message() | {"id": "msg_another"}])

    def text_and_calls(self) -> Wire:
        yield from self.opening()
        *said, closed = self.message(0)
        yield from said
        for name, call_id, _ in CALLS:
            yield added(0, {**call(name, call_id, ""), "status": "in_progress"})
        stream = {"type": "response.function_call_arguments.delta", "item_id": "fc_call_a", "output_index": 0}
        for _, _, arguments in CALLS:
            for piece in arguments:
                yield {**stream, "delta": piece}
        for _, call_id, arguments in CALLS:
            yield {
                "type": "response.function_call_arguments.done",
                "item_id": f"fc_{call_id}",
                "output_index": 0,
                "arguments": "".join(arguments),
            }
        yield closed
        for index, item in enumerate(whole_calls()):
            yield done(index, {**item, "id": f"{item['id']}_changed"})
        yield self.ending("completed", whole_calls())

    def reasoning(self) -> Wire:
        yield from self.opening()
        at = {"item_id": "rs_1", "output_index": 0, "content_index": 0}
        for piece in THOUGHT:
            yield {"type": "response.reasoning_text.delta", **at, "delta": piece}
        yield {"type": "response.reasoning_text.done", **at, "text": THOUGHT_SAID}
        yield from self.message(0)
        yield self.ending("completed", [whole_message() | {"id": "msg_another"}])

    def failure(self) -> Wire:
        yield from self.cut()
        yield {"error": {"message": MESSAGE}}

    def cut(self) -> Wire:
        yield from self.opening()
        yield from list(self.message(0))[: 1 + len(TEXT)]


class OpenResponsesServer(Dialect):
    """No item events, no part events, no `output_text.done`; a call's name comes in a snapshot of the response."""

    def message(self, index: int) -> Wire:
        for piece in TEXT:
            at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
            yield {"type": "response.output_text.delta", **at, "delta": piece}

    def text(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)
        yield self.ending("completed", [whole_message()])

    def text_and_calls(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)
        output = [whole_message()]
        for index, (name, call_id, arguments) in enumerate(CALLS):
            output = [*output, {**call(name, call_id, ""), "id": call_id, "status": "ready"}]
            yield {"type": "response.in_progress", "response": self.response("in_progress", output)}
            for piece in arguments:
                yield {
                    "type": "response.function_call_arguments.delta",
                    "item_id": f"tool_{index}",
                    "output_index": index,
                    "delta": piece,
                }
        for index, (_, _, arguments) in enumerate(CALLS):
            yield {
                "type": "response.function_call_arguments.done",
                "id": f"tool_{index}",
                "output_index": index,
                "arguments": "".join(arguments),
            }
        calls = [{**item, "id": item["call_id"], "status": "ready"} for item in whole_calls()]
        yield self.ending("completed", [whole_message(), *calls])

    def reasoning(self) -> Wire:  # it knows none
        return self.text()

    def failure(self) -> Wire:
        yield from self.cut()
        yield self.ending("completed", [], error={"message": MESSAGE})

    def cut(self) -> Wire:
        yield from self.opening()
        yield from self.message(0)


class Copilot(Dialect):
    """Every event gives its item another id."""

    def frames(self, events: Iterable[dict[str, Any]]) -> bytes:
        return super().frames(map(self._another_id, events, count()))

    def _another_id(self, event: dict[str, Any], number: int) -> dict[str, Any]:
        event = json.loads(json.dumps(event)) | {"copilot_usage": None}
        if "item_id" in event:
            event["item_id"] = f"capture-{number}"
        for item in (event.get("item"), *event.get("response", {}).get("output", ())):
            if item is not None:
                item["id"] = f"capture-{number}-{item['type']}"
        return event


class Transformers(Dialect):
    """Fails with `response.failed` alone."""

    def failure(self) -> Wire:
        yield from self.cut()
        yield self.ending("failed", [], error={"code": "server_error", "message": MESSAGE})


class Mock(Dialect):
    """Fails with a flat `error`, and nothing after it."""

    def failure(self) -> Wire:
        yield from self.cut()
        yield {"type": "error", "code": "upstream", "message": MESSAGE, "param": None}


DIALECTS: tuple[Dialect, ...] = (
    Fastresponses("fastresponses", done_mark=True),
    Litellm("litellm", event_lines=False, done_mark=True, numbered="some"),
    LlamaStack("llama-stack", event_lines=False),
    Mock("llm-mock-api", event_lines=False),
    Mock("llmock"),
    OpenResponsesServer("open-responses-server", event_lines=False, numbered="none"),
    Transformers("transformers-serve", event_lines=False, created_at=1_763_900_000.123),
    Copilot("copilot"),
)


def _with(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**event, "item": {**event["item"], **changes}}


def added(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def call(name: str, call_id: str, arguments: str) -> dict[str, Any]:
    known = {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": name}
    return {**known, "arguments": arguments, "status": "completed"}


def whole_calls() -> list[dict[str, Any]]:
    return [call(name, call_id, "".join(arguments)) for name, call_id, arguments in CALLS]


def whole_message() -> dict[str, Any]:
    part = {"type": "output_text", "text": SAID, "annotations": []}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def whole_reasoning() -> dict[str, Any]:
    return {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": THOUGHT_SAID}]}
