"""Events under another's name: errors without a type, and endings that say something else than their type."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from rxstream.events import ErrorEvent, ResponseCompletedEvent, StreamingEvent, UnknownEvent, parse_event
from rxstream.response._ending import failure

Misnamed: TypeAlias = UnknownEvent | ErrorEvent | ResponseCompletedEvent
"""What `meant` looks at."""

_ENDS = frozenset(("response.completed", "response.incomplete", "response.failed"))


def meant(event: Misnamed) -> StreamingEvent:
    """The event that was meant, `synthetic`; the same one where nothing is wrong with it."""
    if isinstance(event, UnknownEvent):
        return _ending(event) or _error(event) or event
    if isinstance(event, ResponseCompletedEvent):
        status = event.response.status
        if status not in ("incomplete", "failed"):
            status = "failed" if failure(event.response) is not None else None
        return event if status is None else _ended(event, status)
    detail = (event.model_extra or {}).get("detail")
    return event if event.message or not detail else _with(event, message=_text(detail))


def _ended(event: ResponseCompletedEvent, status: str) -> StreamingEvent:
    response = event.response.model_dump(mode="json")
    response["status"] = status
    error = response.get("error")
    if error and not isinstance(error, dict):
        response["error"] = {"message": _text(error)}
    return _with(event, type=f"response.{status}", response=response)


def _ending(event: UnknownEvent) -> StreamingEvent | None:
    """A terminal event that came without its response."""
    if event.type not in _ENDS or event.data.get("response"):
        return None
    return _with(event, response={"status": event.type.removeprefix("response.")})


def _error(event: UnknownEvent) -> StreamingEvent | None:
    said = _complaint(event)
    if said is None:
        return None
    for fields in ({**event.data, **said}, said):  # where a field beside it does not fit, the complaint alone
        error = parse_event(json.dumps({**fields, "type": "error", "synthetic": True}))
        if isinstance(error, ErrorEvent):
            return error
    return None


def _complaint(event: UnknownEvent) -> dict[str, Any] | None:
    """The fields of the error that an object stands for; None where it has a type of its own, or tells of none."""
    said = event.data
    if event.type not in ("", "error", "response.error") and said.get("object") != "error":
        return None
    error, message, detail = said.get("error"), said.get("message"), said.get("detail")
    if error:
        return {"error": error if isinstance(error, dict) else {"message": _text(error)}}
    if message and (event.type or isinstance(message, str)):
        return {"message": _text(message)}
    return {"message": _text(detail)} if detail else None


def _with(event: Misnamed, **changes: Any) -> StreamingEvent:
    return parse_event(json.dumps({**event.model_dump(mode="json"), **changes, "synthetic": True}))


def _text(said: Any) -> str:
    return said if isinstance(said, str) else json.dumps(said)
