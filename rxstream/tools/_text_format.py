"""`text_format=Model`: the answer as JSON of a model."""

from __future__ import annotations

import re
from typing import Any

from rxstream.partial_json._validation import adapter, name_of
from rxstream.tools._schema import StrictJsonSchema
from rxstream.tools._strict import strict_schema


def text_format(model: type[Any]) -> dict[str, Any]:
    """The `text.format` of a request for an answer of that model: a pydantic model, a dataclass or a `TypedDict`.

    All fields must be in the answer, also those with a default.

    Raises: TypeError: the API cannot take its schema with `strict=True`; the message says where.
    """
    name = name_of(model)
    schema = adapter(model).json_schema(schema_generator=StrictJsonSchema)
    strict = strict_schema(schema, what=name, optional="required")
    return {
        "type": "json_schema",
        "name": re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64],
        "schema": strict,
        "strict": True,
    }
