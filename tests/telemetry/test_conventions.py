"""Every name that is emitted is one of the conventions, or one of ours with a reason."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import rxstream
from rxstream.events import Response, Usage
from rxstream.telemetry.conventions import _names as names
from rxstream.telemetry.conventions._messages import input_messages, output_messages
from rxstream.telemetry.conventions._request import provider_of, request_attributes
from rxstream.telemetry.conventions._response import finish_reason, usage_attributes
from rxstream.testing import LocalServer, answers
from rxstream.tools import tool
from tests.session._modes import options_for
from tests.telemetry._collected import Collected

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from opentelemetry.semconv._incubating.attributes import (
        error_attributes,
        gen_ai_attributes,
        openai_attributes,
        server_attributes,
    )
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
    from opentelemetry.semconv.schemas import Schemas


def constants(*modules: ModuleType) -> set[str]:
    return {value for module in modules for value in vars(module).values() if isinstance(value, str)}


ATTRIBUTES = constants(error_attributes, gen_ai_attributes, openai_attributes, server_attributes)
METRICS = constants(gen_ai_metrics)
OURS = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}


def test_every_name_is_one_of_the_conventions_or_ours_with_a_reason() -> None:
    assert OURS - {names.SCHEMA_URL} - ATTRIBUTES - METRICS == set(names.OWN)
    assert all(reason for reason in names.OWN.values())
    assert names.SCHEMA_URL in {schema.value for schema in Schemas}


def emitted(script: list[Any]) -> Collected:
    @tool
    async def look(city: str) -> str:
        """Look."""
        return city

    collected = Collected()
    with LocalServer(script) as server:
        options = options_for(server) | {"telemetry": collected.telemetry(content=True)}
        with rxstream.Session(**options) as session:
            session.run(model="m", input="Q", instructions="I", tools=[look]).subscribe(on_error=lambda error: None)
    return collected


@pytest.mark.parametrize(
    "script",
    [
        [answers.function_calls([("look", {"city": "Oslo"})]), answers.text("Done.")],
        [answers.failed()],
        [answers.reasoning_summary("Hm.", then="Done.")],
    ],
    ids=["tools", "failed", "reasoning"],
)
def test_what_is_really_emitted_has_no_other_names(script: list[Any]) -> None:
    collected = emitted(script)
    used = {name for span in collected.spans for name in span.attributes or {}}
    labels = {name for metric in METRICS for point in collected.points(metric) for name in point.attributes}
    assert used | labels <= OURS
    assert used & names.CONTENT
    assert collected.metric_names() <= METRICS
    for span in collected.spans:
        required = {"gen_ai.operation.name"} | ({"gen_ai.provider.name"} if "tool" not in span.name else set())
        assert required <= set(span.attributes or {})


def test_the_values_of_operations_and_providers_are_those_of_the_conventions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
        providers = {each.value for each in gen_ai_attributes.GenAiProviderNameValues}
    assert {"chat", "invoke_agent", "execute_tool"} <= operations
    hosts = {
        None: "openai",
        "https://api.openai.com/v1": "openai",
        "http://localhost:8080": "openai",
        "https://mine.openai.azure.com/openai/v1": "azure.ai.openai",
        "https://api.x.ai/v1": "x_ai",
        "https://box.ai": "openai",
        "https://api.groq.com/openai/v1": "groq",
        "https://bedrock-mantle.us-east-1.api.aws/v1": "aws.bedrock",
        "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1": "aws.bedrock",
    }
    assert {host: provider_of(host) for host in hosts} == hosts
    assert set(hosts.values()) <= providers


def responses() -> Iterator[tuple[dict[str, Any], str]]:
    yield {"status": "completed"}, "stop"
    yield {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"
    yield {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"
    yield {"status": "incomplete"}, "incomplete"
    yield {"status": "failed"}, "error"
    yield {"status": "cancelled"}, "cancelled"
    call = {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"}
    yield {"status": "completed", "output": [call]}, "tool_call"


@pytest.mark.parametrize(("fields", "reason"), [*responses()])
def test_finish_reasons(fields: dict[str, Any], reason: str) -> None:
    assert finish_reason(Response.model_validate(fields)) == reason


def test_usage_has_what_the_server_counts_and_no_more() -> None:
    assert usage_attributes(None) == usage_attributes(Usage()) == {}
    counts = {"input_tokens": 9, "output_tokens": 4}
    details = {"input_tokens_details": {"cached_tokens": 5}, "output_tokens_details": {"reasoning_tokens": 2}}
    assert usage_attributes(Usage.model_validate(counts)) == {
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
    }
    assert usage_attributes(Usage.model_validate(counts | details)) == {
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 4,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


def test_requests_of_any_shape_have_attributes() -> None:
    odd = {"temperature": None, "top_p": "0.5", "max_output_tokens": True, "conversation": {"id": "c"}, "text": 3}
    assert request_attributes(odd, "x_ai") == {"gen_ai.request.stream": True, "gen_ai.conversation.id": "c"}


def test_messages_of_any_shape_are_json() -> None:
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    items: list[Any] = [
        {"role": "user", "content": [{"type": "input_text", "text": "What?"}, image]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
        {"type": "web_search_call", "id": "w"},
        "text",
        Path("odd"),
    ]
    messages = json.loads(input_messages(items))
    assert messages[0]["parts"] == [{"type": "text", "content": "What?"}, image]
    assert messages[1]["parts"] == [{"type": "reasoning", "content": "Hm."}]
    assert messages[2]["parts"] == [{"type": "tool_call", "id": "c", "name": "n", "arguments": "{"}]
    assert messages[3] == {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "x"}]}
    assert messages[4]["parts"] == [{"type": "web_search_call", "id": "w"}]
    assert messages[5]["parts"][0]["content"] == "text"
    (message,) = json.loads(output_messages(items[1:3], "stop"))
    assert [part["type"] for part in message["parts"]] == ["reasoning", "tool_call"]
