"""The events of text and refusals."""

from typing import Literal

from pydantic import Field

from rxstream.events._base import PartEvent
from rxstream.events._parts import Logprob

__all__ = [
    "ResponseOutputTextDeltaEvent",
    "ResponseOutputTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
]


class ResponseOutputTextDeltaEvent(PartEvent, frozen=True):
    """More text of the answer."""

    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: list[Logprob] = Field(default_factory=list[Logprob])
    obfuscation: str | None = None


class ResponseOutputTextDoneEvent(PartEvent, frozen=True):
    """A text part is whole. `text` is final, also if it differs from the deltas."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: list[Logprob] = Field(default_factory=list[Logprob])


class ResponseRefusalDeltaEvent(PartEvent, frozen=True):
    """More text of a refusal."""

    type: Literal["response.refusal.delta"]
    delta: str
    obfuscation: str | None = None


class ResponseRefusalDoneEvent(PartEvent, frozen=True):
    """A refusal is whole."""

    type: Literal["response.refusal.done"]
    refusal: str
