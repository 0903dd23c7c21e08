"""What an error body says, in the shapes that servers use: its message and its code.

No library reads them: each server has a shape of its own. Known here are `{"error": {"message", "code", "param",
"details": […]}}` of the API and its variations, `{"detail": [{"loc", "msg"}]}` of FastAPI, RFC 9457 (`title`,
`detail`), Google's list with `fieldViolations`, and plain text.
"""

import json
import re
from typing import Any, cast

_MESSAGE = ("message", "msg", "title", "description")
_INSIDE = ("error", "detail", "details", "errors", "fieldViolations")
_PLACE = ("param", "loc", "field")
_MOST = 3
_DEEPEST = 5

_OBJECT = re.compile(r'"object"\s*:\s*"(response|chat\.completion)"')
_NO_STREAM = {
    "response": "it sent the whole response at once, as if stream were not set",
    "chat.completion": "it is a Chat Completions API, and a Responses API is needed",
}


def message_and_code(body: bytes) -> tuple[str, str | None]:
    """The message, empty where the body has none, and the code, if there is one."""
    text = body.decode("utf-8", "ignore").strip()
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    message = _message(value)
    if not message and (found := _OBJECT.search(text)):
        return _NO_STREAM[found[1]], None
    if not message and value is None and text != "null" and not text.startswith(("{", "[", "<")):
        return text, None
    return message, _code_in(value)


def _message(value: object, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        items = cast("list[object]", value)[:_MOST]
        return "; ".join(text for item in items if (text := _message(item, depth + 1)))
    if not isinstance(value, dict):
        return ""
    fields = cast("dict[str, Any]", value)
    own = next((text for name in _MESSAGE if isinstance(text := fields.get(name), str)), "")
    texts = [own, *(_message(fields.get(name), depth + 1) for name in _INSIDE)]
    message = ": ".join(dict.fromkeys(text for text in texts if text))
    place = next((_place(fields[name]) for name in _PLACE if fields.get(name)), "")
    return f"{message} ({place})" if message and place else message


def _place(value: object) -> str:
    """`body.input.0` of the list that FastAPI writes; the name of a parameter as it is."""
    return ".".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)


def _code_in(value: object) -> str | None:
    """The code of the innermost error."""
    if isinstance(value, list) and value:
        value = cast("list[object]", value)[0]
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, Any]", value)
    for name in ("error", "detail"):
        if isinstance(fields.get(name), dict):
            return _code_in(fields[name])
    return _code(fields.get("code")) or _code(fields.get("type") if "error" not in fields else None)


def _code(value: object) -> str | None:
    """A code as text; some servers send numbers."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) and value != "" else None
