"""Answers of the API, each by one small function.

Each begins with `response.created` and `response.in_progress`, numbers its events from 0 and, unless its docstring says
otherwise, ends with `response.completed`.
"""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rxstream.testing.answers import _items
from rxstream.testing.answers._answer import (
    Answer,
    ConversationScript,
    ItemBuilder,
    JsonDict,
    ReceivedRequest,
    Reply,
    compact,
    events_in,
    numbered,
)
from rxstream.testing.answers._items import Split

FunctionCalls = Sequence[tuple[str, Mapping[str, Any] | str] | tuple[str, Mapping[str, Any] | str, str]]
"""Name, arguments (an object, or its text) and perhaps the call id."""


def text(
    text: str | Sequence[str],
    *,
    split: Split = None,
    annotations: Sequence[JsonDict] = (),
    logprobs: bool = False,
) -> Answer:
    """One message. `text` is cut into deltas by `split`, or is the sequence of deltas."""
    return _completed(_items.message(_items.cut(text, split), annotations=annotations, logprobs=logprobs))


def function_calls(calls: FunctionCalls, *, interleaved: bool = True, split: Split = 6) -> Answer:
    """Parallel function calls, whose arguments arrive interleaved unless `interleaved=False`."""
    return _completed(*(_call(call, split) for call in calls), interleaved=interleaved)


def structured(value: object, *, split: Split = 6) -> Answer:
    """A message whose text is the JSON of `value`: anything `json.dumps` takes, or a pydantic model."""
    to_json = getattr(value, "model_dump_json", None)
    return text(str(to_json()) if to_json is not None else compact(value), split=split)


def refusal(text: str | Sequence[str], *, split: Split = None) -> Answer:
    """A message that refuses."""
    return _completed(_items.refused(_items.cut(text, split)))


def reasoning_summary(summary: str | Sequence[str], *, then: "str | Answer" = "", split: Split = None) -> Answer:
    """A reasoning item with a summary, each `str` of it one part; then a text or the items of another answer."""
    parts = [summary] if isinstance(summary, str) else summary
    reasoning = _items.reasoning([_items.cut(part, split) for part in parts])
    following = _answer_of(then, split)
    return _completed(reasoning, *(following.items if then else ()))


def together(*answers: Answer, interleaved: bool = False) -> Answer:
    """The items of several answers in one response."""
    if not all(answer.items for answer in answers):
        raise ValueError("together expects answers that end with response.completed, such as text and function_calls")
    return _completed(*itertools.chain.from_iterable(a.items for a in answers), interleaved=interleaved)


def incomplete(text: str | Sequence[str], reason: str = "max_output_tokens", *, split: Split = None) -> Answer:
    """A message cut short, then `response.incomplete`."""

    def end(response: JsonDict) -> Iterator[JsonDict]:
        details = {"status": "incomplete", "incomplete_details": {"reason": reason}}
        yield {"type": "response.incomplete", "response": {**response, **details}}

    item = _items.message(_items.cut(text, split), status="incomplete")
    return Answer(lambda request: numbered(_items.respond(request, [item], end)))


def failed(code: str = "server_error", message: str = "The model failed.", *, partial_text: str = "") -> Answer:
    """`response.failed`, after the deltas of `partial_text`, whose message is never closed."""

    def end(response: JsonDict) -> Iterator[JsonDict]:
        details = {"status": "failed", "error": {"code": code, "message": message}, "usage": None}
        yield {"type": "response.failed", "response": {**response, **details}}

    return Answer(lambda request: numbered(_items.respond(request, _unfinished(partial_text), end)))


def error(
    code: str = "server_error",
    message: str = "The server had an error while processing your request.",
    *,
    param: str | None = None,
    nested: bool = True,
    then_failed: bool = False,
    partial_text: str = "",
) -> Answer:
    """An `error` event, then with `then_failed` a `response.failed`.

    With `nested=True` it is as the live API sends it, with `nested=False` flat, as in the schema of the API.
    """

    def end(response: JsonDict) -> Iterator[JsonDict]:
        fields = {"code": code, "message": message, "param": param}
        yield {"type": "error", "error": {"type": "server_error", **fields}} if nested else {"type": "error", **fields}
        if then_failed:
            details = {"status": "failed", "error": {"code": code, "message": message}, "usage": None}
            yield {"type": "response.failed", "response": {**response, **details}}

    return Answer(lambda request: numbered(_items.respond(request, _unfinished(partial_text), end)))


def endless(word: str = " and", *, pace: float | None = None) -> Answer:
    """A message of the same delta without end. The server keeps no copy, so it cannot be resumed."""

    def item(request: ReceivedRequest) -> Iterator[JsonDict]:
        place = {"item_id": f"msg_{request.serial:032x}{0:08x}", "output_index": 0, "content_index": 0}
        yield from itertools.islice(_items.respond(request, [_items.message([])], lambda _: ()), 4)
        for _ in itertools.repeat(None):
            yield {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []}

    return Answer(lambda request: numbered(item(request)), pace=pace, endless=True)


def events(events: Iterable[Mapping[str, Any]], *, pace: float | None = None) -> Answer:
    """These events, with nothing added."""
    fixed = [dict(event) for event in events]
    return Answer(lambda request: fixed, pace=pace)


