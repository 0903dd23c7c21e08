"""What the local server says to the programs of the documentation, made from what they ask for."""

from collections.abc import Mapping, Sequence
from typing import Any

from rxstream.testing import answers

SAID = "Hello from a server on your own machine."


def answer(request: Mapping[str, Any]) -> answers.Answer:
    """JSON for a schema, a call for a tool, text for anything else."""
    form: Mapping[str, Any] = (request.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        return answers.structured(sample(form["schema"], form["schema"]))
    if form.get("type") == "json_object":
        return answers.structured({"answer": SAID})
    tools = [tool for tool in request.get("tools") or () if tool.get("type") == "function"]
    if tools and not _answered(request.get("input")):
        return answers.function_calls(
            [(tool["name"], sample(tool["parameters"], tool["parameters"])) for tool in tools]
        )
    return answers.text(SAID)


def _answered(said: object) -> bool:
    return isinstance(said, Sequence) and any(
        isinstance(item, Mapping) and item.get("type") == "function_call_output" for item in said
    )


def sample(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """A value that fits a JSON schema, as far as the documentation uses them."""
    if "$ref" in schema:
        return sample(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], root)
    match schema.get("type"):
        case "object":
            return {name: sample(member, root) for name, member in schema.get("properties", {}).items()}
        case "array":
            return [sample(schema["items"], root)] * max(2, schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return schema.get("title", "text")
