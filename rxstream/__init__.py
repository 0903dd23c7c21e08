"""The server-sent-event stream of the Responses API as an Observable of typed events.

    import rxstream
    from rxstream import operators as rxs

    with rxstream.Session() as session:
        answer = session.response(model="gpt-4o", input="Say 'double bubble bath' ten times fast.")
        answer.pipe(rxs.text_only()).subscribe(lambda text: print(text, end="", flush=True))

The events are in `rxstream.events`, the operators in `rxstream.operators`, all errors in `rxstream.errors`, the test
kit in `rxstream.testing`.
"""

from rxstream._version import __version__
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
from rxstream.sinks import Handlers, iterate, result
from rxstream.source import Session, from_async_iterable, from_iterable, from_openai

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
