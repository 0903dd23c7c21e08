"""One log, many readers: a stream that runs on without its reader, and that any process can follow."""

from rxstream.relay._follow import follow, follow_frames
from rxstream.relay._log import Batch, Claim, Claimed, Head, Log, Page, Topic
from rxstream.relay._memory import MemoryLog
from rxstream.relay._nats import NatsLog
from rxstream.relay._publish import Publication, cancel, publish, take_over
from rxstream.relay._resume import Resume
from rxstream.relay._running import Host
from rxstream.relay._valkey import ValkeyLog

__all__ = [
    "Batch",
    "Claim",
    "Claimed",
    "Head",
    "Host",
    "Log",
    "MemoryLog",
    "NatsLog",
    "Page",
    "Publication",
    "Resume",
    "Topic",
    "ValkeyLog",
    "cancel",
    "follow",
    "follow_frames",
    "publish",
    "take_over",
]
