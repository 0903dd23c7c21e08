"""The events of one output item, as the live API sends them, and of the response around the items."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rxstream.testing.answers._answer import Item, JsonObject, ReceivedRequest

Split: TypeAlias = int | Callable[[str], Iterable[str]] | None
"""How text is cut into deltas: so many characters each; by a function; None: words, each with the space before it."""

_TOKEN = re.compile(r"\s*\S+|\s+\Z")


def cut(text: str | Sequence[str], split: Split) -> list[str]:
    """The deltas of a text; a sequence of strings is taken as the deltas themselves."""
    if not isinstance(text, str):
        return list(text)
    if split is None:
        return _TOKEN.findall(text)
    if isinstance(split, int):
        if split < 1:
            raise ValueError("split must be at least one character")
        return [text[start : start + split] for start in range(0, len(text), split)]
    return list(split(text))


def message(
    deltas: Sequence[str],
    *,
    annotations: Sequence[JsonObject] = (),
    logprobs: bool = False,
    status: str = "completed",
    close: bool = True,
) -> Item:
    """A message of one text part. With `close=False` it stops after its last delta."""

    def item(asked: ReceivedRequest, index: int) -> Generator[JsonObject, None, JsonObject]:
        at = {"item_id": f"msg_{asked.serial:032x}{index:08x}", "output_index": index, "content_index": 0}
        probabilities: list[JsonObject] = []
        yield _added(at, {"type": "message", "status": "in_progress", "content": [], "role": "assistant"})
        yield {"type": "response.content_part.added", **at, "part": text_part("")}
        for delta in deltas:
            new = [_logprob(delta)] if logprobs else []
            probabilities += new
            yield {
                "type": "response.output_text.delta",
                **at,
                "delta": delta,
                "logprobs": new,
                **_padding(asked, delta),
            }
        for number, annotation in enumerate(annotations):
            added = {"annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **at, **added}
        text = "".join(deltas)
        part = text_part(text, annotations, probabilities)
        whole = {"id": at["item_id"], "type": "message", "status": status, "content": [part], "role": "assistant"}
        if close:
            yield {"type": "response.output_text.done", **at, "text": text, "logprobs": probabilities}
            yield {"type": "response.content_part.done", **at, "part": part}
            yield _done(index, whole)
        return whole

    return item


def refused(deltas: Sequence[str]) -> Item:
    """A message of one refusal part."""

    def item(asked: ReceivedRequest, index: int) -> Generator[JsonObject, None, JsonObject]:
        at = {"item_id": f"msg_{asked.serial:032x}{index:08x}", "output_index": index, "content_index": 0}
        part = {"type": "refusal", "refusal": "".join(deltas)}
        yield _added(at, {"type": "message", "status": "in_progress", "content": [], "role": "assistant"})
        yield {"type": "response.content_part.added", **at, "part": {"type": "refusal", "refusal": ""}}
        for delta in deltas:
            yield {"type": "response.refusal.delta", **at, "delta": delta}
        yield {"type": "response.refusal.done", **at, "refusal": part["refusal"]}
        yield {"type": "response.content_part.done", **at, "part": part}
        whole = {"id": at["item_id"], "type": "message", "status": "completed", "content": [part], "role": "assistant"}
        yield _done(index, whole)
        return whole

    return item


def function_call(name: str, call_id: str | None, deltas: Sequence[str]) -> Item:
    """A function call."""

    def item(asked: ReceivedRequest, index: int) -> Generator[JsonObject, None, JsonObject]:
        at = {"item_id": f"fc_{asked.serial:032x}{index:08x}", "output_index": index}
        call = {"call_id": call_id or f"call_{asked.serial:012x}{index:04x}", "name": name}
        arguments = "".join(deltas)
        yield _added(at, {"type": "function_call", "status": "in_progress", "arguments": "", **call})
        for delta in deltas:
            yield {"type": "response.function_call_arguments.delta", **at, "delta": delta, **_padding(asked, delta)}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": arguments}
        whole = {"id": at["item_id"], "type": "function_call", "status": "completed", "arguments": arguments, **call}
        yield _done(index, whole)
        return whole

    return item


def reasoning(summaries: Sequence[Sequence[str]]) -> Item:
    """A reasoning item with the parts of its summary."""

    def item(asked: ReceivedRequest, index: int) -> Generator[JsonObject, None, JsonObject]:
        at = {"item_id": f"rs_{asked.serial:032x}{index:08x}", "output_index": index}
        parts: list[JsonObject] = []
        yield _added(at, {"type": "reasoning", "summary": []})
        for number, deltas in enumerate(summaries):
            here = {**at, "summary_index": number}
            part = {"type": "summary_text", "text": "".join(deltas)}
            parts.append(part)
            empty = {"type": "summary_text", "text": ""}
            yield {"type": "response.reasoning_summary_part.added", **here, "part": empty}
            for delta in deltas:
                padding = _padding(asked, delta)
                yield {"type": "response.reasoning_summary_text.delta", **here, "delta": delta, **padding}
            yield {"type": "response.reasoning_summary_text.done", **here, "text": part["text"]}
            yield {"type": "response.reasoning_summary_part.done", **here, "part": part}
        whole = {"id": at["item_id"], "type": "reasoning", "summary": parts}
        yield _done(index, whole)
        return whole

    return item


def respond(
    asked: ReceivedRequest,
    items: Sequence[Item],
    end: Callable[[JsonObject], Iterable[JsonObject]],
    *,
    interleaved: bool = False,
) -> Iterator[JsonObject]:
    """The events of a response, not yet numbered. `end` makes the last ones from the response as it then stands."""
    opening = blank_response(asked)
    yield {"type": "response.created", "response": opening}
    yield {"type": "response.in_progress", "response": opening}
    output: dict[int, JsonObject] = {}
    tokens = {"said": 0, "thought": 0}
    streams = {index: item(asked, index) for index, item in enumerate(items)}
    for event in _interleave(streams, output) if interleaved else _in_turn(streams, output):
        if event["type"].endswith(".delta"):
            tokens["thought" if "reasoning" in event["type"] else "said"] += 1
        yield event
    asking = max(1, len(str(asked.request.get("input", ""))) // 4)
    saying = tokens["said"] + tokens["thought"]
    usage = {
        "input_tokens": asking,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": saying,
        "output_tokens_details": {"reasoning_tokens": tokens["thought"]},
        "total_tokens": asking + saying,
    }
    yield from end({**opening, "output": [output[index] for index in sorted(output)], "usage": usage})


def blank_response(asked: ReceivedRequest) -> JsonObject:
    """A response that has just begun: what was asked for, with the API's own defaults for the rest."""
    defaults: JsonObject = {
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "gpt-4o-2024-08-06",
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
        "metadata": {},
    }
    asked_for = {name: asked.request[name] for name in defaults if asked.request.get(name) is not None}
    return {
        "id": f"resp_{asked.serial:048x}",
        "object": "response",
        "created_at": asked.created_at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        **defaults,
        **asked_for,
    }


