"""Functions as tools, and the rules, events and records of a run that calls them.

It is pure, and calls nothing by itself: `rxstream.operators.run_tools` runs tools, and writes to a `FileLedger`.
"""

from rxstream.tools._approval import Denial
from rxstream.tools._client_tool import ClientTool
from rxstream.tools._computer_tool import ComputerTool
from rxstream.tools._context import Context
from rxstream.tools._context_rules import ContextRule, keep_bytes, keep_tokens, shorten_outputs
from rxstream.tools._custom_tool import CustomTool, lark_grammar, regex_grammar
from rxstream.tools._events import (
    RunEvent,
    RunFinishedEvent,
    RunResumedEvent,
    RunStreamEvent,
    ToolApprovalEvent,
    ToolFinishedEvent,
    ToolProgressEvent,
    ToolStartedEvent,
    TurnStartedEvent,
)
from rxstream.tools._ledger import FileLedger, Ledger, LedgerRecord, MemoryLedger
from rxstream.tools._namespace import Namespace
from rxstream.tools._output import File, Image, call_output
from rxstream.tools._patch_tool import ApplyPatchTool
from rxstream.tools._shell_tools import CommandResult, LocalShellAction, LocalShellTool, ShellTool
from rxstream.tools._stopping import RunProgress, StopRule, called, seconds, tokens, tool_calls, turns
from rxstream.tools._strict import strict_schema
from rxstream.tools._text_format import text_format
from rxstream.tools._tool import Tool, tool
from rxstream.tools._tool_search import ToolSearch

__all__ = [
    "ApplyPatchTool",
    "ClientTool",
    "CommandResult",
    "ComputerTool",
    "Context",
    "ContextRule",
    "CustomTool",
    "Denial",
    "File",
    "FileLedger",
    "Image",
    "Ledger",
    "LedgerRecord",
    "LocalShellAction",
    "LocalShellTool",
    "MemoryLedger",
    "Namespace",
    "RunEvent",
    "RunFinishedEvent",
    "RunProgress",
    "RunResumedEvent",
    "RunStreamEvent",
    "ShellTool",
    "StopRule",
    "Tool",
    "ToolApprovalEvent",
    "ToolFinishedEvent",
    "ToolProgressEvent",
    "ToolSearch",
    "ToolStartedEvent",
    "TurnStartedEvent",
    "call_output",
    "called",
    "keep_bytes",
    "keep_tokens",
    "lark_grammar",
    "regex_grammar",
    "seconds",
    "shorten_outputs",
    "strict_schema",
    "text_format",
    "tokens",
    "tool",
    "tool_calls",
    "turns",
]
