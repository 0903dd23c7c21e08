"""How Frames arrive: over HTTP, from memory, from a tape. Async, no Rx."""

from rxstream.transport._base import Request, Transport, Wire
from rxstream.transport._memory import MemoryTransport
from rxstream.transport.http._address import join_url
from rxstream.transport.http._external_client import HttpClient
from rxstream.transport.http._transport import HttpTransport
from rxstream.transport.tape._recording import RecordingTransport
from rxstream.transport.tape._replay import Batch, Tape, TapeTransport, read_tape
from rxstream.transport.tape._tape import Recorder

__all__ = [
    "Batch",
    "HttpClient",
    "HttpTransport",
    "MemoryTransport",
    "Recorder",
    "RecordingTransport",
    "Request",
    "Tape",
    "TapeTransport",
    "Transport",
    "Wire",
    "join_url",
    "read_tape",
]