_Stream: TypeAlias = Generator[JsonObject, None, JsonObject]


def _in_turn(streams: Mapping[int, _Stream], output: dict[int, JsonObject]) -> Iterator[JsonObject]:
    for index, stream in streams.items():
        output[index] = yield from stream


def _interleave(streams: dict[int, _Stream], output: dict[int, JsonObject]) -> Iterator[JsonObject]:
    while streams:
        for index, stream in list(streams.items()):
            try:
                yield next(stream)
            except StopIteration as stop:
                output[index] = stop.value
                del streams[index]


def _added(at: Mapping[str, Any], item: JsonObject) -> JsonObject:
    index = at["output_index"]
    return {"type": "response.output_item.added", "output_index": index, "item": {"id": at["item_id"], **item}}


def _done(index: int, item: JsonObject) -> JsonObject:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def text_part(text: str, annotations: Sequence[JsonObject] = (), logprobs: Sequence[JsonObject] = ()) -> JsonObject:
    return {"type": "output_text", "annotations": list(annotations), "logprobs": list(logprobs), "text": text}


def _logprob(token: str) -> JsonObject:
    return {"token": token, "bytes": list(token.encode("utf-8", "replace")), "logprob": -0.25, "top_logprobs": []}


_PADDING = "eYzTRSrmSwqPvKxN"


def _padding(asked: ReceivedRequest, delta: str) -> JsonObject:
    """The API evens out the size of its deltas unless told not to."""
    options: object = asked.request.get("stream_options")
    if isinstance(options, Mapping) and options.get("include_obfuscation") is False:  # pyright: ignore
        return {}
    return {"obfuscation": _PADDING[len(delta) % 16 :]}
