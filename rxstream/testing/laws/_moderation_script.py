"""The streams of a trial: texts in random pieces, interleaved, and the events of a whole answer."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rxstream.events import Event, StreamingEvent, UnknownEvent, parse_event
from rxstream.testing.answers._answer import JsonDict

ScriptPlace: TypeAlias = tuple[int, int, str]
"""Output index, content index, kind: `text`, `refusal` or `function_args`."""


@dataclass(frozen=True)
class TimedDelta:
    """One delta, `time` seconds after the subscription."""

    time: float
    place: ScriptPlace
    text: str


def split(text: str, rng: random.Random, longest: int = 12) -> list[str]:
    """The text in random pieces."""
    pieces: list[str] = []
    offset = 0
    while offset < len(text):
        size = rng.randint(1, longest)
        pieces.append(text[offset : offset + size])
        offset += size
    return pieces


def interleave(
    texts: Mapping[ScriptPlace, str], rng: random.Random, *, gap: float = 0.02, longest: int = 12
) -> list[TimedDelta]:
    """Each text in random pieces, interleaved at random, with pauses of up to twice `gap`."""
    waiting = {place: split(text, rng, longest) for place, text in texts.items()}
    deltas: list[TimedDelta] = []
    time = 0.0
    while waiting:
        place = rng.choice(list(waiting))
        time += rng.uniform(0, 2 * gap)
        deltas.append(TimedDelta(round(time, 4), place, waiting[place].pop(0) if waiting[place] else ""))
        if not waiting[place]:
            del waiting[place]
    return deltas


def answer_of(
    deltas: Sequence[TimedDelta], *, copies: bool = False, end: float = 0.01
) -> list[tuple[float, StreamingEvent]]:
    """The events of a whole answer with these deltas, and the time of each.

    With `copies`, other places repeat the text of the lane so far: log probabilities, the title of an annotation, an
    unknown field and an unknown event.
    """
    return list(_AnswerWriter(deltas, copies, end).events())


class _AnswerWriter:
    """Makes the events around the deltas."""

    def __init__(self, deltas: Sequence[TimedDelta], copies: bool, end: float) -> None:
        self._deltas = deltas
        self._copies = copies
        self._end = end
        self._texts: dict[ScriptPlace, str] = {}
        self._number = 0
        self._items: dict[int, JsonDict] = {}
        self._parts: dict[int, dict[int, JsonDict]] = {}

    def events(self) -> Iterable[tuple[float, StreamingEvent]]:
        deltas_left: dict[ScriptPlace, int] = {}
        for delta in self._deltas:
            deltas_left[delta.place] = deltas_left.get(delta.place, 0) + 1
        open_lanes: dict[int, int] = {}
        for place in deltas_left:
            open_lanes[place[0]] = open_lanes.get(place[0], 0) + 1
        yield 0.0, self._event("response.created", response=self._response("in_progress"))
        time = 0.0
        for delta in self._deltas:
            time = delta.time
            for event in (*self._open(delta.place), *self._delta_events(delta)):
                yield time, event
            deltas_left[delta.place] -= 1
            if not deltas_left[delta.place]:
                for event in self._close(delta.place):
                    yield time, event
                open_lanes[delta.place[0]] -= 1
                if not open_lanes[delta.place[0]]:
                    item = {**self._items[delta.place[0]], "status": "completed"}
                    self._items[delta.place[0]] = item
                    yield time, self._event("response.output_item.done", output_index=delta.place[0], item=item)
        yield time + self._end, self._event("response.completed", response=self._response("completed"))

    def _event(self, kind: str, **fields: Any) -> StreamingEvent:
        self._number += 1
        return parse_event(json.dumps({"type": kind, "sequence_number": self._number - 1, **fields}))

    def _response(self, status: str) -> JsonDict:
        output = [self._items[index] for index in sorted(self._items)] if status == "completed" else []
        return {"id": "resp_1", "object": "response", "status": status, "output": output}

    def _open(self, place: ScriptPlace) -> Iterable[StreamingEvent]:
        index, _, kind = place
        if index not in self._items:
            self._items[index] = (
                {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": "f", "arguments": ""}
                if kind == "function_args"
                else {"type": "message", "id": f"msg_{index}", "role": "assistant", "content": []}
            )
            item = {**self._items[index], "status": "in_progress"}
            yield self._event("response.output_item.added", output_index=index, item=item)
        if place not in self._texts:
            self._texts[place] = ""
            if kind != "function_args":
                yield self._event(
                    "response.content_part.added", **self._place_fields(place), part=self._make_part(place, "")
                )

    def _delta_events(self, delta: TimedDelta) -> Iterable[StreamingEvent]:
        names = {"text": "output_text", "refusal": "refusal", "function_args": "function_call_arguments"}
        self._texts[delta.place] += delta.text
        extra: JsonDict = {}
        if self._copies and delta.place[2] == "text":
            extra = {"logprobs": _logprobs(delta.text), "obfuscation": "x" * 7, "so_far": self._texts[delta.place]}
        yield self._event(
            f"response.{names[delta.place[2]]}.delta", **self._place_fields(delta.place), delta=delta.text, **extra
        )
        if self._copies:
            yield self._event("acme:trace", output_index=delta.place[0], snapshot=self._texts[delta.place])

    def _close(self, place: ScriptPlace) -> Iterable[StreamingEvent]:
        index, _, kind = place
        text, where = self._texts[place], self._place_fields(place)
        extra: JsonDict = {"echo": text} if self._copies else {}
        if kind == "function_args":
            self._items[index]["arguments"] = text
            yield self._event("response.function_call_arguments.done", **where, arguments=text, **extra)
            return
        part = self._make_part(place, text)
        if kind == "refusal":
            yield self._event("response.refusal.done", **where, refusal=text, **extra)
        else:
            if self._copies:
                part |= {"annotations": [_annotation(text)], "logprobs": _logprobs(text), **extra}
                yield self._event(
                    "response.output_text.annotation.added", **where, annotation_index=0, annotation=_annotation(text)
                )
            yield self._event(
                "response.output_text.done", **where, text=text, logprobs=part.get("logprobs", []), **extra
            )
        yield self._event("response.content_part.done", **where, part=part)
        parts = self._parts.setdefault(index, {})
        parts[place[1]] = part
        self._items[index] = {**self._items[index], "content": [parts[part_index] for part_index in sorted(parts)]}

    def _place_fields(self, place: ScriptPlace) -> JsonDict:
        where: JsonDict = {"output_index": place[0], "item_id": f"item_{place[0]}"}
        return where if place[2] == "function_args" else {**where, "content_index": place[1]}

    def _make_part(self, place: ScriptPlace, text: str) -> JsonDict:
        if place[2] == "refusal":
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "text": text, "annotations": []}


def _logprobs(text: str) -> list[JsonDict]:
    half = len(text) // 2
    return [{"token": token, "logprob": -0.1} for token in (text[:half], text[half:]) if token]


def _annotation(text: str) -> JsonDict:
    return {"type": "url_citation", "url": "https://a.test/", "title": text, "start_index": 0, "end_index": len(text)}


_KINDS: Final = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.function_call_arguments.delta": "function_args",
}


def place_of(event: Event) -> ScriptPlace | None:
    """The lane that a delta belongs to. None for any other event."""
    kind = _KINDS.get(event.type)
    if kind is None or isinstance(event, UnknownEvent):
        return None
    return getattr(event, "output_index", 0), getattr(event, "content_index", 0), kind
