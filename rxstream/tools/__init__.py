"""Functions as tools: their schema, their arguments, their results. Knows no Rx and calls nothing by itself."""

from rxstream.tools._context import Context
from rxstream.tools._output import File, Image, call_output
from rxstream.tools._strict import strict_schema
from rxstream.tools._text_format import text_format
from rxstream.tools._tool import Tool, tool

__all__ = ["Context", "File", "Image", "Tool", "call_output", "strict_schema", "text_format", "tool"]
