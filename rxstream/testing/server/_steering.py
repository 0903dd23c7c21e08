"""What the WebSocket mode of the local server knows of the response that it sends: for input that steers it.

Specification: the docstrings of `BetaResponseSteerEvent` and its neighbours in openai-python 3.57.
"""

import json
from collections import deque
from typing import Any, cast

from rxstream.testing.answers._answer import JsonDict

_CALLS_OF_CLIENT = ("function_call", "custom_tool_call", "local_shell_call", "apply_patch_call", "mcp_approval_request")
_ENDINGS = ("response.completed", "response.incomplete", "response.failed")


class RunningResponse:
    """One response. Its events get new numbers once others were put between them."""

    def __init__(self, body: JsonDict) -> None:
        self.body = body
        """The request."""
        self._response: JsonDict = {}
        self._output: list[JsonDict] = []
        self._next_number: int = 0
        self._put_between = 0
        self.inputs: list[Any] = []
        """The items that were accepted."""
        self._ids: list[str] = []
        self._at_boundary = False
        self.arrived: deque[JsonDict] = deque()
        """Messages with input that were not answered yet."""

    @property
    def id(self) -> str:
        return str(self._response.get("id", ""))

    @property
    def output(self) -> list[JsonDict]:
        """The items that are done."""
        return self._output

    def note(self, data: str) -> str:
        """Note an event that is sent; return it as it is to be sent."""
        event = _event(data)
        kind = event.get("type")
        self._at_boundary = kind == "response.output_item.done"
        if self._at_boundary:
            self._output.append(event.get("item") or {})
        if kind == "response.created" or kind in _ENDINGS:
            self._response = event.get("response") or {}
        if kind is None or event.get("sequence_number") is None:
            return data
        number = int(event["sequence_number"]) + self._put_between
        self._next_number = number + 1
        return json.dumps({**event, "sequence_number": number}) if self._put_between else data

    def answer(self, message: JsonDict, steer_id: str) -> JsonDict:
        """The event that answers a message with input."""
        given = message.get("input")
        if message.get("previous_response_id") != self.id or not self.id:
            return steer_failed(message, "response_not_found", "The response does not run on this connection.")
        if self._response.get("status") in ("completed", "incomplete", "failed"):
            return steer_failed(message, "response_already_completed", "The response has already completed.")
        if not given or not isinstance(given, str | list):
            return steer_failed(message, "invalid_input", "Expected a text or user messages as 'input'.")
        self.inputs += items_of(given)
        self._ids.append(steer_id)
        return self._numbered("response.steer.accepted", steer={"id": steer_id, "previous_response_id": self.id})

    def ending(self, data: str) -> JsonDict | None:
        """The event that ends the response before this one is sent, because input waits; None: it is not yet time."""
        if not self.inputs or not self._at_boundary or _event(data).get("type") in _ENDINGS:
            return None
        self._response = {
            **self._response,
            "status": "incomplete",
            "incomplete_details": {"reason": "steered"},
            "output": self._output,
        }
        return self._numbered("response.incomplete", response=self._response)

    def pending(self) -> list[JsonDict]:
        """The events behind a response whose calls the client has to answer before its input is used."""
        calls = [item for item in self._response.get("output", ()) if item.get("type") in _CALLS_OF_CLIENT]
        required = [
            {"type": f"{call['type']}_output", "call_id": call.get("call_id"), "output": None} for call in calls
        ]
        if not self.inputs or not required:
            return []
        return [
            self._numbered(
                "response.steer.pending",
                steer={"id": steer_id, "previous_response_id": self.id},
                reason="waiting_for_required_input",
                required_input=required,
            )
            for steer_id in self._ids
        ]

    def successor(self) -> JsonDict | None:
        """The body of the request for the successor; None: there is none."""
        if not self.inputs or self._response.get("status") not in ("completed", "incomplete"):
            return None
        return {**self.body, "previous_response_id": self.id, "input": self.inputs}

    def _numbered(self, kind: str, **fields: Any) -> JsonDict:
        event: JsonDict = {"type": kind, **fields, "sequence_number": self._next_number}
        self._next_number += 1
        self._put_between += 1
        return event


def steer_failed(message: JsonDict, code: str, text: str) -> JsonDict:
    """The event that refuses input, and gives it back."""
    return {
        "type": "response.steer.failed",
        "steer": {"previous_response_id": message.get("previous_response_id"), "input": message.get("input")},
        "error": {"type": "invalid_request_error", "code": code, "message": text},
        "sequence_number": 0,
    }


def items_of(text_or_items: Any) -> list[Any]:
    """The input of a request, as items."""
    return (
        [{"role": "user", "content": text_or_items}]
        if isinstance(text_or_items, str)
        else [*cast("list[Any]", text_or_items or ())]
    )


def _event(data: str) -> JsonDict:
    try:
        event: Any = json.loads(data)
    except ValueError:
        return {}
    return cast(JsonDict, event) if isinstance(event, dict) else {}
