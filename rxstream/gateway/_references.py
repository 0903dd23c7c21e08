"""What a request names of the account at the server: files, vector stores, containers, prompts, skills, items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

_FIELDS = frozenset(
    ("container", "container_id", "file_id", "file_ids", "skill_id", "tunnel_id", "vector_store_id", "vector_store_ids")
)
"""Their text, or texts, are ids wherever they stand."""


def references_in(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The place of each id, as `tools[0].vector_store_ids[1]`, and the id.

    Not those of responses and conversations, which have rules of their own.
    """
    prompt = body.get("prompt")
    if isinstance(prompt, dict) and isinstance(name := cast("dict[str, Any]", prompt).get("id"), str):
        yield "prompt.id", name
    items = body.get("input")
    for number, item in enumerate(cast("list[Any]", items) if isinstance(items, list) else ()):
        if isinstance(item, dict):
            fields = cast("dict[str, Any]", item)
            # The API lets a reference leave its type out.
            if fields.get("type") in (None, "item_reference") and isinstance(name := fields.get("id"), str):
                yield f"input[{number}].id", name
    for key, value in body.items():
        if key != "metadata":  # the caller's own
            yield from _below(key, key, value)


def _below(place: str, key: str, value: Any) -> Iterator[tuple[str, str]]:
    # Not recursive: a body may be nested as deep as its parser allows.
    waiting = [(place, key, value)]
    while waiting:
        place, key, value = waiting.pop()
        if isinstance(value, str):
            if key in _FIELDS:
                yield place, value
        elif isinstance(value, list):
            parts = [(f"{place}[{number}]", key, each) for number, each in enumerate(cast("list[Any]", value))]
            waiting += reversed(parts)
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            waiting += [(f"{place}.{name}", name, fields[name]) for name in reversed(fields)]
