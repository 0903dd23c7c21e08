"""One recording at a time writes a tape, and one that cannot be begun is found out before the request is sent."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import anyio
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import FrameTooLargeError, ProtocolError, StatusError
from rxstream.sse import Frame
from rxstream.testing import LocalServer, answers
from rxstream.transport import MemoryTransport, Recorder, RecordingTransport, Request, TapeTransport, read_tape
from rxstream.transport.tape import _tape
from tests.session._modes import Heard, in_session, modes, options_for

needs_locks = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
REQUEST = Request("POST", "/responses", json={})


async def play(transport: TapeTransport | RecordingTransport) -> list[Frame]:
    async with transport.open(REQUEST) as wire:
        return [frame async for batch in wire for frame in batch]


# ---------------------------------------------------------------------- begun before the request


@modes
@pytest.mark.parametrize("name", ["none/tape", "."])
def test_a_tape_that_cannot_be_begun_costs_no_request(mode: str, name: str, tmp_path: Path) -> None:
    heard = Heard()
    with LocalServer([answers.text("Hi")]) as server:
        options = options_for(server) | {"tape": tmp_path / name}
        in_session(mode, lambda session: heard.subscribe(session.response(model="m", input="Hi")), **options)
        assert isinstance(heard.error, OSError)
        assert not server.log


@pytest.mark.anyio
async def test_a_request_that_opens_no_wire_leaves_an_earlier_tape_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    path.write_text("mine")
    broken = MemoryTransport([Frame(data="{}")], error=StatusError("no", status=500), after=0)
    with pytest.raises(StatusError):
        await play(RecordingTransport(broken, path))
    assert path.read_text() == "mine"
    assert await play(RecordingTransport(MemoryTransport([Frame(data="{}")]), path)) == [Frame(data="{}")]
    assert read_tape(path).frames == [Frame(data="{}")]


@pytest.mark.anyio
async def test_a_disk_that_is_full_from_the_start_does_not_take_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(value: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_tape, "_line", full)
    transport = RecordingTransport(MemoryTransport([Frame(data="{}")]), tmp_path / "tape")
    assert await play(transport) == [Frame(data="{}")]
    assert "No space left on device" in caplog.text


# ---------------------------------------------------------------------- one recording at a time


@needs_locks
@pytest.mark.anyio
async def test_two_sessions_with_one_path_have_a_tape_for_each_stream(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    with LocalServer([answers.text("a b c d e f", split=1)], pace=500) as server:
        for _ in range(2):  # the second time they overwrite the tapes of the first
            options = options_for(server) | {"tape": path}
            async with rxstream.Session(**options) as first, rxstream.Session(**options) as second:
                for session in (first, second, first, second):
                    session.response(model="m", input="Hi").subscribe()
    assert sorted(os.listdir(tmp_path)) == ["tape-2.jsonl", "tape-3.jsonl", "tape-4.jsonl", "tape.jsonl"]
    for name in os.listdir(tmp_path):
        tape = read_tape(tmp_path / name)
        assert tape.error is None
        assert json.loads(tape.frames[-1].data)["type"] == "response.completed"
        assert len({json.loads(frame.data)["sequence_number"] for frame in tape.frames}) == len(tape.frames)


@needs_locks
def test_a_second_recorder_of_a_tape_is_refused(tmp_path: Path) -> None:
    errors: list[Exception] = []
    with Recorder(tmp_path / "tape") as recorder:
        with pytest.raises(BlockingIOError, match="another recording"):
            Recorder(tmp_path / "tape")
        reactivex.never().pipe(rxs.tee_to_tape(tmp_path / "tape")).subscribe(on_error=errors.append)
        recorder.write(Frame(data="{}"), 0)
    assert "another recording" in str(errors[0])
    assert read_tape(tmp_path / "tape").frames == [Frame(data="{}")]
    with Recorder(tmp_path / "tape"):
        pass
    assert read_tape(tmp_path / "tape").frames == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.anyio
async def test_a_pipe_is_written_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    async with anyio.create_task_group() as tasks:

        async def take() -> None:
            read.append(await anyio.to_thread.run_sync(path.read_bytes))

        tasks.start_soon(take)
        transport = RecordingTransport(MemoryTransport([Frame(data="{}")]), path)
        await anyio.to_thread.run_sync(lambda: anyio.run(play, transport))
    assert len(read[0].splitlines()) == 3


# ---------------------------------------------------------------------- what a tape may hold


def tape_with(folder: Path, line: str) -> Path:
    path = folder / "tape"
    path.write_text('{"rxstream_tape": 1}\n' + line + '\n{"t": 0, "end": "eof"}\n')
    return path


HUGE = "9" * 400


@pytest.mark.anyio
@pytest.mark.parametrize("time", ["NaN", "Infinity", "-Infinity", "1e308", "1e9", "-1", HUGE, f"{HUGE}.0", "null"])
@pytest.mark.parametrize("rest", ['"data": "{}"', '"end": "eof"'])
async def test_a_time_that_cannot_be_is_refused(tmp_path: Path, time: str, rest: str) -> None:
    path = tape_with(tmp_path, f'{{"t": {time}, {rest}}}')
    with anyio.fail_after(30), pytest.raises(ProtocolError, match='line 2: expected an object with "t"'):
        await play(TapeTransport(path))


@pytest.mark.anyio
@pytest.mark.parametrize("time", ["1.2.3", HUGE, ".", "1e308", "NaN", "\udcff", "\u0661"])
async def test_a_time_beside_an_sse_file_that_cannot_be_is_refused(tmp_path: Path, time: str) -> None:
    (tmp_path / "a.sse").write_text("data: {}\n\n")
    (tmp_path / "a.times").write_bytes(f"{time} ms off=0 len=10\n".encode("utf-8", "surrogateescape"))
    with anyio.fail_after(30), pytest.raises(ProtocolError, match="expected lines like"):
        await play(TapeTransport(tmp_path / "a.sse"))


@pytest.mark.anyio
@pytest.mark.parametrize("line", ["x" * 200, '{"t": 0, "data": "' + "x" * 200])
async def test_a_line_has_a_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(_tape, "_LONGEST_LINE", 100)
    monkeypatch.setattr("rxstream.transport.tape._replay._READ", 50)
    with pytest.raises(FrameTooLargeError, match="line 2: expected at most 100 bytes"):
        await play(TapeTransport(tape_with(tmp_path, line)))
