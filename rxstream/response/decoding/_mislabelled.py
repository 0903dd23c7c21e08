"""Events with a wrong type or none: errors, terminal events whose response has another status, types in Frame names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias, cast

from rxstream.errors import ProtocolError
from rxstream.events import (
    ErrorEvent,
    ResponseCompletedEvent,
    ResponseFailedEvent,
    StreamingEvent,
    UnknownEvent,
    parse_event,
)
from rxstream.response._ending import failure

Suspect: TypeAlias = UnknownEvent | ErrorEvent | ResponseCompletedEvent | ResponseFailedEvent
"""The events that may have a wrong type."""

_TERMINAL_TYPES = {
    "completed": "response.completed",
    "incomplete": "response.incomplete",
    "failed": "response.failed",
    "cancelled": "response.failed",
}
"""Status of a response -> the type of its terminal event. The API has none for a cancelled one."""

_STATUSES = {
    **{kind: status for status, kind in _TERMINAL_TYPES.items() if status != "cancelled"},
    "response.cancelled": "cancelled",
    "response.done": "completed",
}
"""Type of a terminal event -> the status of a response that has none."""


def corrected(event: Suspect) -> StreamingEvent:
    """The event with its right type, `synthetic`; the same event if nothing is wrong with it."""
    match event:
        case UnknownEvent():
            return _ending(event) or _error_event(event) or event
        case ResponseCompletedEvent():
            status = event.response.status
            if status not in ("incomplete", "failed", "cancelled"):
                status = "failed" if failure(event.response) is not None else None
            return event if status is None else _with_ending(event, status)
        case ResponseFailedEvent():
            error = (event.model_extra or {}).get("error")
            return event if not error or failure(event.response) is not None else _with_ending(event, "failed", error)
        case ErrorEvent():
            if event.message:
                return event
            fields = _error_fields(event.model_extra or {}, "error")
            return event if fields is None else _changed(event, **fields)


def error_frame(data: str, parse: Callable[[str, str], StreamingEvent]) -> StreamingEvent:
    """The event of a Frame that is named `error`, whose data may be a text, or have another type."""
    try:
        event = parse(data, "error")
    except ProtocolError:
        return parse_event(json.dumps({"type": "error", "message": data, "synthetic": True}))
    if isinstance(event, UnknownEvent):
        return _error(event.data, _error_fields(event.data, "error") or {"error": event.data}) or event
    return event


def named_frame(event: StreamingEvent, name: str) -> StreamingEvent:
    """The event of a Frame whose data has no type: the name of the Frame is the type, if the data fits it.

    The data of a lifecycle event may be the response itself.
    """
    if not isinstance(event, UnknownEvent) or "type" in event.data:
        return event
    data = event.data
    if data.get("object") == "response" and "response" not in data:
        data = {"response": data}
    named = parse_event(json.dumps({**data, "type": name, "synthetic": True}))
    return event if isinstance(named, UnknownEvent) and name not in _STATUSES else named


def _with_ending(event: ResponseCompletedEvent | ResponseFailedEvent, status: str, error: Any = None) -> StreamingEvent:
    response = event.response.model_dump()
    response["status"] = status
    error = error or response.get("error")
    if error:
        response["error"] = error if isinstance(error, dict) else {"message": _as_text(error)}
    return _changed(event, type=_TERMINAL_TYPES[status], response=response)


def _ending(event: UnknownEvent) -> StreamingEvent | None:
    """A terminal event under another name, or without its response."""
    if event.type not in _STATUSES:
        return None
    response, error = event.data.get("response"), event.data.get("error")
    if response and (event.type in _TERMINAL_TYPES.values() or not isinstance(response, dict)):
        return None  # its type is right, and something else is wrong with it
    fields: dict[str, Any] = {"status": _STATUSES[event.type]}
    if isinstance(response, dict):
        fields.update(response)
    if fields["status"] not in _TERMINAL_TYPES:
        return None
    if error and not fields.get("error"):
        fields["error"] = error if isinstance(error, dict) else {"message": _as_text(error)}
    if fields["status"] == "completed" and fields.get("error"):
        fields["status"] = "failed"
    return _changed(event, type=_TERMINAL_TYPES[fields["status"]], response=fields)


def _error_event(event: UnknownEvent) -> StreamingEvent | None:
    fields = _error_fields(event.data, event.type)
    return None if fields is None else _error(event.data, fields)


def _error(data: dict[str, Any], error_fields: dict[str, Any]) -> StreamingEvent | None:
    for fields in ({**data, **error_fields}, error_fields):  # the second, if another field does not fit
        error = parse_event(json.dumps({**fields, "type": "error", "synthetic": True}))
        if isinstance(error, ErrorEvent):
            return error
    return None


def _error_fields(data: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The fields of the error that an object describes; None if it describes none, or has a type of its own."""
    if kind not in ("", "error", "response.error") and data.get("object") != "error":
        return None
    error, message, detail = data.get("error"), data.get("message"), data.get("detail")
    errors = data.get("errors")
    if not error and isinstance(errors, list):
        error = next(iter(cast("list[Any]", errors)), None)
    if error:
        return {"error": error if isinstance(error, dict) else {"message": _as_text(error)}}
    if message and (kind or isinstance(message, str)):
        return {"message": _as_text(message)}
    return {"message": _as_text(detail)} if detail else None


def _changed(event: Suspect, **changes: Any) -> StreamingEvent:
    return parse_event(json.dumps({**event.model_dump(), **changes, "synthetic": True}))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
