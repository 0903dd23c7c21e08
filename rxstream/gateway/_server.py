"""The web server of `rxstream serve`."""

from __future__ import annotations

import socket

import uvicorn

from rxstream.gateway._gateway import Gateway


class GatewayServer(uvicorn.Server):
    """uvicorn, whose shutdown ends open streams as the API ends them. uvicorn itself would wait, and then cut them."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn, on a signal."""
        await self._gateway.stop()
        await super().shutdown(sockets)
