"""The least that a gateway does: bytes by aiohttp and uvicorn. `UPSTREAM=URL uvicorn tests.bench._passing:app`."""

from __future__ import annotations

import os
from typing import Any

import aiohttp


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Pass on a POST, and the pieces of its answer."""
    if scope["type"] != "http":
        return
    body = bytearray()
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(trust_env=False) as session:
        url = os.environ["UPSTREAM"] + scope["path"].removeprefix("/v1")
        async with session.post(url, data=bytes(body), headers=headers) as answer:
            head = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
