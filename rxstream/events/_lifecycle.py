"""How far the response is, and how it ends."""

from typing import Literal

from pydantic import model_validator

from rxstream.events._base import Event
from rxstream.events._parts import ResponseErrorInfo
from rxstream.events._patience import Code, JsonObject, Patient
from rxstream.events._response import Response


class LifecycleEvent(Event, frozen=True):
    """An event that carries a snapshot of the response."""

    response: Patient[Response]


class ResponseCreatedEvent(LifecycleEvent, frozen=True):
    """The response was accepted: the first event of a stream."""

    type: Literal["response.created"]


class ResponseQueuedEvent(LifecycleEvent, frozen=True):
    """The response waits for its turn (background mode)."""

    type: Literal["response.queued"]


class ResponseInProgressEvent(LifecycleEvent, frozen=True):
    """The model has begun."""

    type: Literal["response.in_progress"]


class ResponseCompletedEvent(LifecycleEvent, frozen=True):
    """The response is whole. Terminal."""

    type: Literal["response.completed"]


class ResponseIncompleteEvent(LifecycleEvent, frozen=True):
    """The response was cut short, for `response.incomplete_details.reason`. Terminal."""

    type: Literal["response.incomplete"]


class ResponseFailedEvent(LifecycleEvent, frozen=True):
    """The response failed, for `response.error`. Terminal."""

    type: Literal["response.failed"]


class ErrorEvent(Event, frozen=True):
    """Something went wrong; a `response.failed` may follow.

    The live wire nests `code`, `message` and `param` under `error`, the specification has them flat: they can be read
    here whichever came.
    """

    type: Literal["error"]
    code: Code | None = None
    message: str = ""
    param: str | None = None
    error: Patient[ResponseErrorInfo] | str | None = None
    status: int | str | None = None
    """The HTTP status that would go with it (WebSocket)."""
    stream_id: str | None = None

    @model_validator(mode="after")
    def _read_nested(self) -> "ErrorEvent":
        # Written past `frozen` and `model_fields_set`: the fields answer, and dumping still gives back what came.
        if isinstance(self.error, str):
            if not self.message:
                object.__setattr__(self, "message", self.error)
        elif self.error is not None:
            for name in ("code", "message", "param"):
                if not getattr(self, name):
                    object.__setattr__(self, name, getattr(self.error, name))
        return self


class KeepaliveEvent(Event, frozen=True):
    """The server is still there."""

    type: Literal["keepalive"]


class ResponseRateLimitsUpdatedEvent(Event, frozen=True):
    """What is left of the rate limits."""

    type: Literal["response.rate_limits.updated"]
    rate_limits: list[JsonObject] | None = None
