"""Audio and images."""

from typing import Literal

from rxstream.events._base import Event, ItemEvent

__all__ = [
    "ResponseAudioDeltaEvent",
    "ResponseAudioDoneEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent",
    "ResponseImageGenerationCallCompletedEvent",
    "ResponseImageGenerationCallGeneratingEvent",
    "ResponseImageGenerationCallInProgressEvent",
    "ResponseImageGenerationCallPartialImageEvent",
]


class ResponseAudioDeltaEvent(Event, frozen=True):
    """More audio, in base64."""

    type: Literal["response.audio.delta"]
    delta: str


class ResponseAudioDoneEvent(Event, frozen=True):
    """The audio is whole."""

    type: Literal["response.audio.done"]


class ResponseAudioTranscriptDeltaEvent(Event, frozen=True):
    """More of the transcript of the audio."""

    type: Literal["response.audio.transcript.delta"]
    delta: str


class ResponseAudioTranscriptDoneEvent(Event, frozen=True):
    """The transcript of the audio is whole."""

    type: Literal["response.audio.transcript.done"]


class ResponseImageGenerationCallInProgressEvent(ItemEvent, frozen=True):
    """An image generation has begun."""

    type: Literal["response.image_generation_call.in_progress"]


class ResponseImageGenerationCallGeneratingEvent(ItemEvent, frozen=True):
    """The image is generated."""

    type: Literal["response.image_generation_call.generating"]


class ResponseImageGenerationCallPartialImageEvent(ItemEvent, frozen=True):
    """A preview of the image, in base64."""

    type: Literal["response.image_generation_call.partial_image"]
    partial_image_b64: str
    partial_image_index: int = 0
    size: str | None = None
    quality: str | None = None
    background: str | None = None
    output_format: str | None = None


class ResponseImageGenerationCallCompletedEvent(ItemEvent, frozen=True):
    """The image is done."""

    type: Literal["response.image_generation_call.completed"]
