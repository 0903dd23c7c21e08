"""Answers of the API, each by one small function: `answers.text("Hello.")`, `answers.http_error(429)`.

A `LocalServer` sends them; `events_of`, `frames_of` and `sse_bytes_of` return their content without a server.
"""

from rxstream.testing.answers._answer import Answer, ReceivedRequest, Reply
from rxstream.testing.answers._build import (
    conversation,
    disconnect,
    endless,
    error,
    events,
    failed,
    function_calls,
    hang,
    html,
    http_error,
    incomplete,
    reasoning_summary,
    refusal,
    silent,
    structured,
    tape,
    text,
    together,
    truncated,
    verbatim,
)
from rxstream.testing.answers._offline import events_of, frames_of, sse_bytes_of

__all__ = [
    "Answer",
    "ReceivedRequest",
    "Reply",
    "conversation",
    "disconnect",
    "endless",
    "error",
    "events",
    "events_of",
    "failed",
    "frames_of",
    "function_calls",
    "hang",
    "html",
    "http_error",
    "incomplete",
    "reasoning_summary",
    "refusal",
    "silent",
    "sse_bytes_of",
    "structured",
    "tape",
    "text",
    "together",
    "truncated",
    "verbatim",
]
