"""Functions as tools, and the rules and events of a run that calls them. Pure: it calls nothing by itself.

`rxstream.operators.run_tools` runs tools.
"""

from rxstream.tools._context import Context
from rxstream.tools._context_rules import ContextRule, keep_bytes, keep_tokens, shorten_outputs
from rxstream.tools._events import (
    RunEvent,
    RunFinishedEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from rxstream.tools._output import File, Image, call_output
from rxstream.tools._stopping import RunProgress, StopRule, called, seconds, tokens, tool_calls, turns
from rxstream.tools._strict import strict_schema
from rxstream.tools._text_format import text_format
from rxstream.tools._tool import Tool, tool

__all__ = [
    "Context",
    "ContextRule",
    "File",
    "Image",
    "RunEvent",
    "RunFinishedEvent",
    "RunProgress",
    "StopRule",
    "Tool",
    "ToolApprovalEvent",
    "ToolFinishedEvent",
    "ToolProgressEvent",
    "ToolStartedEvent",
    "TurnStartedEvent",
    "call_output",
    "called",
    "keep_bytes",
    "keep_tokens",
    "seconds",
    "shorten_outputs",
    "strict_schema",
    "text_format",
    "tokens",
    "tool",
    "tool_calls",
    "turns",
]
