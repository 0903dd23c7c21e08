"""Events on lanes: each once, each item and part a lane of its own, endings with their causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rxstream.cli._tapes import decode, inspection_of
from rxstream.errors import DisconnectedError, TruncatedError
from rxstream.timeline import Timeline, timelines_of
from tests.timeline._streams import CALL, MESSAGE, STREAM, Timed, arguments, delta, entries, item, response

SHARED = Path(__file__).resolve().parents[3] / "shared"
RECORDED = sorted((SHARED / "streams").glob("*.sse")) + sorted((SHARED / "recordings").glob("*.sse"))


def timeline(stream: list[Timed], **options: object) -> Timeline:
    (only,) = timelines_of(entries(stream), **options)  # type: ignore[arg-type]
    return only


def test_each_item_and_part_has_a_lane_with_its_time_and_text() -> None:
    lanes = timeline(STREAM).lanes
    assert [(lane.role, lane.title, lane.start, lane.end) for lane in lanes] == [
        ("response", "response", 0.0, 4.3),
        ("item", "get_weather", 0.5, 0.8),
        ("item", "message", 0.9, 4.2),
        ("part", "text 0", 1.0, 4.1),
    ]
    assert [lane.text for lane in lanes] == ["", '{"city":"Oslo"}', "", "It is cold, very cold."]
    assert lanes[1].is_call
    assert '{"city":"Oslo"}' in lanes[1].detail


def test_the_numbers_are_those_of_measure() -> None:
    metrics = timeline(STREAM).metrics
    assert (metrics.outcome, metrics.first_event, metrics.first_text, metrics.stalls) == ("completed", 0.4, 1.0, 1)
    assert metrics.gaps.count == 4
    assert metrics.usage is not None
    assert metrics.usage.reasoning_tokens == 3


def test_a_long_silence_is_seen_and_one_as_long_as_the_limit_is_a_stall() -> None:
    (silence,) = timeline(STREAM).silences
    assert (silence.start, silence.end, silence.stall) == (1.1, 4.1, True)
    assert not timeline(STREAM, stall=5.0).silences[0].stall


def test_a_stream_of_one_pace_has_no_silence() -> None:
    assert timeline([(number, delta("a")) for number in range(5)] + [(5.0, response("completed"))]).silences == []


@pytest.mark.parametrize(
    ("end", "error", "ending"),
    [
        (response("completed"), "", "completed"),
        (
            response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "",
            "incomplete (max_output_tokens)",
        ),
        (
            response("failed", error={"code": "server_error", "message": "oh"}),
            "ResponseFailedError",
            "failed (ResponseFailedError: oh)",
        ),
        ({"type": "error", "message": "busy", "code": "x"}, "ApiError", "failed (ApiError: busy)"),
    ],
)
def test_the_ending_has_its_cause(end: dict[str, object], error: str, ending: str) -> None:
    got = timeline([(0.1, response("created")), (0.2, delta("a")), (0.3, end)])
    assert (got.error, got.ending) == (error, ending)


def test_a_cut_a_broken_connection_and_a_reader_that_left_are_told_apart() -> None:
    stream = STREAM[:7]
    cut = timeline(stream)
    assert (cut.metrics.outcome, cut.error) == ("cut", TruncatedError.__name__)
    broken = timeline(stream, error=DisconnectedError("reset by peer"), end=9.0)
    assert (broken.error, broken.reason, broken.end) == ("DisconnectedError", "reset by peer", 9.0)
    left = timeline(stream, left=True)
    assert (left.metrics.outcome, left.error) == ("disposed", "")
    after_the_end = timeline(STREAM, error=DisconnectedError("late"))
    assert after_the_end.ending == "completed"


def test_a_call_that_was_cut_has_the_arguments_so_far() -> None:
    lane = timeline([*STREAM[:2], (0.6, arguments('{"ci', 0))]).lanes[1]
    assert (lane.text, lane.end) == ('{"ci', None)


def test_parts_of_one_item_and_items_without_an_added_event_have_lanes() -> None:
    lanes = timeline([(0.1, delta("a", 0, 0)), (0.2, delta("b", 0, 1)), (0.3, delta("c", 2, 0))]).lanes
    assert [(lane.role, lane.output_index, lane.text) for lane in lanes[1:]] == [
        ("item", 0, ""),
        ("part", 0, "a"),
        ("part", 0, "b"),
        ("item", 2, ""),
        ("part", 2, "c"),
    ]


RUN: list[Timed] = [
    (0.0, {"type": "rxstream.turn.started", "turn": 1}),
    *STREAM[:5],
    (0.85, {"type": "rxstream.tool.started", "turn": 1, "call_id": "call_1", "name": "get_weather"}),
    (0.9, response("completed")),
    (1.5, {"type": "rxstream.tool.finished", "turn": 1, "call_id": "call_1", "name": "get_weather", "output": "-4 °C"}),
    (2.0, {"type": "rxstream.turn.started", "turn": 2}),
    (2.5, response("created", 2)),
    (2.6, delta("Cold.")),
    (2.7, response("completed", 2)),
    (2.8, {"type": "rxstream.run.finished", "turn": 2}),
]


def test_the_turns_of_a_run_are_timelines_with_lanes_of_their_tools() -> None:
    first, second = timelines_of(entries(RUN))
    tool = first.lanes[-1]
    assert (tool.role, tool.title, tool.start, tool.end, tool.text) == ("tool", "get_weather", 0.85, 1.5, "-4 °C")
    assert (first.turn, first.start, first.lanes[0].end) == (1, 0.0, 0.9)
    assert (second.turn, second.start, second.metrics.first_event, second.text) == (2, 2.0, 0.5, "Cold.")


def test_responses_without_events_of_a_run_are_told_apart_too() -> None:
    second = [(at + 5, response("created", 2) if not place else event) for place, (at, event) in enumerate(STREAM[:-1])]
    first, other = timelines_of(entries([*STREAM, *second, (9.5, response("completed", 2))]))
    assert (len(first.entries), len(other.entries)) == (len(STREAM), len(STREAM))
    assert other.start == 4.3


def test_a_tool_that_fails_and_one_that_waits_say_so() -> None:
    stream = [
        (0.1, {"type": "rxstream.tool.approval", "call_id": "a", "name": "book"}),
        (0.2, {"type": "rxstream.tool.started", "call_id": "b", "name": "find"}),
        (0.3, {"type": "rxstream.tool.finished", "call_id": "b", "name": "find", "output": "no", "error": "closed"}),
    ]
    book, find = timeline(stream).lanes[1:]
    assert (book.status, book.end) == ("waits for approval", None)
    assert (find.status, find.marks[-1].kind) == ("closed", "error")


@pytest.mark.skipif(not RECORDED, reason="there are no recorded streams beside the repository")
def test_of_every_recorded_stream_each_event_is_one_mark() -> None:
    for path in RECORDED:
        [decoded] = decode(str(path))
        inspection = inspection_of(decoded, 2.0)
        assert inspection.timelines
        for got in inspection.timelines:
            marks = sorted(mark.entry for lane in got.lanes for mark in lane.marks)
            assert marks == list(range(len(got.entries))), path.name
            assert all(lane.start <= lane.last for lane in got.lanes), path.name


def test_control_characters_stay_out_of_titles() -> None:
    evil = item("added", 0, type="function_call", name="f\x1b[2J\n", call_id="c", arguments="")
    message = item("added", 1, **{**MESSAGE, "type": "new\x07kind"})
    titles = [lane.title for lane in timeline([(0.1, evil), (0.2, message)]).lanes]
    assert all(title.isprintable() for title in titles)
    assert CALL["name"] not in titles


def test_events_of_rxstream_itself_do_not_hide_a_silence() -> None:
    beats = [(2.0 + number / 2, {"type": "rxstream.heartbeat"}) for number in range(4)]
    got = timeline([*STREAM[:8], *beats, *STREAM[8:]])
    assert [(silence.start, silence.end) for silence in got.silences] == [(1.1, 4.1)]
    assert got.metrics.events == len(STREAM)
    assert len(got.entries) == len(STREAM) + 4
