"""An answer that fits its request, without a model."""

import json
from typing import Any

from pydantic import BaseModel

from rxstream.testing import answers
from rxstream.testing._sample_answer import sample_answer

TOOL = {
    "type": "function",
    "name": "look",
    "parameters": {
        "type": "object",
        "properties": {"names": {"type": "array", "items": {"$ref": "#/$defs/Name"}}, "n": {"type": "integer"}},
        "$defs": {"Name": {"anyOf": [{"type": "string", "title": "Name"}, {"type": "null"}]}},
    },
}


class Node(BaseModel):
    name: str
    after: "Node | None"
    below: list["Node"]


def final(request: dict[str, Any]) -> list[Any]:
    events = list(sample_answer(request, "Hello.").events(answers.ReceivedRequest()))
    return events[-1]["response"]["output"]


def test_each_function_is_called_with_arguments_that_fit():
    (call,) = final({"tools": [TOOL]})
    assert call["name"] == "look"
    assert json.loads(call["arguments"]) == {"names": ["Name", "Name"], "n": 1}


def test_outputs_get_the_text_and_the_next_question_a_call():
    conversation = [{"role": "user", "content": "Hi"}, {"type": "function_call_output", "call_id": "c", "output": "1"}]
    (message,) = final({"tools": [TOOL], "input": conversation})
    assert message["content"][0]["text"] == "Hello."
    (call,) = final({"tools": [TOOL], "input": [*conversation, {"role": "user", "content": "And now?"}]})
    assert call["type"] == "function_call"


def test_a_schema_that_refers_to_itself_gets_json_that_fits_it():
    form = {"type": "json_schema", "name": "node", "schema": Node.model_json_schema()}
    (message,) = final({"text": {"format": form}})
    assert Node.model_validate_json(message["content"][0]["text"]).name == "Name"
