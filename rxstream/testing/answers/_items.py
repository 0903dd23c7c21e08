"""The events of one output item, as the live API sends them, and of the response around the items."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from rxstream.testing.answers._answer import ItemBuilder, JsonDict, ReceivedRequest

Split: TypeAlias = int | Callable[[str], Iterable[str]] | None
"""How text is cut into deltas: by a number of characters, by a function, or (None) as words after a space."""

_TOKEN = re.compile(r"\s*\S+|\s+\Z")


def cut(text: str | Sequence[str], split: Split) -> list[str]:
    """The deltas of a text. A sequence of strings is returned as it is."""
    if not isinstance(text, str):
        return list(text)
    if split is None:
        return _TOKEN.findall(text)
    if isinstance(split, int):
        if split < 1:
            raise ValueError(f"split must be 1 or more characters, got {split}")
        return [text[start : start + split] for start in range(0, len(text), split)]
    return list(split(text))


def message(
    deltas: Sequence[str],
    *,
    annotations: Sequence[JsonDict] = (),
    logprobs: bool = False,
    status: str = "completed",
    close: bool = True,
) -> ItemBuilder:
    """A message of one text part. With `close=False` it stops after its last delta."""

    def build(request: ReceivedRequest, index: int) -> Generator[JsonDict, None, JsonDict]:
        place = {"item_id": f"msg_{request.serial:032x}{index:08x}", "output_index": index, "content_index": 0}
        all_logprobs: list[JsonDict] = []
        yield _item_added(place, {"type": "message", "status": "in_progress", "content": [], "role": "assistant"})
        yield {"type": "response.content_part.added", **place, "part": text_part("")}
        for delta in deltas:
            delta_logprobs = [_logprob(delta)] if logprobs else []
            all_logprobs += delta_logprobs
            yield {
                "type": "response.output_text.delta",
                **place,
                "delta": delta,
                "logprobs": delta_logprobs,
                **_padding(request, delta),
            }
        for number, annotation in enumerate(annotations):
            added = {"annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.annotation.added", **place, **added}
        text = "".join(deltas)
        part = text_part(text, annotations, all_logprobs)
        finished_item = {
            "id": place["item_id"],
            "type": "message",
            "status": status,
            "content": [part],
            "role": "assistant",
        }
        if close:
            yield {"type": "response.output_text.done", **place, "text": text, "logprobs": all_logprobs}
            yield {"type": "response.content_part.done", **place, "part": part}
            yield _item_done(index, finished_item)
        return finished_item

    return build


def refused(deltas: Sequence[str]) -> ItemBuilder:
    """A message of one refusal part."""

    def build(request: ReceivedRequest, index: int) -> Generator[JsonDict, None, JsonDict]:
        place = {"item_id": f"msg_{request.serial:032x}{index:08x}", "output_index": index, "content_index": 0}
        part = {"type": "refusal", "refusal": "".join(deltas)}
        yield _item_added(place, {"type": "message", "status": "in_progress", "content": [], "role": "assistant"})
        yield {"type": "response.content_part.added", **place, "part": {"type": "refusal", "refusal": ""}}
        for delta in deltas:
            yield {"type": "response.refusal.delta", **place, "delta": delta}
        yield {"type": "response.refusal.done", **place, "refusal": part["refusal"]}
        yield {"type": "response.content_part.done", **place, "part": part}
        finished_item = {
            "id": place["item_id"],
            "type": "message",
            "status": "completed",
            "content": [part],
            "role": "assistant",
        }
        yield _item_done(index, finished_item)
        return finished_item

    return build


def function_call(name: str, call_id: str | None, deltas: Sequence[str]) -> ItemBuilder:
    """A function call."""

    def build(request: ReceivedRequest, index: int) -> Generator[JsonDict, None, JsonDict]:
        place = {"item_id": f"fc_{request.serial:032x}{index:08x}", "output_index": index}
        call = {"call_id": call_id or f"call_{request.serial:012x}{index:04x}", "name": name}
        arguments = "".join(deltas)
        yield _item_added(place, {"type": "function_call", "status": "in_progress", "arguments": "", **call})
        for delta in deltas:
            yield {
                "type": "response.function_call_arguments.delta",
                **place,
                "delta": delta,
                **_padding(request, delta),
            }
        yield {"type": "response.function_call_arguments.done", **place, "arguments": arguments}
        finished_item = {
            "id": place["item_id"],
            "type": "function_call",
            "status": "completed",
            "arguments": arguments,
            **call,
        }
        yield _item_done(index, finished_item)
        return finished_item

    return build


def reasoning(summaries: Sequence[Sequence[str]]) -> ItemBuilder:
    """A reasoning item with the parts of its summary."""

    def build(request: ReceivedRequest, index: int) -> Generator[JsonDict, None, JsonDict]:
        place = {"item_id": f"rs_{request.serial:032x}{index:08x}", "output_index": index}
        parts: list[JsonDict] = []
        yield _item_added(place, {"type": "reasoning", "summary": []})
        for number, deltas in enumerate(summaries):
            part_place = {**place, "summary_index": number}
            part = {"type": "summary_text", "text": "".join(deltas)}
            parts.append(part)
            empty = {"type": "summary_text", "text": ""}
            yield {"type": "response.reasoning_summary_part.added", **part_place, "part": empty}
            for delta in deltas:
                padding = _padding(request, delta)
                yield {"type": "response.reasoning_summary_text.delta", **part_place, "delta": delta, **padding}
            yield {"type": "response.reasoning_summary_text.done", **part_place, "text": part["text"]}
            yield {"type": "response.reasoning_summary_part.done", **part_place, "part": part}
        finished_item = {"id": place["item_id"], "type": "reasoning", "summary": parts}
        if "reasoning.encrypted_content" in (request.json.get("include") or ()):
            finished_item["encrypted_content"] = f"gAAAA{request.serial:032x}{index:08x}"
        yield _item_done(index, finished_item)
        return finished_item

    return build


def respond(
    request: ReceivedRequest,
    items: Sequence[ItemBuilder],
    end: Callable[[JsonDict], Iterable[JsonDict]],
    *,
    interleaved: bool = False,
) -> Iterator[JsonDict]:
    """The events of a response, not yet numbered. `end` makes the last events of the response so far."""
    opening = blank_response(request)
    yield {"type": "response.created", "response": opening}
    yield {"type": "response.in_progress", "response": opening}
    output: dict[int, JsonDict] = {}
    answer_tokens = reasoning_tokens = 0
    streams = {index: item(request, index) for index, item in enumerate(items)}
    for event in _interleave(streams, output) if interleaved else _in_turn(streams, output):
        if event["type"].endswith(".delta"):
            answer_tokens += "reasoning" not in event["type"]
            reasoning_tokens += "reasoning" in event["type"]
        yield event
    input_tokens = max(1, len(str(request.json.get("input", ""))) // 4)
    output_tokens = answer_tokens + reasoning_tokens
    usage = {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }
    yield from end({**opening, "output": [output[index] for index in sorted(output)], "usage": usage})


def blank_response(request: ReceivedRequest) -> JsonDict:
    """A response that has just begun, with the values of the request and the defaults of the API."""
    defaults: JsonDict = {
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
    requested = {name: request.json[name] for name in defaults if request.json.get(name) is not None}
    return {
        "id": f"resp_{request.serial:048x}",
        "object": "response",
        "created_at": request.created_at,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
        **defaults,
        **requested,
    }


_ItemEvents: TypeAlias = Generator[JsonDict, None, JsonDict]


def _in_turn(streams: Mapping[int, _ItemEvents], output: dict[int, JsonDict]) -> Iterator[JsonDict]:
    for index, stream in streams.items():
        output[index] = yield from stream


def _interleave(streams: dict[int, _ItemEvents], output: dict[int, JsonDict]) -> Iterator[JsonDict]:
    while streams:
        for index, stream in list(streams.items()):
            try:
                yield next(stream)
            except StopIteration as stop:
                output[index] = stop.value
                del streams[index]


def _item_added(place: Mapping[str, Any], item: JsonDict) -> JsonDict:
    index = place["output_index"]
    return {"type": "response.output_item.added", "output_index": index, "item": {"id": place["item_id"], **item}}


def _item_done(index: int, item: JsonDict) -> JsonDict:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def text_part(text: str, annotations: Sequence[JsonDict] = (), logprobs: Sequence[JsonDict] = ()) -> JsonDict:
    return {"type": "output_text", "annotations": list(annotations), "logprobs": list(logprobs), "text": text}


def _logprob(token: str) -> JsonDict:
    return {"token": token, "bytes": list(token.encode("utf-8", "replace")), "logprob": -0.25, "top_logprobs": []}


_PADDING = "eYzTRSrmSwqPvKxN"


def _padding(request: ReceivedRequest, delta: str) -> JsonDict:
    """The field that the API adds to hide the length of a delta, unless `include_obfuscation` is false."""
    options: Any = request.json.get("stream_options")
    if isinstance(options, dict) and cast(JsonDict, options).get("include_obfuscation") is False:
        return {}
    return {"obfuscation": _PADDING[len(delta) % 16 :]}
