"""Items of odd streams, and what `normalize` and the operators make of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import reactivex

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.response.decoding._normalize import Normalize
from tests import event_builders as builders
from tests.event_builders import function_call, text_part

Json = dict[str, Any]


def message(text: str | None = None, item_id: str = "m") -> Json:
    return builders.message(*([] if text is None else [text_part(text)]), id=item_id)


def function(call_id: str, arguments: str = "", **more: Any) -> Json:
    return function_call(call_id.upper(), arguments, id=f"fc_{call_id}", call_id=call_id, **more)


def reasoning(text: str | None = None) -> Json:
    summary = [] if text is None else [{"type": "summary_text", "text": text}]
    return {"type": "reasoning", "id": "rs", "summary": summary}


def normal(*events: StreamingEvent) -> list[Any]:
    core = Normalize()
    return [made for event in events for made in core.feed(event)]


def piped(events: Iterable[StreamingEvent], operator: Any) -> list[Any]:
    values: list[Any] = []
    errors: list[Exception] = []
    reactivex.from_iterable(list(events)).pipe(operator).subscribe(values.append, errors.append)
    assert not errors, errors
    return values


def text(events: Iterable[StreamingEvent]) -> str:
    return "".join(piped(events, rxs.text_only()))


def calls(events: Iterable[StreamingEvent]) -> list[tuple[str, str, str]]:
    return [(call.name, call.call_id, call.arguments) for call in piped(events, rxs.accumulate_function_args())]


def places(events: Iterable[Any]) -> list[tuple[str, int]]:
    return [(event.type.removeprefix("response."), event.output_index) for event in events]