def conversation(
    play: Callable[[list[JsonDict]], Answer | Reply | str | Sequence[Mapping[str, Any]]],
) -> ConversationScript:
    """A model that plays a conversation of any number of turns: `LocalServer([answers.conversation(play)])`.

    `play` gets the items of the whole conversation, whether the client sent them all, or goes on by
    `previous_response_id` or `conversation`, and returns an answer, a text, or events as JSON. As the API, the server
    refuses a request with a call that has no output, an output that has no call, a `previous_response_id` that it does
    not know, and with `store=False` reasoning without its encrypted content.
    """
    return ConversationScript(play)


def tape(source: str | Path | bytes, *, pace: float | Literal["recorded"] | None = None) -> Answer:
    """The bytes of a recorded stream as they are: an `.sse` file, or bytes.

    `pace="recorded"` sends them at the times of the `.times` file beside the `.sse` file, which has a line for each
    piece that arrived: `76.5 ms off=0 len=799`.
    """
    raw = source if isinstance(source, bytes) else Path(source).read_bytes()
    times: float | list[float] | None = None if pace == "recorded" else pace
    if pace == "recorded":
        if isinstance(source, bytes):
            raise ValueError('pace="recorded" needs an .sse file with a .times file beside it, got bytes')
        times = _frame_times(raw, Path(source).with_suffix(".times").read_text("utf-8"))
    return Answer(lambda request: events_in(raw), raw=raw, pace=times)


def truncated(answer: Answer | str, after: int, *, plus: int = 0) -> Answer:
    """The body ends after so many frames (and `plus` bytes of the next), without a terminal event."""
    return _answer_of(answer).ends("eof", after=after, plus=plus)


def disconnect(
    answer: Answer | str, after: int, how: Literal["rst", "fin", "chunk", "length"] = "rst", *, plus: int = 0
) -> Answer:
    """The connection breaks after so many frames (and `plus` bytes of the next).

    `rst` reset · `fin` closed without the last HTTP chunk · `chunk` closed inside an HTTP chunk · `length` closed
    before Content-Length bytes were sent.
    """
    return _answer_of(answer).ends(how, after=after, plus=plus)


def hang(answer: Answer | str = "You will not read this.", after: int = 0) -> Answer:
    """The server sends so many frames, then nothing until the client closes the connection."""
    return _answer_of(answer).ends("hang", after=after)


def silent() -> Reply:
    """The server accepts the request and sends nothing, not even a status, until the client closes the connection."""
    return Reply(silent=True)


def http_error(
    status: int = 500,
    body: str | bytes | Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    code: str | None = None,
    message: str | None = None,
) -> Reply:
    """An HTTP status with a body. A mapping is sent as JSON; without a body the error is in the API's form."""
    if body is None:
        kind = "invalid_request_error" if 400 <= status < 500 and status != 429 else "server_error"
        fields = {"message": message or f"The server answers {status}.", "type": kind, "param": None, "code": code}
        body = {"error": fields}
    if isinstance(body, Mapping):
        return Reply(status, compact(body).encode(), {"content-type": "application/json", **(headers or {})})
    raw = body if isinstance(body, bytes) else body.encode()
    return Reply(status, raw, {"content-type": "text/plain; charset=utf-8", **(headers or {})})


def html(
    status: int = 200, body: str = "<!doctype html><title>Sign in</title><h1>Sign in to this network</h1>"
) -> Reply:
    """A page instead of a stream, as captive portals and proxies send it."""
    return Reply(status, body.encode(), {"content-type": "text/html; charset=utf-8"})


def verbatim(http: bytes) -> Reply:
    """All bytes of the connection, from the status line on. Then it closes. For answers that break HTTP."""
    return Reply(body=http, verbatim=True)


def _answer_of(answer: Answer | str, split: Split = None) -> Answer:
    return text(answer, split=split) if isinstance(answer, str) else answer


def _completed(*items: ItemBuilder, interleaved: bool = False) -> Answer:
    def end(response: JsonDict) -> Iterator[JsonDict]:
        yield {"type": "response.completed", "response": {**response, "status": "completed"}}

    def respond(request: ReceivedRequest) -> Iterator[JsonDict]:
        return numbered(_items.respond(request, items, end, interleaved=interleaved))

    return Answer(respond, items=items)


def _call(call: Sequence[Any], split: Split) -> ItemBuilder:
    name, arguments, *call_id = call
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    return _items.function_call(name, call_id[0] if call_id else None, _items.cut(text, split))


def _unfinished(text: str) -> list[ItemBuilder]:
    return [_items.message(_items.cut(text, None), status="incomplete", close=False)] if text else []


def _frame_times(raw: bytes, times: str) -> list[float]:
    """When the last byte of each frame of `raw` arrived, in seconds."""
    arrivals = [
        (int(offset) + int(length), float(ms) / 1000)
        for ms, offset, length in re.findall(r"([\d.]+) ms off=(\d+) len=(\d+)", times)
    ]
    frame_times: list[float] = []
    end = position = 0
    for frame in Answer(lambda request: (), raw=raw).all_frames():
        end += len(frame)
        while position < len(arrivals) - 1 and arrivals[position][0] < end:
            position += 1
        frame_times.append(arrivals[position][1] if arrivals else 0.0)
    return frame_times
