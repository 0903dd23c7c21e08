"""JSON Schema to the part of it that the API takes with `strict=True`.

https://developers.openai.com/api/docs/guides/structured-outputs: all objects have `additionalProperties: false` and
list every property in `required`; `oneOf`, `allOf`, `not`, `default` and others are not allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

_NUMBERS = ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COPIED = ("title", "type", "enum", "const", *_NUMBERS, "minItems", "maxItems", "description")
_HINTS = ("minLength", "maxLength", "uniqueItems", "contentEncoding", "contentMediaType", "contentSchema")
"""Keywords that the API does not take. What they say goes into the description; pydantic still checks them."""
_DROPPED = ("$defs", "default", "discriminator", "deprecated", "examples", "readOnly", "writeOnly", "required")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_TYPES: dict[type[Any], str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_NULL = {"type": "null"}

Schema = dict[str, Any]


def strict_schema(
    schema: Mapping[str, Any], *, what: str = "the schema", optional: Literal["nullable", "required"] = "nullable"
) -> Schema:
    """A JSON Schema as the API takes it with `strict=True`. The argument is not changed.

    Every object takes no other properties and needs all of its own. A property that was optional may be null; with
    `optional="required"` it may not. What a keyword says that the API does not take, such as `default` or `minLength`,
    is in the description.

    Args:
        schema: such as `model_json_schema()` of pydantic gives; `$defs` and `$ref` stay, and may be recursive.
        what: the name of the schema in errors.

    Raises: TypeError: the API cannot take it, such as an object with any keys; the message says where.
    """
    strict = _Strict(schema, what, optional == "nullable")
    root = strict.convert(schema, ())
    if "$ref" in root:  # the root of a recursive model
        root = strict.convert(strict.target(root["$ref"], ()), ())
    if root.get("type") != "object":
        raise TypeError(f"{what} cannot be strict: expected an object, such as a pydantic model, got {_kind(root)}")
    definitions: Schema = {}
    while missing := sorted({*_references([root, definitions])} - definitions.keys()):
        for name in missing:
            definitions[name] = strict.convert(strict.target(name, ()), ("$defs", name))
    return root | ({"$defs": definitions} if definitions else {})


class _Strict:
    """Converts one schema. `_inlined` are the references that are being copied to their place of use."""

    def __init__(self, root: Mapping[str, Any], what: str, nullable: bool) -> None:
        self._root = root
        self._what = what
        self._nullable = nullable
        self._inlined: list[str] = []

    def convert(self, schema: Any, path: tuple[str, ...]) -> Schema:
        if not isinstance(schema, Mapping) or not schema:
            raise self._error(path, "a type", "one that takes any value")
        schema = dict(cast("Mapping[str, Any]", schema))
        if len(schema.get("allOf", ())) == 1:
            schema |= schema.pop("allOf")[0]
        if "$ref" in schema:
            return self._reference(schema, path)
        strict: Schema = {name: schema.pop(name) for name in _COPIED if name in schema}
        hints = [f"{name}: {_text(schema.pop(name))}" for name in _HINTS if name in schema]
        if schema.get("format", "date") not in _FORMATS:
            hints.append(f"format: {schema.pop('format')}")
        if any(look in schema.get("pattern", "") for look in _LOOKAROUND):  # the API's patterns have none
            hints.append(f"pattern: {schema.pop('pattern')}")
        strict |= {name: schema.pop(name) for name in ("pattern", "format") if name in schema}
        variants = schema.pop("anyOf", None) or schema.pop("oneOf", None)
        if variants:
            strict["anyOf"] = [self.convert(each, (*path, "anyOf", str(i))) for i, each in enumerate(variants)]
        if strict.get("type") == "object":
            self._object(schema, strict, path)
        if strict.get("type") == "array":
            if not schema.get("items"):
                got = "a tuple: use a model with fields" if schema.get("prefixItems") else "one without"
                raise self._error(path, "a list with a type of its items", got)
            strict["items"] = self.convert(schema.pop("items"), (*path, "items"))
        if "type" not in strict and "anyOf" not in strict:
            strict |= self._type_of_values(strict, path)
        if rest := [name for name in schema if name not in _DROPPED and not name.startswith("x-")]:
            raise self._error(path, "only keywords that the API takes", ", ".join(rest))
        _describe(strict, hints)
        return strict

    def target(self, ref: str, path: tuple[str, ...]) -> Mapping[str, Any]:
        found = self._root.get("$defs", {}).get(_name_of(ref))
        if not isinstance(found, Mapping):
            raise self._error(path, "a reference to one of $defs", ref)
        return cast("Mapping[str, Any]", found)

    def _reference(self, schema: Schema, path: tuple[str, ...]) -> Schema:
        """Nothing may stand beside a `$ref`: with a description the definition is copied, if it is not recursive."""
        ref = schema.pop("$ref")
        beside = {name: schema[name] for name in ("description", "title") if name in schema}
        found = self.target(ref, path)
        if not beside:
            return {"$ref": ref}
        if ref in self._inlined:
            return {"anyOf": [{"$ref": ref}], **beside}
        self._inlined.append(ref)
        strict = self.convert({**found, **beside}, path)
        self._inlined.pop()
        return strict

    def _object(self, schema: Schema, strict: Schema, path: tuple[str, ...]) -> None:
        if schema.pop("additionalProperties", False) is not False or schema.get("patternProperties"):
            use = "use a model with fields, or a list of models with a key and a value"
            raise self._error(path, "an object with named fields", f"one with any keys: {use}")
        properties, required = schema.pop("properties", {}), schema.get("required", ())
        strict["properties"] = {
            name: self._property(inner, name in required, (*path, "properties", name))
            for name, inner in properties.items()
        }
        strict["required"] = [*properties]
        strict["additionalProperties"] = False

    def _property(self, schema: Any, required: bool, path: tuple[str, ...]) -> Schema:
        strict = self.convert(schema, path)
        if required or not self._nullable:
            return strict
        if "default" in schema and schema["default"] is not None:
            if "$ref" in strict:
                strict = {"anyOf": [strict]}
            _describe(strict, [f"Default: {_text(schema['default'])}"])
        if self._takes_null(strict, path):
            return strict
        outer = {name: strict.pop(name) for name in ("description", "title") if name in strict}
        return {"anyOf": [*(strict["anyOf"] if strict.keys() == {"anyOf"} else [strict]), _NULL.copy()], **outer}

    def _takes_null(self, strict: Schema, path: tuple[str, ...]) -> bool:
        kind = strict.get("type")
        if "$ref" in strict:
            return None in self.target(strict["$ref"], path).get("enum", ())
        return (
            kind == "null" or "null" in (kind or ()) or any(self._takes_null(v, path) for v in strict.get("anyOf", ()))
        )

    def _type_of_values(self, strict: Schema, path: tuple[str, ...]) -> Schema:
        """The type of an enumeration. Pydantic writes none where the values have several."""
        values = strict.get("enum") or ([strict["const"]] if "const" in strict else [])
        types = list(dict.fromkeys(_TYPES.get(cast("type[Any]", type(value)), "") for value in values))
        if not types or "" in types:
            raise self._error(path, "a type", "one that takes any value")
        return {"type": types[0] if len(types) == 1 else types}

    def _error(self, path: tuple[str, ...], expected: str, got: str) -> TypeError:
        place = ".".join(_steps(path)).replace(".[]", "[]") or "its root"
        return TypeError(f"{self._what} cannot be strict at {place}: expected {expected}, got {got}")


def _steps(path: tuple[str, ...]) -> Iterator[str]:
    """The names in a path of a schema, as Python has them: `filter.tags[]`."""
    steps = iter(path)
    for step in steps:
        if step == "items":
            yield "[]"
        elif step != "anyOf":
            yield next(steps)
        else:
            next(steps)


def _name_of(ref: str) -> str:
    return ref.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")


def _references(schema: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        for name, inner in cast("Schema", schema).items():
            if name == "$ref" and isinstance(inner, str):
                yield _name_of(inner)
            else:
                yield from _references(inner)
    elif isinstance(schema, list):
        for inner in cast("list[Any]", schema):
            yield from _references(inner)


def _describe(strict: Schema, hints: list[str]) -> None:
    if hints:
        strict["description"] = "\n".join([*([strict["description"]] if "description" in strict else []), *hints])


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _kind(schema: Schema) -> str:
    return str(schema.get("type") or "a union")
