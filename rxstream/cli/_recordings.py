"""Recordings of other programs: HAR files of browsers and proxies, cassettes of vcr and pytest-recording."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

from rxstream.cli._request import stdin

_CASSETTES = (".yaml", ".yml")
_STREAM = "text/event-stream"


def recordings(file: str) -> list[str | IO[bytes]]:
    """The tapes to read in place of `file`: `-` is stdin, and of a HAR file or a cassette each stream in it.

    A cassette in YAML needs PyYAML, which vcr has brought with it. These files have no times of events.

    Raises: ValueError: it has no stream, or another form. ModuleNotFoundError: PyYAML. OSError.
    """
    if file == "-":
        return [stdin()]
    suffix = Path(file).suffix.lower()
    if suffix != ".har" and suffix not in _CASSETTES:
        return [file]
    content = _parsed(Path(file), is_yaml=suffix in _CASSETTES)
    find = _streams_of_har if suffix == ".har" else _streams_of_cassette
    try:
        streams = [*find(content)]
    except (TypeError, AttributeError, KeyError, ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{file}: expected {_form(suffix)}, got another form: {error!r}") from error
    if not streams:
        raise ValueError(f"{file}: expected a response of the type {_STREAM} in it, got none")
    return [io.BytesIO(stream) for stream in streams]


def _form(suffix: str) -> str:
    return 'a HAR file: {"log": {"entries": [...]}}' if suffix == ".har" else "a cassette of vcr: interactions: [...]"


def _parsed(path: Path, *, is_yaml: bool) -> Any:
    data = path.read_bytes()
    if not is_yaml:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: expected {_form('.har')}, got no JSON: {error}") from None
    try:
        yaml: Any = import_module("yaml")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{path}: a cassette in YAML needs PyYAML: pip install pyyaml") from None
    try:
        return yaml.safe_load(data)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{path}: expected {_form('.yaml')}, got no YAML: {error}") from None


def _streams_of_har(har: Any) -> Iterator[bytes]:
    """http://www.softwareishard.com/blog/har-12-spec/: the text is decompressed, and may be in base64."""
    for entry in har["log"]["entries"]:
        content = entry["response"]["content"]
        text = content.get("text")
        if text and content.get("mimeType", "").lower().startswith(_STREAM):
            yield _base64(text) if content.get("encoding") == "base64" else text.encode()


def _streams_of_cassette(cassette: Any) -> Iterator[bytes]:
    """The bytes came as they stand there, possibly compressed."""
    for interaction in cassette["interactions"]:
        response = interaction["response"]
        sent: dict[str, Any] = response.get("headers") or {}
        headers = {str(name).lower(): value for name, value in sent.items()}
        if not _first(headers, "content-type").startswith(_STREAM):
            continue
        body: Any = response.get("body", response.get("content"))
        body = cast("Mapping[str, Any]", body).get("string") if isinstance(body, Mapping) else body
        if body:
            data = body.encode() if isinstance(body, str) else bytes(body)
            encoding = _first(headers, "content-encoding")
            # decode_compressed_response of vcr leaves the header where it was
            yield gzip.decompress(data) if encoding == "gzip" and data.startswith(b"\x1f\x8b") else data


def _first(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name) or ""
    return str(value if isinstance(value, str) else value[0]).lower()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"base64 that cannot be read: {error}") from None
