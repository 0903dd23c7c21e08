"""A request to the attributes of its span."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._messages import input_messages, instructions_of, json_of, plain

AttributeValue: TypeAlias = str | bool | int | float | list[str]
Attributes: TypeAlias = dict[str, AttributeValue]

_PROVIDERS = {
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.openai",
    "x.ai": "x_ai",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "perplexity.ai": "perplexity",
    "anthropic.com": "anthropic",
    "cohere.com": "cohere",
    "googleapis.com": "gcp.gemini",
    "amazonaws.com": "aws.bedrock",
    "api.aws": "aws.bedrock",
}
"""The end of a host -> the provider, by the conventions' own names."""

_PORTS = {"https": 443, "http": 80}

_NUMBERS = {
    "temperature": names.REQUEST_TEMPERATURE,
    "top_p": names.REQUEST_TOP_P,
    "max_output_tokens": names.REQUEST_MAX_TOKENS,
}


def provider_of(base_url: str | None) -> str:
    """The provider at a base URL. "openai" for all others: the name stands for the API that is spoken."""
    host = (urlsplit(base_url).hostname or "") if base_url else ""
    ends = (name for end, name in _PROVIDERS.items() if host == end or host.endswith(f".{end}"))
    return next(ends, "openai")


def operation_attributes(operation: str, provider: str | None, base_url: str | None, model: Any) -> Attributes:
    """What spans and metrics of an operation have in common. All of it is known when the span begins."""
    attributes: Attributes = {
        names.OPERATION_NAME: operation,
        names.PROVIDER_NAME: provider or provider_of(base_url),
    }
    if isinstance(model, str) and model:
        attributes[names.REQUEST_MODEL] = model
    if base_url:
        parts = urlsplit(base_url)
        port = parts.port or _PORTS.get(parts.scheme)
        if parts.hostname and port:
            attributes[names.SERVER_ADDRESS] = parts.hostname
            attributes[names.SERVER_PORT] = port
    return attributes


def request_attributes(request: Mapping[str, Any], provider: str) -> Attributes:
    """What the span alone has of a request, without content."""
    attributes: Attributes = {names.REQUEST_STREAM: True}
    for field, name in _NUMBERS.items():
        value: Any = request.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool):
            attributes[name] = value if name == names.REQUEST_MAX_TOKENS else float(value)
    conversation = plain(request.get("conversation"))
    if isinstance(conversation, Mapping):
        conversation = cast("Mapping[str, Any]", conversation).get("id")
    if isinstance(conversation, str):
        attributes[names.CONVERSATION_ID] = conversation
    kind = _output_type(request.get("text"))
    if kind is not None:
        attributes[names.OUTPUT_TYPE] = kind
    if provider == "openai":
        attributes[names.OPENAI_API_TYPE] = "responses"
        tier: Any = request.get("service_tier")
        if isinstance(tier, str):
            attributes[names.OPENAI_REQUEST_SERVICE_TIER] = tier
    return attributes


def request_content(request: Mapping[str, Any]) -> Attributes:
    """What was asked."""
    attributes: Attributes = {}
    if request.get("input"):
        attributes[names.INPUT_MESSAGES] = input_messages(request["input"])
    if request.get("instructions"):
        attributes[names.SYSTEM_INSTRUCTIONS] = instructions_of(request["instructions"])
    tools: Any = request.get("tools")
    if tools:
        attributes[names.TOOL_DEFINITIONS] = json_of(plain(tools))
    return attributes


def _output_type(text: Any) -> str | None:
    text = plain(text)
    form: Any = cast("Mapping[str, Any]", text).get("format") if isinstance(text, Mapping) else None
    kind: Any = cast("Mapping[str, Any]", form).get("type") if isinstance(form, Mapping) else None
    return {"text": "text", "json_schema": "json", "json_object": "json"}.get(str(kind))
