"""Answers that are JSON, made by hand."""

from typing import Any

from pydantic import BaseModel, Field

from rxstream.events import StreamingEvent
from tests.event_builders import item_added, item_done, make_event, text_deltas, text_done, text_part


class Step(BaseModel):
    text: str
    minutes: int = 0


class Recipe(BaseModel):
    title: str
    steps: list[Step] = Field(default_factory=list[Step])


RECIPE: dict[str, Any] = {"title": "Tarte “Tatin” 😀", "steps": [{"text": "Peel\n", "minutes": 10}, {"text": "Bake"}]}


def message(said: str, index: int = 0, phase: str | None = None, split: int = 4) -> list[StreamingEvent]:
    """A message of one text part."""
    return [
        item_added(index, phase=phase),
        *text_deltas(*(said[start : start + split] for start in range(0, len(said), split)), output_index=index),
        text_done(said, index),
        item_done(index, text_part(said), phase=phase),
    ]


CREATED = make_event("response.created", response={"id": "resp_1", "status": "in_progress"}, sequence_number=0)
COMPLETED = make_event("response.completed", response={"id": "resp_1", "status": "completed"}, sequence_number=99)
