"""A response, as far as it came, to the attributes of its span."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rxstream.errors import RxStreamError
from rxstream.events import Response, ResponseOutputItemDoneEvent, Usage
from rxstream.events._fields import TEXTS, by_delta
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._messages import output_messages
from rxstream.telemetry.conventions._request import Attributes

SpanOutcome: TypeAlias = Literal["completed", "incomplete", "failed", "disposed"]
"""How it ended. "failed" always has an `error.type`."""

CHUNKS = frozenset[type](by_delta())
"""The events that count as output chunks: those that add to a text."""

WHOLE_CHUNKS = frozenset[type]((ResponseOutputItemDoneEvent, *(done for text in TEXTS for done in text.dones)))
"""The events that count as the first chunk where a server sends no deltas."""

_CALLS = ("function_call", "custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call")
"""The types of items that ask the client to run something."""

_REASONS = {"max_output_tokens": "length"}


def finish_reason(response: Response) -> str:
    """Why the model stopped, in the words of the conventions: stop, tool_call, length, content_filter, error."""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details is not None else None
        return _REASONS.get(str(reason), reason or "incomplete")
    if response.status == "failed":
        return "error"
    if response.status == "cancelled":
        return "cancelled"
    return "tool_call" if any(item.type in _CALLS for item in response.output) else "stop"


def usage_attributes(usage: Usage | None) -> Attributes:
    if usage is None or usage.is_empty:
        return {}
    attributes: Attributes = {
        names.USAGE_INPUT_TOKENS: usage.input_tokens,
        names.USAGE_OUTPUT_TOKENS: usage.output_tokens,
    }
    if usage.input_tokens_details is not None:
        attributes[names.USAGE_CACHE_READ_INPUT_TOKENS] = usage.cached_tokens
        if "cache_write_tokens" in usage.input_tokens_details.model_fields_set:
            attributes[names.USAGE_CACHE_CREATION_INPUT_TOKENS] = usage.input_tokens_details.cache_write_tokens
    if usage.output_tokens_details is not None:
        attributes[names.USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning_tokens
    return attributes


def opening_attributes(response: Response) -> Attributes:
    """What is known as soon as the response exists."""
    attributes: Attributes = {}
    if response.id:
        attributes[names.RESPONSE_ID] = response.id
    if response.model:
        attributes[names.RESPONSE_MODEL] = response.model
    return attributes


def response_attributes(response: Response, provider: object) -> Attributes:
    """What the last event of a response says, without content."""
    attributes = opening_attributes(response) | usage_attributes(response.usage)
    attributes[names.RESPONSE_FINISH_REASONS] = [finish_reason(response)]
    if provider == "openai" and response.service_tier:
        attributes[names.OPENAI_RESPONSE_SERVICE_TIER] = response.service_tier
    return attributes


def response_content(response: Response) -> Attributes:
    """What was answered."""
    return {names.OUTPUT_MESSAGES: output_messages(response.output, finish_reason(response))}


def error_type(error: BaseException) -> str:
    """The class of an error. Messages vary, and may quote what was asked."""
    return type(error).__qualname__


def error_text(error: BaseException, *, content: bool) -> str:
    """The description of a failed span. Without content: the class, and the status or the code of the server."""
    if content:
        return f"{error_type(error)}: {error}"
    known = getattr(error, "status", None) or getattr(error, "code", None) if isinstance(error, RxStreamError) else None
    return error_type(error) if known is None else f"{error_type(error)}: {known}"
