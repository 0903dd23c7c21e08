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
from rxstream.testing._log import Exchange
from rxstream.testing._marbles import assert_marbles, check_marbles, cold, hot, marbles
from rxstream.testing._picture import Picture
from rxstream.testing._server import LocalServer

__all__ = [
    "Answer",
    "Asked",
    "Exchange",
    "LocalServer",
    "Picture",
    "Reply",
    "VirtualClock",
    "assert_marbles",
    "check_marbles",
    "cold",
    "disconnect",
    "endless",
    "error",
    "events",
    "failed",
    "function_calls",
    "hang",
    "hot",
    "html",
    "http_error",
    "incomplete",
    "marbles",
    "reasoning_summary",
    "refusal",
    "silent",
    "structured",
    "tape",
    "text",
    "together",
    "truncated",
    "verbatim",
]
