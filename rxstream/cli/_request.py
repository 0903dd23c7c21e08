"""The request of `rxstream stream` and `rxstream record`, from their arguments."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, cast

from rxstream.session import ResponseRequest
from rxstream.tools import strict_schema
from rxstream.transport._headers import checked_headers

DEFAULT_MODEL = "gpt-4o-mini"

_NOT_OF_THE_API = {"extra_body", "extra_headers", "extra_query", "timeout", "text_format"}
_FIELDS = ResponseRequest.__annotations__.keys() - _NOT_OF_THE_API
_HAS_AN_INPUT = ("input", "prompt", "conversation", "previous_response_id")


def request_of(options: Namespace) -> dict[str, Any]:
    """What `session.response` takes. An option goes before the same field of `--body`.

    Raises: ArgumentTypeError: an argument that cannot be used. OSError: a file that cannot be read.
    """
    body = _body(options.body)
    if options.schema is not None:
        text = body.get("text", {})
        if not isinstance(text, Mapping):
            raise ArgumentTypeError(f"--body: expected an object in text, got {_kind(text)}")
        body["text"] = {**cast("Mapping[str, Any]", text), "format": _format(options.schema)}
    if options.instructions is not None:
        body["instructions"] = options.instructions
    if options.model is not None or "model" not in body:
        body["model"] = options.model or DEFAULT_MODEL
    prompt = _prompt(options.prompt, body)
    if prompt is not None:
        body["input"] = prompt
    fields = {name: body.pop(name) for name in [*body] if name in _FIELDS}
    return fields | ({"extra_body": body} if body else {})


def headers_of(options: Namespace) -> dict[str, str]:
    """The headers of `--header`. Raises: ArgumentTypeError: one that cannot be sent. Its value is not in the error."""
    try:
        return checked_headers(*({name: value} for name, value in options.header))
    except ValueError as error:
        raise ArgumentTypeError(f"--header: {error}") from None


def stdin() -> IO[bytes]:
    """Raises: ValueError: it is closed."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # as where it was closed by `<&-`
        raise ValueError("expected input on stdin, which is closed: pipe something in, or name it instead of -")
    return sys.stdin.buffer


# ---------------------------------------------------------------------- input


def _prompt(prompt: str | None, body: Mapping[str, Any]) -> str | None:
    """The prompt, that of a pipe if none is named, or None if the body has the input."""
    if prompt == "-":
        return _stdin_text()
    if prompt is not None:
        return prompt
    if any(name in body for name in _HAS_AN_INPUT):
        return None
    piped = ""
    if sys.stdin is not None and not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        piped = _stdin_text()
    if not piped.strip():
        raise ArgumentTypeError('expected a prompt: name one, pipe one in, or give --body \'{"input": "..."}\'')
    return piped


def _stdin_text() -> str:
    """What comes from stdin, in UTF-8 or else in the encoding of the locale."""
    data = stdin().read()
    for encoding in ("utf-8", sys.stdin.encoding):
        with suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise ValueError(f"expected the prompt on stdin as text in UTF-8, got other bytes: {data[:20]!r}")


# ---------------------------------------------------------------------- JSON


def _body(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    body = _file_object(text[1:]) if text.startswith("@") else _object(text, "--body")
    if body.get("stream", True) is not True:
        raise ArgumentTypeError("--body: expected no field stream, or true, because rxstream always streams")
    return body


def _format(path: str) -> dict[str, Any]:
    """The `text.format` of a JSON Schema, made strict, or of a format of the API, which is sent as it is."""
    schema = _file_object(path)
    inner = schema.get("schema")
    if schema.get("type") == "json_schema" or (isinstance(inner, dict) and "properties" not in schema):
        if not isinstance(inner, dict):
            raise ArgumentTypeError(f"{path}: expected an object in schema, got {_kind(inner)}")
        return {"name": _schema_name(path, schema), **schema, "type": "json_schema"}
    try:
        strict = strict_schema(schema, what=path, optional="required")
    except TypeError as error:
        hint = '; to send it as it is, write {"schema": ..., "strict": false} around it'
        raise ArgumentTypeError(f"{error}{hint}") from error
    return {"type": "json_schema", "name": _schema_name(path, schema), "schema": strict, "strict": True}


def _schema_name(path: str, schema: Mapping[str, Any]) -> str:
    title = schema.get("title")
    name = title if isinstance(title, str) else Path(path).name.split(".")[0]
    return re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")[:64] or "answer"


def _file_object(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ArgumentTypeError(f"{path}: expected JSON in UTF-8, got other bytes") from None
    return _object(text, path)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_not_json)
    except json.JSONDecodeError as error:
        raise ArgumentTypeError(f"{where}: expected JSON, got a text with an error: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ArgumentTypeError(f"{where}: expected JSON that can be sent, got {error}") from None
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{where}: expected a JSON object, got {_kind(value)}")
    return cast("dict[str, Any]", value)


def _not_json(word: str) -> NoReturn:
    raise ValueError(f"{word}, which JSON does not have")


def _kind(value: Any) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return "a text"
        case None | bool():
            return json.dumps(value)
        case _:
            return "a number"
