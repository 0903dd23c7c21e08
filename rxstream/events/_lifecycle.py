"""The events that begin and end a response, and errors."""

from typing import Any, Literal, cast

from pydantic import model_validator

from rxstream.events._base import Event
from rxstream.events._lenient import Code, JsonObject, Lenient
from rxstream.events._parts import ResponseErrorInfo
from rxstream.events._response import Response

__all__ = [
    "ErrorEvent",
    "KeepaliveEvent",
    "LifecycleEvent",
    "ResponseCompletedEvent",
    "ResponseCreatedEvent",
    "ResponseFailedEvent",
    "ResponseInProgressEvent",
    "ResponseIncompleteEvent",
    "ResponseQueuedEvent",
    "ResponseRateLimitsUpdatedEvent",
]


class LifecycleEvent(Event, frozen=True):
    """An event that carries a snapshot of the response."""

    response: Lenient[Response]


class ResponseCreatedEvent(LifecycleEvent, frozen=True):
    """The response was accepted: the first event of a stream."""

    type: Literal["response.created"]


class ResponseQueuedEvent(LifecycleEvent, frozen=True):
    """The response is in the queue (background mode)."""

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

    Live servers send `code`, `message` and `param` inside `error`, the specification has them at the top. The fields
    here have the values of both forms.
    """

    type: Literal["error"]
    code: Code | None = None
    message: str = ""
    param: str | None = None
    error: Lenient[ResponseErrorInfo] | str | None = None
    status: int | str | None = None
    """The HTTP status that would go with it (WebSocket)."""
    stream_id: str | None = None

    @model_validator(mode="after")
    def _read_nested(self) -> "ErrorEvent":
        nested = ResponseErrorInfo(message=self.error) if isinstance(self.error, str) else self.error
        if nested is not None:
            for name in ("code", "message", "param"):
                if not getattr(self, name) and (value := getattr(nested, name)):
                    self._set(name, value)
        return self

    def _set(self, name: str, value: str) -> None:
        # A dump still has only the fields that the server sent.
        if name in self.model_fields_set:
            cast("dict[str, Any]", self.__pydantic_extra__)[name] = getattr(self, name)
            self.model_fields_set.discard(name)
        object.__setattr__(self, name, value)


class KeepaliveEvent(Event, frozen=True):
    """The connection is alive."""

    type: Literal["keepalive"]


class ResponseRateLimitsUpdatedEvent(Event, frozen=True):
    """The rate limits, and how much of them is left."""

    type: Literal["response.rate_limits.updated"]
    rate_limits: list[JsonObject] | None = None
