"""The Responses API in, the Responses API out: an ASGI application between any client and a server."""

from importlib import import_module
from typing import TYPE_CHECKING

from rxstream.gateway._limits import GatewayLimits

if TYPE_CHECKING:
    from rxstream.gateway._app import gateway
    from rxstream.gateway._callers import AllowReference, Authorize

__all__ = ["AllowReference", "Authorize", "GatewayLimits", "gateway"]

_ON_USE = {"AllowReference": "_callers", "Authorize": "_callers", "gateway": "_app"}
"""What needs Starlette, and is imported at its first use."""


def __getattr__(name: str) -> object:
    if name not in _ON_USE:
        raise AttributeError(f"module 'rxstream.gateway' has no attribute {name!r}")
    try:
        value = globals()[name] = getattr(import_module(f"rxstream.gateway.{_ON_USE[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "starlette":
            raise
        raise ImportError(f"rxstream.gateway.{name} needs starlette: pip install 'rxstream[serve]'") from error
    return value
