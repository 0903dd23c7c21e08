"""A WebSocket server that is not ours: for pings, fragments, binary messages and TLS."""

from __future__ import annotations

import json
import logging
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from rxstream.testing import answers

MESSAGES = [event.model_dump_json() for event in answers.events_of(answers.text("Hello there"))]

Turn = Callable[[ServerConnection, dict[str, Any]], object]


class Peer:
    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.requests: list[dict[str, Any]] = []
        self.connections: list[ServerConnection] = []


@contextmanager
def socket_peer(turn: Turn, *, tls: ssl.SSLContext | None = None, **options: Any) -> Generator[Peer]:
    """Call `turn` with the connection and the message, for each message."""
    peer = Peer(0)

    def handle(connection: ServerConnection) -> None:
        peer.connections.append(connection)
        try:
            for message in connection:
                peer.requests.append(json.loads(message))
                turn(connection, peer.requests[-1])
        except ConnectionClosed:
            pass

    quiet = logging.Logger("peer", logging.CRITICAL)
    with serve(handle, "127.0.0.1", 0, ssl=tls, compression=None, logger=quiet, **options) as server:
        port = server.socket.getsockname()[1]
        peer.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield peer
        finally:
            server.shutdown()
            thread.join()


def send_all(connection: ServerConnection, request: dict[str, Any]) -> None:
    for message in MESSAGES:
        connection.send(message)
