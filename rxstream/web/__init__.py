"""Streams for browsers: formats that they read, and answers of web servers that send them."""

from importlib import import_module
from typing import TYPE_CHECKING

from rxstream.web._event_stream import EventStream
from rxstream.web._formats import to_ag_ui, to_sse, to_ui_messages
from rxstream.web._stream_format import StreamFormat
from rxstream.web.formats._ui_input import from_ui_messages

if TYPE_CHECKING:
    from rxstream.web._probes_app import probes_app
    from rxstream.web._response import EventStreamResponse
    from rxstream.web.formats._ag_ui_input import AgUiRequest, from_ag_ui

__all__ = [
    "AgUiRequest",
    "EventStream",
    "EventStreamResponse",
    "StreamFormat",
    "from_ag_ui",
    "from_ui_messages",
    "probes_app",
    "to_ag_ui",
    "to_sse",
    "to_ui_messages",
]

_ON_USE = {
    "EventStreamResponse": ("_response", "starlette", "rxstream[web]"),
    "probes_app": ("_probes_app", "starlette", "rxstream[web]"),
    "AgUiRequest": ("formats._ag_ui_input", "ag_ui", "rxstream[ag-ui]"),
    "from_ag_ui": ("formats._ag_ui_input", "ag_ui", "rxstream[ag-ui]"),
}
"""What needs another package, and is imported at its first use."""


def __getattr__(name: str) -> object:
    if name not in _ON_USE:
        raise AttributeError(f"module 'rxstream.web' has no attribute {name!r}")
    module, needed, install = _ON_USE[name]
    try:
        value = globals()[name] = getattr(import_module(f"rxstream.web.{module}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != needed:
            raise
        raise ImportError(f"rxstream.web.{name} needs {needed}: pip install '{install}'") from error
    return value
