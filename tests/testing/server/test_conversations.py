"""A model that plays a conversation on the local server, and what the server refuses as the API does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from rxstream.testing import LocalServer, answers

CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "Oslo"}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer([answers.conversation(lambda items: f"{len(items)} items")]) as running:
        yield running


def ask(server: LocalServer, **body: Any) -> tuple[str, str]:
    """The text of the answer, and the id of the response; or the message of the error, and its code."""
    reply = httpx.post(f"{server.base_url}/responses", json={"model": "m", **body}).json()
    if reply.get("error"):
        return reply["error"]["message"], reply["error"]["code"]
    return reply["output"][-1]["content"][0]["text"], reply["id"]


def test_the_items_are_those_of_the_whole_conversation(server: LocalServer) -> None:
    text, first = ask(server, input="Hi")
    assert text == "1 items"
    text, second = ask(server, input=[{"role": "user", "content": "And?"}], previous_response_id=first)
    assert text == "3 items"
    assert ask(server, input="Else?", previous_response_id=second)[0] == "5 items"
    assert ask(server, input="Again?", previous_response_id=first)[0] == "3 items"  # another branch
    for conversation in ("conv_1", {"id": "conv_1"}):
        ask(server, input="Hi", conversation=conversation)
    assert ask(server, input="Hi", conversation="conv_1")[0] == "5 items"
    assert ask(server, input="Hi", conversation="conv_2")[0] == "1 items"


def test_what_is_not_stored_is_not_known(server: LocalServer) -> None:
    _, response_id = ask(server, input="Hi", store=False)
    message, code = ask(server, input="Hi", previous_response_id=response_id)
    assert message == f"Previous response with id '{response_id}' not found."
    assert code == "previous_response_not_found"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"input": [CALL]}, "No tool output found for function call call_1."),
        ({"input": [OUTPUT]}, "No tool call found for function call output with call_id call_1."),
        ({"input": [CALL | {"type": "custom_tool_call"}]}, "No tool output found for custom tool call call_1."),
        ({"input": 3}, "Invalid type for 'input': expected a string or a list of items."),
        ({"previous_response_id": "a", "conversation": "b"}, "Mutually exclusive parameters"),
        (
            {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}], "store": False},
            "Item with id 'rs_1' not found",
        ),
        ({"input": [CALL, OUTPUT]}, "2 items"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "encrypted_content": "x"}], "store": False}, "1 items"),
        ({}, "0 items"),
    ],
)
def test_what_is_refused(server: LocalServer, body: dict[str, Any], message: str) -> None:
    assert ask(server, **body)[0].startswith(message)


def test_a_model_may_return_any_answer(server: LocalServer) -> None:
    server.say(answers.conversation(lambda items: answers.http_error(429)))
    assert ask(server, input="Hi")[0] == "The server answers 429."
    events = [{"type": "response.completed", "response": {"id": "resp_1", "output": []}}]
    server.say(answers.conversation(lambda items: events), lambda request: events)
    with openai.OpenAI(api_key="k", base_url=server.base_url) as client:
        for _ in range(2):
            with client.responses.create(model="m", input="Hi", stream=True) as stream:
                assert [event.type for event in stream] == ["response.completed"]


def test_reasoning_is_encrypted_where_the_request_includes_it(server: LocalServer) -> None:
    server.say(answers.reasoning_summary("Hm.", then="Yes."))
    url = f"{server.base_url}/responses"
    plain = httpx.post(url, json={"input": "Hi"}).json()
    encrypted = httpx.post(url, json={"input": "Hi", "include": ["reasoning.encrypted_content"]}).json()
    assert "encrypted_content" not in plain["output"][0]
    assert encrypted["output"][0]["encrypted_content"].startswith("gAAA")
