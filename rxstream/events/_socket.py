"""Events that only a WebSocket carries: about input for a response that runs."""

from typing import Annotated, Literal

from pydantic import Field

from rxstream.events._base import Event, Model
from rxstream.events._item_union import OutputItem
from rxstream.events._lenient import OPEN, JsonObject, Lenient
from rxstream.events._parts import ResponseErrorInfo

__all__ = [
    "ResponseInjectCreatedEvent",
    "ResponseInjectFailedEvent",
    "ResponseSteerAcceptedEvent",
    "ResponseSteerFailedEvent",
    "ResponseSteerPendingEvent",
    "SocketEvent",
    "Steer",
]


class SocketEvent(Event, frozen=True):
    """An event of a WebSocket lane; `stream_id` names the lane."""

    stream_id: str | None = None


class ResponseInjectCreatedEvent(SocketEvent, frozen=True):
    """The input was put into the running response (multi-agent beta)."""

    type: Literal["response.inject.created"]
    response_id: str = ""


class ResponseInjectFailedEvent(SocketEvent, frozen=True):
    """The input could not be put into the running response; it is in `input` (multi-agent beta)."""

    type: Literal["response.inject.failed"]
    response_id: str = ""
    input: list[JsonObject] = Field(default_factory=list[JsonObject])
    error: Lenient[ResponseErrorInfo] | None = None


class Steer(Model, frozen=True):
    """A reference to the input that is to steer a response."""

    id: str = ""
    previous_response_id: str | None = None


class ResponseSteerAcceptedEvent(SocketEvent, frozen=True):
    """The steering input was accepted: the running response ends as incomplete, and a successor begins."""

    type: Literal["response.steer.accepted"]
    steer: Steer | None = None


class ResponseSteerPendingEvent(SocketEvent, frozen=True):
    """The steering input waits; `required_input` has an item for each tool output that is missing."""

    type: Literal["response.steer.pending"]
    steer: Steer | None = None
    reason: Annotated[Literal["waiting_for_required_input"] | str, OPEN] | None = None
    required_input: list[OutputItem] = Field(default_factory=list[OutputItem])


class ResponseSteerFailedEvent(SocketEvent, frozen=True):
    """The steering input was rejected."""

    type: Literal["response.steer.failed"]
    steer: Steer | None = None
    error: Lenient[ResponseErrorInfo] | None = None
