"""Moderated streams in real sessions, over loopback HTTP."""

import threading
from collections.abc import Callable
from typing import Any

import anyio

import rxstream
from rxstream.testing import LocalServer
from tests.waiting import BOUND

PROSE = "The quick brown fox jumps over the lazy dog. It is said, e.g. by Dr. Smith, to be 3.14 m long. " * 12


def in_session(mode: str, server: LocalServer, body: Callable[[Any], None], **options: Any) -> None:
    """Run `body(session)` inside a session of each kind; leaving it waits for what runs."""
    known = {"api_key": "k", "base_url": server.base_url, **options}
    if mode == "with":
        with rxstream.Session(**known) as session:
            body(session)
        return

    async def main() -> None:
        with anyio.fail_after(BOUND):
            async with rxstream.Session(**known) as session:
                body(session)

    anyio.run(main, backend=mode)


class Ended:
    """What a subscriber heard."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Exception | None = None
        self.over = threading.Event()

    def subscribe(self, source: Any) -> Any:
        return source.subscribe(self.events.append, self._failed, self.over.set)

    def _failed(self, error: Exception) -> None:
        self.error = error
        self.over.set()

    @property
    def text(self) -> str:
        return "".join(event.delta for event in self.events if event.type == "response.output_text.delta")

    def types(self) -> list[str]:
        return [event.type for event in self.events]
