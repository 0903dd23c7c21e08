"""What the local server keeps of conversations, and what it refuses, as the API does."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, cast

from rxstream.testing.answers._answer import Answer, JsonDict, ReceivedRequest, Reply
from rxstream.testing.answers._build import http_error

_MAX_KEPT = 1024


class Conversations:
    """The items of each response that was stored, and of each conversation."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[list[JsonDict], list[JsonDict]]] = OrderedDict()
        """What came before a response, and its output."""

    def items(self, body: JsonDict) -> list[JsonDict] | Reply:
        """The whole conversation of a request, or why the API refuses it."""
        previous, conversation = body.get("previous_response_id"), _conversation_id(body)
        if previous is not None and conversation is not None:
            return _refusal("Mutually exclusive parameters: 'previous_response_id' and 'conversation'.")
        with self._lock:
            kept = self._kept.get(str(previous if conversation is None else conversation))
        if previous is not None and kept is None:
            message = f"Previous response with id '{previous}' not found."
            return _refusal(message, code="previous_response_not_found")
        given: Any = body.get("input", [])
        if not isinstance(given, str | list):
            return _refusal("Invalid type for 'input': expected a string or a list of items.")
        sent = [{"role": "user", "content": given}] if isinstance(given, str) else cast("list[JsonDict]", given)
        before, output = kept or ([], [])
        items = [*before, *output, *sent]
        message = next(_faults(items, stored=body.get("store") is not False), None)
        return items if message is None else _refusal(message)

    def keep(self, body: JsonDict, items: list[JsonDict], answer: Answer, request: ReceivedRequest) -> None:
        """Keep the conversation with the output of this answer, if the response is stored."""
        response: JsonDict = {}
        for event in () if answer.endless else answer.events(request):
            response = event.get("response", response)
        names = [_conversation_id(body), response.get("id") if body.get("store") is not False else None]
        whole = items, [*response.get("output", ())]
        with self._lock:
            self._kept.update((name, whole) for name in names if name)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)

    def forget(self, response_id: str) -> None:
        """It was deleted."""
        with self._lock:
            self._kept.pop(response_id, None)

    def cut(self, response_id: str, output: list[JsonDict]) -> None:
        """A response has only these items."""
        with self._lock:
            if response_id in self._kept:
                self._kept[response_id] = self._kept[response_id][0], output


def _conversation_id(body: JsonDict) -> str | None:
    conversation: Any = body.get("conversation")
    return cast("JsonDict", conversation).get("id") if isinstance(conversation, dict) else conversation


def _faults(items: list[JsonDict], *, stored: bool) -> Iterator[str]:
    kinds = {name: name.removesuffix("_call").replace("_", " ") for name in ("function_call", "custom_tool_call")}
    calls = [(kind, item.get("call_id")) for item in items if (kind := str(item.get("type"))) in kinds]
    outputs = [
        (kind.removesuffix("_output"), item.get("call_id"))
        for item in items
        if (kind := str(item.get("type"))).removesuffix("_output") in kinds and kind.endswith("_output")
    ]
    yield from (f"No tool output found for {kinds[kind]} call {id}." for kind, id in calls if (kind, id) not in outputs)
    yield from (
        f"No tool call found for {kinds[kind]} call output with call_id {id}."
        for kind, id in outputs
        if (kind, id) not in calls
    )
    yield from (
        f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false."
        for item in items
        if item.get("type") == "reasoning" and not stored and not item.get("encrypted_content")
    )


def _refusal(message: str, code: str | None = None) -> Reply:
    return http_error(400, message=message, code=code)
