"""The test kit: a local Responses API server, marbles, builders and laws."""

from rxstream.testing._answer import Answer, Asked, Reply
from rxstream.testing._build import (
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
from rxstream.testing._clock import VirtualClock
from rxstream.testing._laws import LAWS, operator_laws
from rxstream.testing._log import Exchange
from rxstream.testing._marbles import assert_marbles, check_marbles, cold, hot, marbles
from rxstream.testing._offline import events_of, frames_of, sse_bytes_of
from rxstream.testing._picture import Picture
from rxstream.testing._server import LocalServer
from rxstream.testing._trial import Trial

__all__ = [
    "LAWS",
    "Answer",
    "Asked",
    "Exchange",
    "LocalServer",
    "Picture",
    "Reply",
    "Trial",
    "VirtualClock",
    "assert_marbles",
    "check_marbles",
    "cold",
    "disconnect",
    "endless",
    "error",
    "events",
    "events_of",
    "failed",
    "frames_of",
    "function_calls",
    "hang",
    "hot",
    "html",
    "http_error",
    "incomplete",
    "marbles",
    "operator_laws",
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
