"""The server-sent events of the Responses API as an Observable of typed events.

    import rxstream
    from rxstream import operators as rxs

    with rxstream.Session() as session:
        answer = session.response(model="gpt-4o", input="Say 'double bubble bath' ten times fast.")
        answer.pipe(rxs.text_only()).subscribe(lambda text: print(text, end="", flush=True))

The events are in `rxstream.events`, the operators in `rxstream.operators`, the types that they emit in
`rxstream.results`, the checks of a moderator in `rxstream.moderation`, all errors in `rxstream.errors`, types for your
own operators in `rxstream.typing`, the test kit in `rxstream.testing`, streams for browsers in `rxstream.web`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rxstream._version import __version__

if TYPE_CHECKING:
    from rxstream.errors import (
        ModerationError,
        OutputError,
        ProtocolError,
        ResponseError,
        RxStreamError,
        TransportError,
        TruncatedError,
    )
    from rxstream.events import StreamingEvent, parse_event
    from rxstream.session import Session, from_async_iterable, from_iterable, from_openai
    from rxstream.sinks import Handlers, iterate, result

__all__ = [
    "Handlers",
    "ModerationError",
    "OutputError",
    "ProtocolError",
    "ResponseError",
    "RxStreamError",
    "Session",
    "StreamingEvent",
    "TransportError",
    "TruncatedError",
    "__version__",
    "from_async_iterable",
    "from_iterable",
    "from_openai",
    "iterate",
    "parse_event",
    "result",
]

# Each name is imported from its package at its first use: `rxstream --help` and the pytest plugin need none of them.
_PACKAGES = {
    "events": ("StreamingEvent", "parse_event"),
    "sinks": ("Handlers", "iterate", "result"),
    "session": ("Session", "from_async_iterable", "from_iterable", "from_openai"),
    "errors": tuple(name for name in __all__ if name.endswith("Error")),
}


def __getattr__(name: str) -> object:
    for package, names in _PACKAGES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"rxstream.{package}"), name)
            return value
    if name in (*_PACKAGES, "moderation", "operators", "results", "testing", "typing", "web"):
        return import_module(f"rxstream.{name}")
    raise AttributeError(f"module 'rxstream' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
