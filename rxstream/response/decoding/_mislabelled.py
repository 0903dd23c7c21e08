"""Events with a wrong type: errors without a type, and terminal events whose response has another status."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from rxstream.events import ErrorEvent, ResponseCompletedEvent, StreamingEvent, UnknownEvent, parse_event
from rxstream.response._ending import failure

Suspect: TypeAlias = UnknownEvent | ErrorEvent | ResponseCompletedEvent
"""The events that may have a wrong type."""

_ENDS = frozenset(("response.completed", "response.incomplete", "response.failed"))


def corrected(event: Suspect) -> StreamingEvent:
    """The event with its right type, `synthetic`; the same event if nothing is wrong with it."""
    if isinstance(event, UnknownEvent):
        return _without_response(event) or _error_event(event) or event
    if isinstance(event, ResponseCompletedEvent):
        status = event.response.status
        if status not in ("incomplete", "failed"):
            status = "failed" if failure(event.response) is not None else None
        return event if status is None else _with_ending(event, status)
    detail = (event.model_extra or {}).get("detail")
    return event if event.message or not detail else _changed(event, message=_as_text(detail))


def _with_ending(event: ResponseCompletedEvent, status: str) -> StreamingEvent:
    response = event.response.model_dump(mode="json")
    response["status"] = status
    error = response.get("error")
    if error and not isinstance(error, dict):
        response["error"] = {"message": _as_text(error)}
    return _changed(event, type=f"response.{status}", response=response)


def _without_response(event: UnknownEvent) -> StreamingEvent | None:
    """A terminal event without its response gets an empty one."""
    if event.type not in _ENDS or event.data.get("response"):
        return None
    return _changed(event, response={"status": event.type.removeprefix("response.")})


def _error_event(event: UnknownEvent) -> StreamingEvent | None:
    error_fields = _error_fields(event)
    if error_fields is None:
        return None
    for fields in ({**event.data, **error_fields}, error_fields):  # the second, if another field does not fit
        error = parse_event(json.dumps({**fields, "type": "error", "synthetic": True}))
        if isinstance(error, ErrorEvent):
            return error
    return None


def _error_fields(event: UnknownEvent) -> dict[str, Any] | None:
    """The fields of the error that an object describes; None if it describes none, or has a type of its own."""
    fields = event.data
    if event.type not in ("", "error", "response.error") and fields.get("object") != "error":
        return None
    error, message, detail = fields.get("error"), fields.get("message"), fields.get("detail")
    if error:
        return {"error": error if isinstance(error, dict) else {"message": _as_text(error)}}
    if message and (event.type or isinstance(message, str)):
        return {"message": _as_text(message)}
    return {"message": _as_text(detail)} if detail else None


def _changed(event: Suspect, **changes: Any) -> StreamingEvent:
    return parse_event(json.dumps({**event.model_dump(mode="json"), **changes, "synthetic": True}))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
