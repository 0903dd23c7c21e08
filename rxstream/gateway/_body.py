"""The body of a request."""

from __future__ import annotations

import json
from typing import Any, cast

from starlette.requests import Request

from rxstream.gateway._errors import RequestError


async def read_body(request: Request, most: int) -> tuple[bytes, dict[str, Any]]:
    """The body as it came, and its fields. Raises: RequestError: it is larger than `most` bytes, or cannot be used."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RequestError(415, "The content type of the request must be application/json.")
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > most:
            raise RequestError(413, f"The body is larger than {most} bytes.")
    try:
        body: Any = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise RequestError(400, "We could not parse the JSON body of your request.")
    fields = cast("dict[str, Any]", body)
    if fields.get("stream") not in (True, False, None):
        raise RequestError(400, "Invalid type for 'stream': expected a boolean.", param="stream")
    return bytes(raw), fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
