"""The events of reasoning: of its summary, and of its text, which few servers send."""

from typing import Annotated, Literal

from rxstream.events._base import PartEvent, SummaryEvent
from rxstream.events._lenient import OPEN
from rxstream.events._parts import ContentPart

__all__ = [
    "ResponseReasoningDeltaEvent",
    "ResponseReasoningDoneEvent",
    "ResponseReasoningPartAddedEvent",
    "ResponseReasoningPartDoneEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
]


class ResponseReasoningSummaryPartAddedEvent(SummaryEvent, frozen=True):
    """A part of the reasoning summary opens."""

    type: Literal["response.reasoning_summary_part.added"]
    part: ContentPart


class ResponseReasoningSummaryPartDoneEvent(SummaryEvent, frozen=True):
    """A part of the reasoning summary closes; `status` is `incomplete` if it was cut short."""

    type: Literal["response.reasoning_summary_part.done"]
    part: ContentPart
    status: Annotated[Literal["incomplete"] | str, OPEN] | None = None


class ResponseReasoningSummaryTextDeltaEvent(SummaryEvent, frozen=True):
    """More text of the reasoning summary."""

    type: Literal["response.reasoning_summary_text.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseReasoningSummaryTextDoneEvent(SummaryEvent, frozen=True):
    """A text of the reasoning summary is whole."""

    type: Literal["response.reasoning_summary_text.done"]
    text: str


class ResponseReasoningTextDeltaEvent(PartEvent, frozen=True):
    """More text of the reasoning."""

    type: Literal["response.reasoning_text.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseReasoningTextDoneEvent(PartEvent, frozen=True):
    """A text of the reasoning is whole."""

    type: Literal["response.reasoning_text.done"]
    text: str


class ResponseReasoningPartAddedEvent(PartEvent, frozen=True):
    """A part of the reasoning opens (only live servers send it)."""

    type: Literal["response.reasoning_part.added"]
    part: ContentPart


class ResponseReasoningPartDoneEvent(PartEvent, frozen=True):
    """A part of the reasoning closes (only live servers send it)."""

    type: Literal["response.reasoning_part.done"]
    part: ContentPart


class ResponseReasoningDeltaEvent(PartEvent, frozen=True):
    """More text of the reasoning, under the name of Open Responses."""

    type: Literal["response.reasoning.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseReasoningDoneEvent(PartEvent, frozen=True):
    """A text of the reasoning is whole, under the name of Open Responses."""

    type: Literal["response.reasoning.done"]
    text: str
