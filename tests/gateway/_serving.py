"""A gateway on loopback, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai

from rxstream.gateway import gateway
from rxstream.gateway._server import GatewayServer
from tests.waiting import BOUND
from tests.web._serving import served


@contextmanager
def gateway_at(upstream: str, **options: Any) -> Iterator[str]:
    """The base URL of a gateway in front of a server, for clients of the API."""
    options.setdefault("shutdown_seconds", 1.0)
    app = gateway(upstream, **options)
    with served(app, lifespan=True, make=lambda config: GatewayServer(config, app.state.gateway)) as url:
        yield f"{url}/v1"


def client_of(base_url: str, key: str = "sk-caller-1", **options: Any) -> openai.OpenAI:
    """The official client."""
    return openai.OpenAI(
        api_key=key,
        base_url=base_url,
        max_retries=0,
        timeout=BOUND,
        http_client=httpx.Client(trust_env=False, timeout=BOUND),
        **options,
    )


def text_of(events: Any) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def numbers_of(events: Any) -> list[int]:
    return [event.sequence_number for event in events]


def post(base_url: str, json: Any = None, **options: Any) -> httpx.Response:
    """A request to `/responses`, as it is."""
    options.setdefault("headers", {"authorization": "Bearer sk-caller-1"})
    body = {"model": "m", "input": "Hi"} if json is None else json
    with httpx.Client(trust_env=False, timeout=BOUND) as client:
        return client.post(f"{base_url}/responses", json=body, **options)


def get(url: str, key: str | None = "sk-caller-1", **options: Any) -> httpx.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    with httpx.Client(trust_env=False, timeout=BOUND) as client:
        return client.get(url, headers={**headers, **options.pop("headers", {})}, **options)
