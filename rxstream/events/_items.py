"""The events that open and close items and content parts."""

from typing import Literal

from rxstream.events._base import ItemEvent, OutputEvent, PartEvent
from rxstream.events._item_union import OutputItem
from rxstream.events._parts import Annotation, ContentPart

__all__ = [
    "ResponseCompactionCompactingEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputTextAnnotationAddedEvent",
]


class ResponseOutputItemAddedEvent(OutputEvent, frozen=True):
    """An item of the output opens. Its fields may still be incomplete."""

    type: Literal["response.output_item.added"]
    item: OutputItem


class ResponseOutputItemDoneEvent(OutputEvent, frozen=True):
    """An item of the output closes, with its final fields. Some servers do not send it for some items."""

    type: Literal["response.output_item.done"]
    item: OutputItem


class ResponseContentPartAddedEvent(PartEvent, frozen=True):
    """A content part of an item opens."""

    type: Literal["response.content_part.added"]
    part: ContentPart


class ResponseContentPartDoneEvent(PartEvent, frozen=True):
    """A content part of an item closes, with its final text and annotations."""

    type: Literal["response.content_part.done"]
    part: ContentPart


class ResponseOutputTextAnnotationAddedEvent(PartEvent, frozen=True):
    """An annotation was added to a text part."""

    type: Literal["response.output_text.annotation.added"]
    annotation: Annotation | None = None
    annotation_index: int = 0


class ResponseCompactionCompactingEvent(ItemEvent, frozen=True):
    """Earlier items of the conversation are being compacted."""

    type: Literal["response.compaction.compacting"]
