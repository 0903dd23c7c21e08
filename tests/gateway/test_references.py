"""What a request names of the account at the server, and who decides whether it may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rxstream.gateway import gateway
from rxstream.gateway._references import references_in
from rxstream.relay import MemoryLog
from rxstream.testing import LocalServer, answers
from tests.gateway._processes import serve_processes
from tests.gateway._serving import gateway_at, post

HELD = "sk-held-by-the-gateway"
NAMED: dict[str, dict[str, Any]] = {
    "input[0].content[1].file_id": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"file_id": "f"}]}]
    },
    "input[1].output[0].file_id": {
        "input": [
            {"role": "user", "content": "Hi"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "file_id": "f"}]},
        ]
    },
    "input[0].id": {"input": [{"type": "item_reference", "id": "f"}]},
    "input[2].id": {"input": [{"role": "user", "content": "Hi"}, {"id": None}, {"id": "f"}]},
    "prompt.id": {"prompt": {"id": "f"}},
    "prompt.variables.a.file_id": {"prompt": {"variables": {"a": {"type": "input_file", "file_id": "f"}}}},
    "tools[0].vector_store_ids[0]": {"tools": [{"type": "file_search", "vector_store_ids": ["f"]}]},
    "tools[0].container": {"tools": [{"type": "code_interpreter", "container": "f"}]},
    "tools[0].container.file_ids[0]": {
        "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]
    },
    "tools[0].input_image_mask.file_id": {
        "tools": [{"type": "image_generation", "input_image_mask": {"file_id": "f"}}]
    },
    "tools[0].environment.skills[0].skill_id": {
        "tools": [{"type": "shell", "environment": {"skills": [{"type": "skill_reference", "skill_id": "f"}]}}]
    },
    "tools[0].environment.container_id": {
        "tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": "f"}}]
    },
}


@pytest.mark.parametrize("place", NAMED)
def test_each_kind_is_found(place: str) -> None:
    assert list(references_in({"model": "m", **NAMED[place]})) == [(place, "f")]


def test_what_names_nothing() -> None:
    body: dict[str, Any] = {
        "instructions": "file_id: f",
        "metadata": {"file_id": "f"},
        "previous_response_id": "resp_1",  # the log knows whose it is
        "prompt_cache_key": "k",
        "input": [
            {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "f"}]},
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "container", "arguments": "file_id"},
        ],
        "tools": [
            {"type": "function", "parameters": {"properties": {"file_id": {"type": "string"}, "container": {}}}},
            {"type": "code_interpreter", "container": {"type": "auto"}},
        ],
    }
    assert list(references_in(body)) == []


def test_a_deep_body_is_read() -> None:
    deep = json.loads("[" * 900 + '{"file_id": "f"}' + "]" * 900)
    assert [name for _, name in references_in({"input": deep})] == ["f"]


@pytest.mark.parametrize("options", [{"key": HELD}, {"log": MemoryLog()}])
def test_who_may_name_what_is_decided_by_the_application(options: dict[str, Any]) -> None:
    asked: list[tuple[str, str, str]] = []

    async def allow(caller: str, place: str, name: str) -> bool:
        asked.append((caller, place, name))
        return name == "file-of-caller-1"

    tools = [{"type": "file_search", "vector_store_ids": ["vs_of_another"]}]
    content = [{"type": "input_file", "file_id": "file-of-caller-1"}]
    body = {"model": "m", "input": [{"role": "user", "content": content}]}
    with (
        LocalServer([answers.text("Hi.")]) as server,
        gateway_at(server.base_url, allow_reference=allow, **options) as url,
    ):
        assert post(url, body).status_code == 200
        refused = post(url, {**body, "tools": tools})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "tools[0].vector_store_ids[0]")
        assert "vs_of_another" not in refused.text
        assert len(server.log) == 1
    assert asked[0] == ("sk-caller-1", "input[0].content[0].file_id", "file-of-caller-1")
    assert asked[-1] == ("sk-caller-1", "tools[0].vector_store_ids[0]", "vs_of_another")


def test_without_a_rule_all_that_is_named_goes_up() -> None:
    with LocalServer([answers.text("Hi.")]) as server, gateway_at(server.base_url, key=HELD) as url:
        for body in NAMED.values():
            assert post(url, {"model": "m", **body}).status_code == 200
            assert {**server.log[-1].json, **body} == server.log[-1].json


def test_the_command_refuses_all() -> None:
    with LocalServer([answers.text("Hi.")]) as server, serve_processes() as start:
        url = start("--upstream", server.base_url, "--refuse-references").base_url
        assert post(url).status_code == 200
        assert post(url, {"model": "m", **NAMED["tools[0].container"]}).status_code == 400


def test_a_rule_is_a_function() -> None:
    with pytest.raises(TypeError, match="allow_reference"):
        gateway("http://127.0.0.1:9/v1", allow_reference=["file-1"])  # type: ignore[arg-type]
