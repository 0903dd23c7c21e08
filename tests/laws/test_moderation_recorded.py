"""The laws of a moderated stream, over the recorded ones."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
import reactivex

from rxstream.moderation.machine._window import KINDS
from rxstream.operators import debounce_moderation
from rxstream.testing import MODERATION_LAWS, ModerationTrial
from rxstream.testing.laws._moderation_judges import secret_judge
from tests._given import STREAMS, needs, recordings
from tests.operators._recorded import NAMES, events_of, recorded
from tests.thinned import ALL

pytestmark = needs(STREAMS)

MODES: Sequence[Any] = ("hold", "bounded", "optimistic")


def test_with_an_all_pass_check_every_recorded_stream_is_conserved():
    streams = {name: recorded(name) for name in NAMES} | {path.stem: events_of(path) for path in recordings()}
    for number, (name, events) in enumerate(streams.items()):
        expected = _parts(events)
        for mode in MODES if ALL else (MODES[number % 3],):
            moderated: list[Any] = []
            errors: list[Exception] = []
            reactivex.from_iterable(events).pipe(
                debounce_moderation(lambda window: False, mode=mode, include=KINDS)
            ).subscribe(moderated.append, errors.append)
            assert not errors, name
            assert _parts(moderated) == expected, (name, mode)


def _parts(events: Sequence[Any]) -> tuple[dict[Any, str], list[str]]:
    """The texts of the deltas, joined, and every other event."""
    texts: dict[Any, str] = {}
    others: list[str] = []
    for event in events:
        delta = getattr(event, "delta", None)
        if isinstance(delta, str) and event.type != "response.audio.delta":
            place = tuple(getattr(event, f"{name}_index", None) for name in ("output", "content", "summary", "command"))
            texts[event.type, place] = texts.get((event.type, place), "") + delta
        else:
            others.append(event.model_dump_json())
    return {place: text for place, text in texts.items() if text}, sorted(others)


@pytest.mark.parametrize("action", ["cut", "replace"])
def test_no_piece_of_a_recorded_stream_comes_out_after_it_was_flagged(action: Any):
    rng = random.Random(action)
    tried = 0
    for name in NAMES:
        events = recorded(name)
        texts = [text for (kind, _), text in _parts(events)[0].items() if kind == "response.output_text.delta"]
        whole = max(texts, key=len, default="")
        if len(whole) < 40:
            continue
        at = rng.randrange(len(whole) - 12)
        secret = whole[at : at + 12]
        if not secret.isascii() or any(char in secret for char in '"\\\n\t') or secret in events[0].model_dump_json():
            continue
        if not _only_the_model_speaks(events):
            continue
        emitted: list[Any] = []
        reactivex.from_iterable(events).pipe(
            debounce_moderation(secret_judge(secret), on_flag=action, include=KINDS)
        ).subscribe(emitted.append, emitted.append)
        said = [event.model_dump_json() for event in emitted]
        assert not [line for line in said if secret in line], name
        assert any("rxstream.moderation.flagged" in line for line in said), name
        tried += 1
    assert tried > 60


def _only_the_model_speaks(events: Sequence[Any]) -> bool:
    """What tools and servers say is no lane, and may repeat what the model says."""
    items = {event.item.type for event in events if event.type == "response.output_item.done"}
    return items <= {"message", "reasoning", "function_call"}


def test_the_laws_hold_over_recorded_streams_in_virtual_time():
    rng = random.Random(4)
    for name in rng.sample(NAMES, 12):
        events = [(round(0.02 * number, 3), event) for number, event in enumerate(recorded(name)[:300])]
        wait = [rng.uniform(0, 0.3) for _ in range(32)]
        trial = ModerationTrial(
            events,
            lambda window: False,
            delay=lambda number, wait=wait: wait[number % 32],
            options={"max_chars": 200, "first_chars": 30},
        )
        for law in ("no early release", "exposure", "monotone marks", "latency", "dispose is silent", "fails closed"):
            MODERATION_LAWS[law](trial)
