"""Events with their times, and tapes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rxstream.errors import RxStreamError
from rxstream.events import parse_event
from rxstream.sse import Frame
from rxstream.timeline import TimedEvent
from rxstream.transport import Recorder

Timed = tuple[float, dict[str, Any]]


def response(kind: str, number: int = 1, **fields: Any) -> dict[str, Any]:
    status = {"created": "in_progress"}.get(kind, kind)
    return {"type": f"response.{kind}", "response": {"id": f"resp_{number}", "status": status, "output": [], **fields}}


def item(step: str, index: int, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.output_item.{step}", "output_index": index, "item": {"id": f"item_{index}", **fields}}


def delta(text: str, index: int = 0, part: int = 0) -> dict[str, Any]:
    place = {"output_index": index, "content_index": part, "item_id": f"item_{index}"}
    return {"type": "response.output_text.delta", **place, "delta": text}


def arguments(text: str, index: int) -> dict[str, Any]:
    kind = "response.function_call_arguments.delta"
    return {"type": kind, "output_index": index, "item_id": f"item_{index}", "delta": text}


CALL = {"type": "function_call", "name": "get_weather", "call_id": "call_1"}
MESSAGE = {"type": "message", "role": "assistant", "content": []}
STREAM: list[Timed] = [
    (0.4, response("created", model="tiny")),
    (0.5, item("added", 0, **CALL, arguments="")),
    (0.6, arguments('{"city":', 0)),
    (0.7, arguments('"Oslo"}', 0)),
    (0.8, item("done", 0, **CALL, arguments='{"city":"Oslo"}', status="completed")),
    (0.9, item("added", 1, **MESSAGE)),
    (1.0, delta("It is ", 1)),
    (1.1, delta("cold, ", 1)),
    (4.1, delta("very cold.", 1)),
    (4.2, item("done", 1, **MESSAGE, status="completed")),
    (
        4.3,
        response(
            "completed",
            usage={"input_tokens": 12, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 3}},
        ),
    ),
]


def entries(stream: Iterable[Timed]) -> list[TimedEvent]:
    return [TimedEvent(at, parse_event(json.dumps(event))) for at, event in stream]


def write_tape(path: Path, stream: Iterable[Timed], *, error: RxStreamError | None = None, left: bool = False) -> Path:
    at = 0.0
    with Recorder(path) as recorder:
        for at, event in stream:
            recorder.write(Frame(event["type"], json.dumps(event)), at)
        if error is not None:
            recorder.error(error, at + 0.5)
        elif not left:
            recorder.complete(at)
    return path
