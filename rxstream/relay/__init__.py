"""One log, many readers: a stream that runs on without its reader, and that any process can follow."""

from rxstream.relay._follow import follow, follow_frames
from rxstream.relay._log import Claim, Claimed, Log, LogBatch, LogPage, StreamHead, Topic
from rxstream.relay._memory import MemoryLog
from rxstream.relay._nats import NatsLog
from rxstream.relay._publish import Publication, cancel, publish, take_over
from rxstream.relay._resume import ResumeResponse
from rxstream.relay._running import Host
from rxstream.relay._valkey import ValkeyLog

__all__ = [
    "Claim",
    "Claimed",
    "Host",
    "Log",
    "LogBatch",
    "LogPage",
    "MemoryLog",
    "NatsLog",
    "Publication",
    "ResumeResponse",
    "StreamHead",
    "Topic",
    "ValkeyLog",
    "cancel",
    "follow",
    "follow_frames",
    "publish",
    "take_over",
]
