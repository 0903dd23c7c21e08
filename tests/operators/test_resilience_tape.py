"""tee_to_tape: what passes is on the tape, and is played again as it was."""

import json

import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ApiError, DisconnectedError, ResponseFailedError, RxStreamError, TruncatedError
from rxstream.operators import tee_to_tape
from rxstream.sse import Frame
from rxstream.testing import VirtualClock, answers, marbles
from rxstream.transport import MemoryTransport, read_tape
from tests._given import RECORDINGS, needs
from tests.operators._wires import Seen, Source

pytestmark = pytest.mark.anyio


def lines(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


async def played(path) -> tuple[list, RxStreamError | None]:
    async with rxstream.Session(base_url="http://127.0.0.1:9", normalize=False) as session:
        return await seen_of(session.replay(path, speed=None))


async def seen_of(stream) -> tuple[list, RxStreamError | None]:
    got = []
    try:
        async for event in rxstream.iterate(stream):
            got.append(event)
    except RxStreamError as failure:
        return got, failure
    return got, None


@pytest.mark.parametrize(
    ("answer", "ending"),
    [
        (answers.text("Grüße, 世界 \u2028 🫧", split=2), None),
        (answers.function_calls([("look", {"at": "x"}), ("go", {"to": "y"})]), None),
        (answers.failed(), ResponseFailedError),
        (answers.error(), ApiError),
        (answers.truncated(answers.text("half an answer"), 5), TruncatedError),
    ],
    ids=["text", "calls", "failed", "error", "truncated"],
)
async def test_a_tape_plays_what_passed_and_ends_as_it_ended(tmp_path, answer, ending):
    async with rxstream.Session(transport=MemoryTransport(b"".join(answer.sent_frames()))) as session:
        got, failure = await seen_of(session.response(model="m").pipe(tee_to_tape(tmp_path / "t.jsonl")))
    again, second = await played(tmp_path / "t.jsonl")
    assert [event.model_dump() for event in again] == [event.model_dump() for event in got]
    assert got
    assert type(failure) is type(second) is (ending or type(None))
    if failure is not None and second is not None:
        assert (second.response_id, second.sequence_number) == (failure.response_id, failure.sequence_number)


async def test_a_broken_wire_is_told_again(tmp_path):
    transport = MemoryTransport(
        b"".join(answers.text("abc", split=1).all_frames()), error=DisconnectedError("reset"), after=6
    )
    async with rxstream.Session(transport=transport) as session:
        got, _ = await seen_of(session.response(model="m").pipe(tee_to_tape(tmp_path / "t.jsonl")))
    again, failure = await played(tmp_path / "t.jsonl")
    assert len(again) == len(got) == 6
    assert isinstance(failure, DisconnectedError)
    assert "reset" in str(failure)


async def test_what_goes_on_is_what_came(tmp_path):
    async with rxstream.Session(
        transport=MemoryTransport(b"".join(answers.text("abc", split=1).all_frames()))
    ) as session:
        stream = session.response(model="m").pipe(tee_to_tape(tmp_path / "t.jsonl"), rxs.text_only())
        assert [word async for word in rxstream.iterate(stream)] == ["a", "b", "c"]


def test_times_are_those_of_the_clock(tmp_path):
    clock, seen = VirtualClock(), Seen()
    marbles.cold("-C-a---b-|", clock).pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe(seen, scheduler=clock.scheduler)
    clock.run()
    assert [line["t"] for line in lines(tmp_path / "t.jsonl")[1:]] == [0.01, 0.03, 0.07, 0.09]


def test_a_reader_who_leaves_is_on_the_tape(tmp_path):
    source = Source()
    subscription = source.pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe()
    source.emit(Frame("response.created", '{"type":"response.created"}'))
    subscription.dispose()
    subscription.dispose()
    assert [line.get("end", line.get("event")) for line in lines(tmp_path / "t.jsonl")[1:]] == [
        "response.created",
        "left",
    ]
    assert source.observers == []


def test_a_line_is_in_the_file_before_its_event_is_passed_on(tmp_path):
    source, counts = Source(), []
    source.pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe(lambda _: counts.append(len(lines(tmp_path / "t.jsonl"))))
    source.emit(Frame(data="1"), Frame(data="2"))
    source.complete()
    assert counts == [2, 3]


def test_frames_are_kept_as_they_are(tmp_path):
    frames = [Frame("message", "[DONE]", "7", 100), Frame("x:y", "no json", "", None)]
    reactivex.from_iterable(frames).pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe(seen := Seen())
    assert seen.values == frames
    tape = read_tape(tmp_path / "t.jsonl")
    assert [frame for batch in tape.batches for frame in batch.frames] == frames


def test_unknown_events_are_kept_as_they_came(tmp_path):
    wire = {"type": "new:thing", "much": {"more": [1, None]}}
    reactivex.of(rxstream.parse_event(json.dumps(wire))).pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe()
    assert json.loads(lines(tmp_path / "t.jsonl")[1]["data"]) == wire


def test_a_second_subscription_overwrites_the_first(tmp_path):
    stream = reactivex.of(Frame(data="1"), Frame(data="2")).pipe(tee_to_tape(tmp_path / "t.jsonl"))
    stream.subscribe()
    stream.subscribe()
    assert len(lines(tmp_path / "t.jsonl")) == 4


def test_a_file_that_cannot_be_written_is_an_error_before_anything_is_asked(tmp_path):
    source, seen = Source(), Seen()
    source.pipe(tee_to_tape(tmp_path / "no" / "t.jsonl")).subscribe(seen)
    assert isinstance(seen.error, FileNotFoundError)
    assert source.subscribed_in_all == 0


def test_a_disk_that_is_full_is_an_error(tmp_path):
    full = "/dev/full"
    try:
        open(full, "w").close()
    except OSError:
        pytest.skip("there is no /dev/full here")
    source, seen = Source(), Seen()
    source.pipe(tee_to_tape(full)).subscribe(seen)
    assert isinstance(seen.error, OSError)
    assert source.observers == []


def test_a_value_that_is_no_event_is_an_error(tmp_path):
    source, seen = Source(), Seen()
    source.pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe(seen)
    source.emit("text")
    assert isinstance(seen.error, TypeError)
    assert "text" not in (tmp_path / "t.jsonl").read_text()
    assert source.observers == []


def test_a_foreign_error_ends_the_tape_as_an_error(tmp_path):
    source, seen = Source(), Seen()
    source.pipe(tee_to_tape(tmp_path / "t.jsonl")).subscribe(seen)
    source.fail(failure := ValueError("foreign"))
    assert seen.error is failure
    assert lines(tmp_path / "t.jsonl")[-1]["end"] == "error"


def test_wrong_paths_are_refused():
    with pytest.raises(TypeError):
        tee_to_tape(3)  # type: ignore[arg-type]


@needs(RECORDINGS)
@pytest.mark.parametrize("recording", sorted(RECORDINGS.glob("*.sse"))[:6], ids=lambda path: path.stem)
async def test_recorded_streams_survive_the_tape(tmp_path, recording):
    async with rxstream.Session(base_url="http://127.0.0.1:9") as session:
        got, failure = await seen_of(session.replay(recording, speed=None).pipe(tee_to_tape(tmp_path / "t.jsonl")))
    again, second = await played(tmp_path / "t.jsonl")
    assert [event.model_dump() for event in again] == [event.model_dump() for event in got]
    assert type(failure) is type(second)
