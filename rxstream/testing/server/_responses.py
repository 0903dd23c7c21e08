"""`/responses` of the local server: the next answer, and the earlier ones."""

import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from rxstream.testing.answers._answer import (
    Answer,
    ConversationScript,
    JsonDict,
    ReceivedRequest,
    Reply,
    compact,
    events_in,
)
from rxstream.testing.answers._build import events, text
from rxstream.testing.server._conversations import Conversations

ScriptedAnswer: TypeAlias = (
    Answer | Reply | str | ConversationScript | Callable[[JsonDict], Answer | Reply | str | Sequence[Mapping[str, Any]]]
)
"""An answer, a plain text, or a function of the request's JSON that returns one of them, or events as JSON.

`answers.conversation` makes one of a function of the whole conversation.
"""

_MAX_SENT_ANSWERS = 1024


def error_reply(status: int, message: str, *, code: str | None = None) -> Reply:
    """An HTTP error in the API's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Reply(status, compact(body).encode(), {"content-type": "application/json"})


class AnswerScript:
    """The script of answers, and the last ones that were sent, which can be read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._script: deque[ScriptedAnswer] = deque()
        self._edits: deque[Callable[[Answer], Answer | Reply]] = deque()
        self._polls: deque[Reply | Mapping[str, Any]] = deque()
        self._cancels: deque[Reply] = deque()
        self._cancelled: set[str] = set()
        self._sent_answers: OrderedDict[str, tuple[Answer, ReceivedRequest]] = OrderedDict()
        self._conversations = Conversations()
        self._serial = 0

    def say(self, answers: Iterable[ScriptedAnswer]) -> None:
        with self._lock:
            self._script = deque(answers)

    def on_resume(self, edits: Iterable[Callable[[Answer], Answer | Reply]]) -> None:
        with self._lock:
            self._edits = deque(edits)

    def on_poll(self, replies: Iterable[Reply | Mapping[str, Any]]) -> None:
        with self._lock:
            self._polls = deque(replies)

    def on_cancel(self, replies: Iterable[Reply]) -> None:
        with self._lock:
            self._cancels = deque(replies)

    def create(self, body: Any, streams: bool = False) -> Reply | tuple[Answer, ReceivedRequest]:
        """The answer to a POST. `streams`: it is a stream, whether the body says so or not."""
        if not isinstance(body, dict):
            return error_reply(400, "We could not parse the JSON body of your request.")
        json_body = cast(JsonDict, body)
        with self._lock:
            script = self._script.popleft() if len(self._script) > 1 else self._script[0]
            self._serial += 1
            request = ReceivedRequest(json_body, self._serial, int(time.time()))
        items: list[JsonDict] | None = None
        if isinstance(script, ConversationScript):
            conversation = self._conversations.items(json_body)
            if isinstance(conversation, Reply):
                return conversation
            items = conversation
            script = script.play([*items])
        elif not isinstance(script, Answer | Reply | str):
            script = script(json_body)
        answer = text(script) if isinstance(script, str) else script
        if isinstance(answer, Reply):
            return answer
        if not isinstance(answer, Answer):
            answer = events(answer)
        self._keep(answer, request)
        if items is not None:
            self._conversations.keep(json_body, items, answer, request)
        return (answer, request) if streams or json_body.get("stream") else _as_json(answer, request)

    def cut(self, response_id: str, output: list[JsonDict]) -> None:
        """A response ended with these items, before the end of its script."""
        self._conversations.cut(response_id, output)

    def retrieve(self, response_id: str, query: Mapping[str, str]) -> Reply | tuple[Answer, ReceivedRequest]:
        """The answer to a GET: an earlier stream after `starting_after`, or the response as JSON."""
        is_stream = query.get("stream", "").lower() in ("true", "1")
        with self._lock:
            sent_answer = self._sent_answers.get(response_id)
            edit = self._edits.popleft() if self._edits and is_stream else None
            poll = self._polls.popleft() if self._polls and not is_stream else None
        if isinstance(poll, Reply):
            return poll
        if sent_answer is None:
            return _not_found(response_id)
        answer, request = sent_answer
        if not is_stream:
            return self._whole(response_id, answer, request, poll or {})
        try:
            after = int(query.get("starting_after", "-1"))
        except ValueError:
            return error_reply(400, "Invalid 'starting_after': it must be an integer.")
        remainder = Answer(lambda _: (), raw=b"".join(_after(answer.all_frames(request), after)), pace=_rate(answer))
        edited = edit(remainder) if edit else remainder
        return edited if isinstance(edited, Reply) else (edited, request)

    def cancel(self, response_id: str) -> Reply:
        """The answer to a POST of `/cancel`. From then on the response is cancelled."""
        with self._lock:
            if self._cancels:
                return self._cancels.popleft()
            sent_answer = self._sent_answers.get(response_id)
            if sent_answer is not None:
                self._cancelled.add(response_id)
        return _not_found(response_id) if sent_answer is None else self._whole(response_id, *sent_answer, {})

    def delete(self, response_id: str) -> Reply:
        """The answer to a DELETE. From then on the response is unknown."""
        self._conversations.forget(response_id)
        with self._lock:
            sent_answer = self._sent_answers.pop(response_id, None)
        if sent_answer is None:
            return _not_found(response_id)
        return _json_reply({"id": response_id, "object": "response", "deleted": True})

    def input_items(self, response_id: str) -> Reply:
        """The answer to a GET of `/input_items`: what the request of a response had as `input`, the last one first."""
        with self._lock:
            sent_answer = self._sent_answers.get(response_id)
        if sent_answer is None:
            return _not_found(response_id)
        given: Any = sent_answer[1].json.get("input", [])
        if isinstance(given, str):
            content = [{"type": "input_text", "text": given}]
            given = [{"type": "message", "role": "user", "content": content}]
        items = [{"id": f"item_{number}", **item} for number, item in enumerate(given)][::-1]
        ends = {"first_id": items[0]["id"] if items else None, "last_id": items[-1]["id"] if items else None}
        return _json_reply({"object": "list", "data": items, **ends, "has_more": False})

    def _whole(self, response_id: str, answer: Answer, request: ReceivedRequest, changes: Mapping[str, Any]) -> Reply:
        reply = _as_json(answer, request)
        changes = {**changes, **({"status": "cancelled"} if response_id in self._cancelled else {})}
        if reply.status != 200 or not changes:
            return reply
        return Reply(200, json.dumps({**json.loads(reply.body), **changes}).encode(), reply.headers)

    def _keep(self, answer: Answer, request: ReceivedRequest) -> None:
        if answer.endless:
            return
        no_event: JsonDict = {}
        first = next(iter(answer.events(request)), no_event)
        response_id: object = first.get("response", {}).get("id")
        if isinstance(response_id, str):
            with self._lock:
                self._sent_answers[response_id] = answer, request
                while len(self._sent_answers) > _MAX_SENT_ANSWERS:
                    self._sent_answers.popitem(last=False)


def _json_reply(body: JsonDict) -> Reply:
    return Reply(200, json.dumps(body).encode(), {"content-type": "application/json"})


def _not_found(response_id: str) -> Reply:
    return error_reply(404, f"Response with id '{response_id}' not found.")


def _rate(answer: Answer) -> float | None:
    return answer.pace if isinstance(answer.pace, int | float) else None


def _after(frames: Iterable[bytes], after: int) -> Iterator[bytes]:
    """The frames with a number above `after`. A frame without a number counts by its place."""
    for place, frame in enumerate(frames):
        events = events_in(frame)
        if (events[0] if events else {}).get("sequence_number", place) > after:
            yield frame


def _as_json(answer: Answer, request: ReceivedRequest) -> Reply:
    """The answer to a request without `stream`: the final response."""
    if answer.endless:
        return error_reply(400, "An endless answer can only be streamed.")
    last: JsonDict = {}
    for event in answer.events(request):
        last = event
    response: object = last.get("response")
    if response is None:
        error: object = last.get("error") or {name: last.get(name) for name in ("code", "message", "param")}
        return Reply(500, compact({"error": error}).encode(), {"content-type": "application/json"})
    return _json_reply(cast(JsonDict, response))
