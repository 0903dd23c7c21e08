"""Streams for the tests of moderation: made event by event, run in virtual time."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from rxstream.events import Event, StreamingEvent, parse_event
from rxstream.moderation import Blocklist
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_trial import Seen

SECRET = "XYZZY-PLUGH-42"
PIECE = 5
"""No piece of the secret of this length may come out."""

blocklist = Blocklist([SECRET])


def ev(kind: str, **fields: Any) -> StreamingEvent:
    """An event off the wire."""
    return parse_event(json.dumps({"type": kind, **fields}))


def created() -> StreamingEvent:
    return ev(
        "response.created", response={"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    )


def added(index: int = 0, **item: Any) -> StreamingEvent:
    whole = {"type": "message", "id": f"item_{index}", "role": "assistant", "content": [], "status": "in_progress"}
    return ev("response.output_item.added", output_index=index, item=whole | item)


def part_added(index: int = 0, part: int = 0, **fields: Any) -> StreamingEvent:
    whole = {"type": "output_text", "text": "", "annotations": []} | fields
    return ev("response.content_part.added", **_where(index, part), part=whole)


def delta(text: str, index: int = 0, part: int = 0, **more: Any) -> StreamingEvent:
    return ev("response.output_text.delta", **_where(index, part), delta=text, **more)


def deltas(*texts: str, index: int = 0, part: int = 0) -> list[StreamingEvent]:
    return [delta(text, index, part) for text in texts]


def text_done(text: str, index: int = 0, part: int = 0, **more: Any) -> StreamingEvent:
    return ev("response.output_text.done", **_where(index, part), text=text, **more)


def part_done(text: str, index: int = 0, part: int = 0, **more: Any) -> StreamingEvent:
    return ev("response.content_part.done", **_where(index, part), part=text_part(text, **more))


def item_done(*parts: dict[str, Any], index: int = 0, **more: Any) -> StreamingEvent:
    return ev("response.output_item.done", output_index=index, item=message(*parts, index=index, **more))


def completed(*items: dict[str, Any], **more: Any) -> StreamingEvent:
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": list(items)}
    return ev("response.completed", response=response | more)


def message(*parts: dict[str, Any], index: int = 0, **more: Any) -> dict[str, Any]:
    whole = {"type": "message", "id": f"item_{index}", "role": "assistant", "status": "completed"}
    return whole | {"content": list(parts)} | more


def text_part(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []} | more


def whole_answer(*texts: str, said: Sequence[str] | None = None) -> list[StreamingEvent]:
    """An answer of one text part that says `texts`; `said`: what the deltas say, where it is something else."""
    text = "".join(texts)
    return [
        created(),
        added(),
        part_added(),
        *deltas(*(texts if said is None else said)),
        text_done(text),
        part_done(text),
        item_done(text_part(text)),
        completed(message(text_part(text))),
    ]


def split_in(text: str, number: int) -> list[str]:
    """The text in so many pieces, as equal as they can be."""
    bounds = [len(text) * at // number for at in range(number + 1)]
    return [text[start:end] for start, end in pairwise(bounds)]


def moderated(
    events: Iterable[StreamingEvent],
    judge: Any = blocklist,
    *,
    delay: float = 0.0,
    gap: float = 0.01,
    dispose_at: float | None = None,
    error: Exception | None = None,
    **options: Any,
) -> Seen:
    """What comes out when the events come `gap` seconds apart and every check takes `delay` seconds."""
    timed = [(round(gap * number, 6), event) for number, event in enumerate(events)]
    trial = ModerationTrial(
        timed, judge, delay=lambda number: delay, options={"include": ("text", "refusal")} | options
    )
    return trial.run(dispose_at=dispose_at, error=error)


def types(seen: Seen) -> list[str]:
    return [event.type for _, _, event in seen.emitted]


def of_type(seen: Seen, kind: str) -> list[Any]:
    return [event for _, _, event in seen.emitted if event.type == kind]


def last(seen: Seen) -> Any:
    return seen.emitted[-1][2]


def flagged(seen: Seen) -> Any:
    """The one event that says that something was flagged."""
    (event,) = of_type(seen, "rxstream.moderation.flagged")
    return event


def events_of(seen: Seen) -> list[Event]:
    return [event for _, _, event in seen.emitted]


def assert_hidden(seen: Seen, secret: str = SECRET, size: int = PIECE) -> None:
    """No piece of the secret stands in anything that came out."""
    said = seen.json()
    for start in range(len(secret) - size + 1):
        assert secret[start : start + size] not in said, f"characters {start} to {start + size} of the secret came out"


def _where(index: int, part: int) -> dict[str, Any]:
    return {"output_index": index, "content_index": part, "item_id": f"item_{index}"}
