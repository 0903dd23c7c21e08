"""The messages of the WebSocket mode: what is sent for a request, and which message ends a response.

Specification: DIFF.md §10. A message is the JSON of one event, so it is the data of a Frame.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

_NOT_SENT = ("stream", "background")
"""Fields of HTTP alone. A WebSocket always streams, and has no background responses."""

_LAST = ("response.completed", "response.failed", "response.incomplete")
_STEERING = "response.steer."
_MAY_BE_LAST = re.compile(r'"type"\s*:\s*"(?:error|response\.(?:completed|failed|incomplete))"')
CONNECTION_LIMIT = "websocket_connection_limit_reached"
_STATUS_OF = {"previous_response_not_found": 400, CONNECTION_LIMIT: 400}
"""The status of an error whose message has none."""


@dataclass(frozen=True, slots=True)
class LastMessage:
    """What ends a response."""

    response_id: str | None = None
    """Of the response, where it is not an error."""
    is_error: bool = False
    code: str | None = None
    status: int | None = None
    """The HTTP status that an error stands for. An error without one may be followed by further events."""
    headers: Mapping[str, str] | None = None
    """Those that an error would have over HTTP, names in lower case."""


def create_message(body: Mapping[str, Any]) -> bytes:
    """The message for the body of a `POST /responses`."""
    fields = {"type": "response.create"} | {name: value for name, value in body.items() if name not in _NOT_SENT}
    try:
        return json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a lone surrogate; as an escape it is legal JSON, which the server may accept or not
        return json.dumps(fields, allow_nan=False).encode()


def steer_message(response_id: str, items: Any) -> bytes:
    """The message with input for a running response."""
    return json.dumps({"type": "response.steer", "previous_response_id": response_id, "input": items}).encode()


def response_begun(text: str) -> str | None:
    """The id of the response that a message begins; None: it begins none."""
    if '"response.created"' not in text:
        return None
    event = _event(text)
    return _text(_object(event.get("response")).get("id")) if event.get("type") == "response.created" else None


def steering_event(text: str) -> Mapping[str, Any] | None:
    """The event of a message that answers a `response.steer`, or says what became of its input."""
    if _STEERING not in text:
        return None
    event = _event(text)
    return event if str(event.get("type")).startswith(_STEERING) else None


def last_message(text: str) -> LastMessage | None:
    """What a message says of the end of the response; None: it does not end it.

    Few messages are parsed for that: those in which the type of such an event stands anywhere.
    """
    if _MAY_BE_LAST.search(text) is None:
        return None
    event = _event(text)
    kind = event.get("type")
    if kind == "error":
        return _error(event)
    return LastMessage(_text(_object(event.get("response")).get("id"))) if kind in _LAST else None


def _error(event: Mapping[str, object]) -> LastMessage:
    inner = _object(event.get("error"))
    code = _text(inner.get("code")) or _text(event.get("code"))
    status = event.get("status")
    if not isinstance(status, int) or isinstance(status, bool) or not 400 <= status <= 599:
        status = _STATUS_OF.get(code or "")
    headers = _object(event.get("headers")) or _object(inner.get("headers"))
    return LastMessage(
        is_error=True,
        code=code,
        status=status,
        headers={name.lower(): str(header) for name, header in headers.items()},
    )


def _event(text: str) -> Mapping[str, object]:
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _object(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
