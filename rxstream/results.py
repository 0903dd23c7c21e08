"""The types that operators emit, for annotations and for `match`."""

from rxstream.operators._grouping import EventGroup
from rxstream.operators._text import TextSoFar
from rxstream.partial_json._paths import JsonValue
from rxstream.partial_json._so_far import JsonSoFar
from rxstream.response._annotations import TextAnnotation
from rxstream.response.calls._function_calls import FunctionCallProgress
from rxstream.response.calls._tool_call_kinds import (
    ApplyPatchToolCall,
    CodeInterpreterToolCall,
    ComputerToolCall,
    CustomToolCall,
    FileSearchToolCall,
    FunctionCall,
    ImageGenerationToolCall,
    LocalShellToolCall,
    McpApprovalRequest,
    McpListTools,
    McpToolCall,
    OtherToolCall,
    ShellToolCall,
    ToolCall,
    ToolSearchToolCall,
    WebSearchToolCall,
)
from rxstream.response.history._snapshot import Snapshot
from rxstream.response.output_json._documents import Partial
from rxstream.timing._heartbeat import HeartbeatEvent
from rxstream.timing._metrics import Gaps, ItemMetrics, Metrics

__all__ = [
    "ApplyPatchToolCall",
    "CodeInterpreterToolCall",
    "ComputerToolCall",
    "CustomToolCall",
    "EventGroup",
    "FileSearchToolCall",
    "FunctionCall",
    "FunctionCallProgress",
    "Gaps",
    "HeartbeatEvent",
    "ImageGenerationToolCall",
    "ItemMetrics",
    "JsonSoFar",
    "JsonValue",
    "LocalShellToolCall",
    "McpApprovalRequest",
    "McpListTools",
    "McpToolCall",
    "Metrics",
    "OtherToolCall",
    "Partial",
    "ShellToolCall",
    "Snapshot",
    "TextAnnotation",
    "TextSoFar",
    "ToolCall",
    "ToolSearchToolCall",
    "WebSearchToolCall",
]
