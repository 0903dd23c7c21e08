"""An answer made from what a request asks for, so that a program works before it has a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from rxstream.testing import answers

_Schema = Mapping[str, Any]
_EMPTY: _Schema = {"type": "object"}
_DEEPEST = 6
"""Levels of a schema that refers to itself; lists below are empty, and what may be null is."""


def sample_answer(request: Mapping[str, Any], text: str) -> answers.Answer:
    """JSON for a schema, one call of each function tool, and `text` for anything else.

    Functions are called once: a request that ends with their outputs gets `text`.
    """
    options: Mapping[str, Any] = request.get("text") or {}
    form: Mapping[str, Any] = options.get("format") or {}
    if form.get("type") == "json_schema":
        shape: _Schema = form.get("schema") or {}
        return answers.structured(_sample(shape, shape))
    if form.get("type") == "json_object":
        return answers.structured({"answer": text})
    tools: Sequence[Mapping[str, Any]] = request.get("tools") or ()
    functions = [tool for tool in tools if tool.get("type") == "function"]
    if functions and request.get("tool_choice") != "none" and not _has_outputs(request.get("input")):
        schemas: list[tuple[str, _Schema]] = [(tool["name"], tool.get("parameters") or _EMPTY) for tool in functions]
        return answers.function_calls([(name, _sample(schema, schema)) for name, schema in schemas])
    return answers.text(text)


def _has_outputs(items: str | Sequence[Mapping[str, Any]] | None) -> bool:
    """Whether the newest message of the user is followed by outputs of functions."""
    if items is None or isinstance(items, str):
        return False
    for item in reversed(items):
        if item.get("type") == "function_call_output":
            return True
        if item.get("role") == "user":
            return False
    return False


def _sample(schema: _Schema, root: _Schema, depth: int = 0) -> Any:
    """A value that fits a JSON schema in most cases: patterns and formats are not looked at."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _sample(root.get("$defs", {}).get(name, {}), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        choices: Sequence[Mapping[str, Any]] = schema["anyOf"]
        is_deep = depth > _DEEPEST and {"type": "null"} in choices
        return None if is_deep else _sample(choices[0], root, depth + 1)
    kind: str | list[str] | None = schema.get("type")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            members: Mapping[str, Any] = schema.get("properties", {})
            return {name: _sample(member, root, depth + 1) for name, member in members.items()}
        case "array":
            least = schema.get("minItems", 0)
            count = least if depth > _DEEPEST else max(2, least)
            return [_sample(schema.get("items", {}), root, depth + 1) for _ in range(count)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return schema.get("title", "text")
