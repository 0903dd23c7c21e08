"""Streams for the tests of moderation: made event by event, run in virtual time."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import reactivex

from rxstream.events import Event, StreamingEvent
from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.testing import ModerationTrial
from rxstream.testing.laws._moderation_seen import Seen
from tests.event_builders import (
    completed,
    created,
    item_added,
    item_done,
    message,
    part_added,
    part_done,
    text_deltas,
    text_done,
    text_part,
)

GOOD = "All is well here. "
SECRET = "XYZZY-PLUGH-42"
PIECE = 5
"""No piece of the secret of this length may come out."""

blocklist = Blocklist([SECRET])


def passes(window: Window) -> bool:
    return False


def bad(window: Window) -> Verdict:
    """Flags a window with the word in it, says nothing about where."""
    return Verdict("bad" in window.text, ("bad",) if "bad" in window.text else (), {"bad": 0.9})


def whole_answer(*texts: str, deltas: Sequence[str] | None = None) -> list[StreamingEvent]:
    """An answer of one text part with `texts`; `deltas`: the texts of the deltas, if different."""
    text = "".join(texts)
    return [
        created(),
        item_added(),
        part_added(),
        *text_deltas(*(texts if deltas is None else deltas)),
        text_done(text),
        part_done(text),
        item_done(0, text_part(text)),
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


def run(events: Any, operator: Any) -> list[Any]:
    """What an operator emits, and the error that it ends with."""
    values: list[Any] = []
    reactivex.from_iterable(events).pipe(operator).subscribe(values.append, values.append)
    return values


def types(seen: Seen) -> list[str]:
    return [event.type for _, _, event in seen.emitted]


def of_type(seen: Seen, kind: str) -> list[Any]:
    return [event for _, _, event in seen.emitted if event.type == kind]


def flagged_in(events: Iterable[Any]) -> Any:
    """The one event that says that something was flagged."""
    (event,) = [event for event in events if event.type == "rxstream.moderation.flagged"]
    return event


def last(seen: Seen) -> Any:
    return seen.emitted[-1][2]


def flagged(seen: Seen) -> Any:
    return flagged_in(events_of(seen))


def events_of(seen: Seen) -> list[Event]:
    return [event for _, _, event in seen.emitted]


def assert_hidden(seen: Seen, secret: str = SECRET, size: int = PIECE) -> None:
    """No piece of the secret is in the output."""
    output = seen.json()
    for start in range(len(secret) - size + 1):
        assert secret[start : start + size] not in output, (
            f"characters {start} to {start + size} of the secret are in the output"
        )
