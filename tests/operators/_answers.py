"""Answers that are JSON, made by hand."""

import json
from typing import Any

from pydantic import BaseModel, Field

from rxstream.events import StreamingEvent, parse_event


class Step(BaseModel):
    text: str
    minutes: int = 0


class Recipe(BaseModel):
    title: str
    steps: list[Step] = Field(default_factory=list[Step])


RECIPE: dict[str, Any] = {"title": "Tarte “Tatin” 😀", "steps": [{"text": "Peel\n", "minutes": 10}, {"text": "Bake"}]}


def event(**fields: Any) -> StreamingEvent:
    """An event, `response.` put before its type."""
    return parse_event(json.dumps({"output_index": 0, **fields, "type": f"response.{fields['type']}"}))


def message(said: str, index: int = 0, phase: str | None = None, split: int = 4) -> list[StreamingEvent]:
    """A message of one text part."""
    item = {"type": "message", "id": f"msg_{index}", "phase": phase}
    at = {"output_index": index, "item_id": f"msg_{index}"}
    return [
        event(type="output_item.added", **at, item={**item, "content": []}),
        *(
            event(type="output_text.delta", **at, delta=said[start : start + split])
            for start in range(0, len(said), split)
        ),
        event(type="output_text.done", **at, text=said),
        event(type="output_item.done", **at, item={**item, "content": [{"type": "output_text", "text": said}]}),
    ]


CREATED = event(type="created", response={"id": "resp_1", "status": "in_progress"}, sequence_number=0)
COMPLETED = event(type="completed", response={"id": "resp_1", "status": "completed"}, sequence_number=99)
