"""Sequence numbers: what comes twice is passed once, what is missing is reported, wrong numbers lose no event."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from rxstream.events import StreamingEvent, parse_event
from rxstream.response.decoding._numbering import _AT_ONCE, Numbering
from rxstream.sse import Decoder
from rxstream.testing import answers
from tests._given import GIVEN, RECORDINGS, STREAMS, needs
from tests.response.decoding._normal import normal, text

Json = dict[str, Any]

ANSWER = answers.together(
    answers.text("One. Two. One. Two.", split=2), answers.function_calls([("f", {"a": 1}), ("g", {"a": 1})], split=1)
)
SENT: list[Json] = [event.model_dump() for event in answers.events_of(ANSWER)]
LONG: list[Json] = [event.model_dump() for event in answers.events_of(answers.text(["a ", "b "] * _AT_ONCE * 2))]


def events(sent: list[Json]) -> list[StreamingEvent]:
    return [parse_event(json.dumps(fields)) for fields in sent]


def numbered(sent: list[Json], numbers: Iterator[int | None] | list[int | None]) -> list[StreamingEvent]:
    fields = [{**event, "sequence_number": number} for event, number in zip(sent, numbers, strict=False)]
    return events([{key: value for key, value in event.items() if value is not None} for event in fields])


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


# ---------------------------------------------------------------------- repeats


@pytest.mark.parametrize("sent", [SENT, LONG], ids=["short", "long"])
def test_an_event_that_comes_twice_is_passed_once(sent: list[Json], caplog: pytest.LogCaptureFixture) -> None:
    once = events(sent)
    twice = [each for event in sent for each in events([event, event])]
    assert normal(*twice) == normal(*once)
    assert warnings(caplog) == []


@pytest.mark.parametrize("sent", [SENT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("seed", range(20))
def test_a_resumption_may_repeat_any_part(sent: list[Json], seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Cut anywhere, and go on from anywhere before: as often as it happens."""
    rng = random.Random(seed)
    came: list[Json] = []
    at = 0
    while at < len(sent):
        cut = rng.randint(at + 1, len(sent))
        came += sent[rng.randint(0, at) : cut]
        at = cut
    again = [{**event, "obfuscation": str(index)} if "delta" in event else event for index, event in enumerate(came)]
    passed = [event.model_dump(exclude={"obfuscation"}) for event in normal(*events(again))]
    assert passed == [event.model_dump(exclude={"obfuscation"}) for event in normal(*events(sent))]
    assert warnings(caplog) == []


def test_a_repeat_behind_the_end_is_not_passed_and_another_event_is() -> None:
    late = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "late"}
    passed = normal(*events([*SENT, *SENT, {**late, "sequence_number": len(SENT)}]))
    assert [event.model_dump() for event in passed[:-1]] == SENT
    assert text(passed) == "One. Two. One. Two."


def test_a_resumed_stream_alone_is_not_a_stream_with_a_gap(caplog: pytest.LogCaptureFixture) -> None:
    normal(*events(SENT[7:]))
    assert warnings(caplog) == []


def test_the_next_response_counts_anew(caplog: pytest.LogCaptureFixture) -> None:
    other = json.loads(json.dumps(SENT).replace('"resp_', '"resp_other_'))
    assert len(normal(*events(SENT + other))) == len(SENT + other)
    assert warnings(caplog) == []


def test_one_event_again_and_again_is_not_a_repeat(caplog: pytest.LogCaptureFixture) -> None:
    """As a wire that was written by hand may send one delta for ever. Only the second is taken for a repeat."""
    assert len(normal(*events(SENT[:5] + [SENT[4]] * 50))) == 54
    assert len(warnings(caplog)) == 1


# ---------------------------------------------------------------------- gaps


@pytest.mark.parametrize("lost", range(1, len(SENT) - 1))
def test_a_gap_is_reported_once_and_nothing_else_is_lost(lost: int, caplog: pytest.LogCaptureFixture) -> None:
    came = events(SENT[:lost] + SENT[lost + 1 :])
    passed = [event for event in normal(*came) if not event.synthetic]
    assert len(passed) == len(came)
    assert len(warnings(caplog)) == 1
    assert f"expected event {lost} of the stream, got {lost + 1}" in warnings(caplog)[0]


def test_an_event_that_comes_late_is_passed_once(caplog: pytest.LogCaptureFixture) -> None:
    swapped = [*SENT[:5], SENT[6], SENT[5], SENT[5], *SENT[7:]]
    assert len(normal(*events(swapped))) == len(SENT)
    assert len(warnings(caplog)) == 1


# ---------------------------------------------------------------------- servers that number in another way


def by_item(sent: list[Json]) -> Iterator[int | None]:
    count = 0
    for event in sent:
        if event["type"] == "response.output_item.added":
            count = 0
        yield count
        count += 1


def deltas_only(sent: list[Json]) -> Iterator[int | None]:
    counts: dict[Any, int] = {}
    for event in sent:
        place = (event["type"], event.get("output_index"))
        if "delta" in event:
            counts[place] = counts.get(place, -1) + 1
        yield counts[place] if "delta" in event else None


NUMBERS: dict[str, tuple[list[int | None], int]] = {
    "all 0": ([0] * len(SENT), 0),
    "none": ([None] * len(SENT), 0),
    "from 1": (list(range(1, len(SENT) + 1)), 0),
    "from 70": (list(range(70, len(SENT) + 70)), 0),
    "times": ([1_700_000_000_000 + 37 * index for index in range(len(SENT))], 0),
    "tens": (list(range(10, 10 * len(SENT) + 10, 10)), 0),
    "each second": ([index if index % 2 else None for index in range(len(SENT))], 0),
    "down": (list(range(len(SENT), 0, -1)), 0),
    "by item": (list(by_item(SENT)), 1),
    "deltas by item": (list(deltas_only(SENT)), 1),
    "the first two, then 1": ([0, *[1] * (len(SENT) - 1)], 1),
    "huge": ([10**30 + index for index in range(len(SENT))], 0),
    "negative": ([index - 50 for index in range(len(SENT))], 0),
    "modulo 7": ([index % 7 for index in range(len(SENT))], 1),
}


@pytest.mark.parametrize(("numbers", "reports"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_of_another_kind_lose_no_event(
    numbers: list[int | None], reports: int, caplog: pytest.LogCaptureFixture
) -> None:
    passed = normal(*numbered(SENT, numbers))
    assert [(event.type, event.sequence_number) for event in passed] == [
        (event["type"], number) for event, number in zip(SENT, numbers, strict=True)
    ]
    assert text(passed) == "One. Two. One. Two."
    assert len(warnings(caplog)) == reports


RECORDED = [path for folder in (STREAMS, RECORDINGS, GIVEN / "recordings2") for path in sorted(folder.glob("*.sse"))]


@needs(STREAMS)
def test_no_recorded_stream_loses_an_event_or_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    for path in RECORDED:
        decoder = Decoder(at_eof="whole_json")
        frames = [*decoder.feed(path.read_bytes()), *decoder.close()]
        came = [parse_event(frame.data) for frame in frames if frame.data.startswith("{")]
        numbering = Numbering()
        assert not any(map(numbering.is_repeat, came)), path.name
    assert len(RECORDED) > 400
    assert warnings(caplog) == []
