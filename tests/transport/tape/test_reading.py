"""Tapes, and plain files of events: read back as they ran."""

import io
import json
import os
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from rxstream.errors import DisconnectedError, ProtocolError
from rxstream.sse import Frame, encode
from rxstream.transport import Batch, RecordingTransport, TapeTransport, read_tape
from tests._given import RECORDINGS, needs
from tests.transport.tape._tapes import REQUEST, play, times
from tests.waiting import BOUND

# ---------------------------------------------------------------------- replaying


def write(path: Path, *entries: dict[str, Any], tail: str = "") -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in ({"rxstream_tape": 1}, *entries)) + tail, "utf-8")
    return path


THREE = ({"t": 0.1, "data": "a"}, {"t": 0.1, "data": "b"}, {"t": 0.2, "data": "c"}, {"t": 0.3, "end": "eof"})
A, B, C = Frame(data="a"), Frame(data="b"), Frame(data="c")


@pytest.mark.anyio
@pytest.mark.parametrize(("speed", "first", "second"), [(1.0, 0.1, 0.2), (2, 0.05, 0.1), (None, 0, 0)])
async def test_speed(tmp_path: Path, speed: float | None, first: float, second: float) -> None:
    path = write(tmp_path / "tape", *THREE)
    got = await times(TapeTransport(path, speed=speed))
    assert [frame for _, batch in got for frame in batch] == [A, B, C]
    if speed is None:
        assert len(got) == 1
    else:
        assert [list(batch) for _, batch in got] == [[A, B], [C]]
        assert got[0][0] >= first - 0.01
        assert got[1][0] >= second - 0.01


def test_speed_on_a_virtual_clock(tmp_path: Path) -> None:
    """A tape of a day, in no time: each batch comes at its time to the microsecond."""
    trio = pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    moments = [{"t": 5, "data": "a"}, {"t": 3600.5, "data": "b"}, {"t": 86400, "data": "c"}, {"t": 86401, "end": "eof"}]
    day = write(tmp_path / "tape", *moments)

    async def main(speed: float) -> list[float]:
        start = trio.current_time()
        async with TapeTransport(day, speed=speed).open(REQUEST) as wire:
            arrived = [trio.current_time() - start async for _ in wire]
        return [*arrived, trio.current_time() - start]

    for speed in (1.0, 2.0, 0.5):
        got = trio.run(main, speed, clock=testing.MockClock(autojump_threshold=0))
        assert got == pytest.approx([5 / speed, 3600.5 / speed, 86400 / speed, 86401 / speed])


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_speed_that_is_none(tmp_path: Path, speed: float) -> None:
    with pytest.raises(ValueError, match="None for as fast as possible"):
        TapeTransport(write(tmp_path / "tape", *THREE), speed=speed)


@pytest.mark.anyio
@pytest.mark.parametrize("tail", ["", '{"t": 0.3, "da', '{"t": 0.3, "data": "d"}'])
async def test_a_tape_without_an_end_is_a_cut(tmp_path: Path, tail: str) -> None:
    path = write(tmp_path / "tape", *THREE[:3], tail=tail)
    frames: list[Frame] = []

    async def read() -> None:
        async with TapeTransport(path, speed=None).open(REQUEST) as wire:
            async for batch in wire:
                frames.extend(batch)

    with pytest.raises(DisconnectedError, match="the tape tape was cut"):
        await read()
    assert frames[:3] == [A, B, C]
    assert frames[3:] == ([Frame(data="d")] if tail.endswith("}") else [])
    assert isinstance(read_tape(path).error, DisconnectedError)


def test_a_tape_cut_at_every_byte_reads_as_a_cut(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", *THREE).read_bytes()
    header = whole.index(b"\n")
    for size in range(header, len(whole) - len('"end": "eof"}\n')):
        (tmp_path / "cut").write_bytes(whole[:size])
        tape = read_tape(tmp_path / "cut")
        assert isinstance(tape.error, DisconnectedError)
        assert tape.frames == [A, B, C][: len(tape.frames)]


NO_TAPE = [b"{}\n", b'{"a": 1}\n', b"\x89PNG\r\n", b"hello\n", b"[1]\n", b"{", b'{"rxstream_tape": ', b"<html>"]


@pytest.mark.anyio
@pytest.mark.parametrize("content", NO_TAPE)
async def test_a_file_that_is_not_a_tape_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.file"
    path.write_bytes(content)
    for attempt in (lambda: read_tape(path), lambda: read_tape(io.BytesIO(content))):
        with pytest.raises(ProtocolError, match=r"expected a tape of rxstream .* or an \.sse file, got "):
            attempt()
    with pytest.raises(ProtocolError, match=r"some\.file: expected a tape"):
        await play(TapeTransport(path))


def test_a_newer_tape(tmp_path: Path) -> None:
    (tmp_path / "tape").write_text('{"rxstream_tape": 2}\n')
    with pytest.raises(ProtocolError, match="expected a tape of version 1, got version 2: update rxstream"):
        read_tape(tmp_path / "tape")


@pytest.mark.parametrize(
    "line",
    ["nonsense", "[]", '{"data": "a"}', '{"t": "0", "data": "a"}', '{"t": 0, "data": 1}', '{"t": 0, "id": null}'],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "tape", *THREE[:2], tail=f"{line}\n")
    with pytest.raises(ProtocolError, match='tape, line 4: expected an object with "t", got'):
        read_tape(path)


def test_unknown_fields_and_errors_are_borne(tmp_path: Path) -> None:
    path = write(
        tmp_path / "tape",
        {"t": 0, "data": "a", "new": 1},
        {"t": 1, "end": "error", "error": "NewError", "message": "x"},
    )
    tape = read_tape(path)
    assert tape.frames == [A]
    assert isinstance(tape.error, DisconnectedError)
    assert str(tape.error) == "NewError: x"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TapeTransport(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        read_tape(tmp_path / "none")


@pytest.mark.anyio
async def test_a_folder_is_no_tape(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        await play(TapeTransport(tmp_path))


# ---------------------------------------------------------------------- plain .sse files


@pytest.mark.anyio
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b": comment\n\n", b"\r\n"])
async def test_a_plain_sse_file(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "a.sse"
    path.write_bytes(start + b"data: a\n\ndata: b\n\ndata: {}")
    last = Frame(data="{}")  # its blank line is missing, and its JSON is whole
    assert await play(TapeTransport(path, speed=None)) == [[A, B], [last]]
    assert await play(TapeTransport(path, speed=100)) == [[A], [B], [last]]
    assert [batch.at for batch in read_tape(path).batches] == [0.0, 0.02, 0.04]
    assert read_tape(path).header == {}


@pytest.mark.anyio
async def test_an_empty_file_is_an_empty_stream(tmp_path: Path) -> None:
    (tmp_path / "a.sse").touch()
    assert await play(TapeTransport(tmp_path / "a.sse")) == []


def test_times_beside_an_sse_file(tmp_path: Path) -> None:
    path = tmp_path / "a.sse"
    path.write_bytes(b"data: a\n\ndata: b\n\ndata: c\n\n")
    (tmp_path / "a.times").write_text(" 10.0 ms off=0 len=12\n 20.5 ms off=12 len=6\n 30 ms EOF total=27\n")
    assert read_tape(path).batches == [Batch(0.01, [A]), Batch(0.0205, [B]), Batch(0.0205, [C])]
    (tmp_path / "a.times").write_text("soon\n")
    with pytest.raises(ProtocolError, match=r"a\.times: expected lines like .*, got 'soon'"):
        read_tape(path)


@needs(RECORDINGS)
@pytest.mark.anyio
async def test_the_recordings(tmp_path: Path) -> None:
    names = sorted(RECORDINGS.glob("*.sse"))
    assert len(names) == 20
    for name in names:
        tape = read_tape(name)
        assert tape.error is None
        assert [frame for frame in tape.frames if frame.data]
        ats = [batch.at or 0.0 for batch in tape.batches]
        assert ats == sorted(ats)
        at_once = [frame for batch in await play(TapeTransport(name, speed=None)) for frame in batch]
        assert at_once == tape.frames
        copy = tmp_path / "copy.jsonl"
        await play(RecordingTransport(TapeTransport(name, speed=None), copy))
        assert read_tape(copy).frames == tape.frames


# ---------------------------------------------------------------------- pipes


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sse", "tape"])
async def test_a_pipe_is_played_as_it_comes(kind: str) -> None:
    pieces = [encode(A), encode(B)]
    if kind == "tape":
        pieces = [
            b"".join(json.dumps(line).encode() + b"\n" for line in ({"rxstream_tape": 1}, {"t": 0, "data": "a"})),
            b'{"t": 0.01, "data": "b"}\n{"t": 0.02, "end": "eof"}\n',
        ]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as sink, anyio.fail_after(BOUND):
        transport = TapeTransport(source)
        sink.write(pieces[0])
        async with transport.open(REQUEST) as wire:
            batches = aiter(wire)
            assert await anext(batches) == [A]
            threading.Thread(target=sink.write, args=(pieces[1],)).start()
            assert await anext(batches) == [B]
            sink.close()
            with pytest.raises(StopAsyncIteration):
                await anext(batches)
        with pytest.raises(ProtocolError, match="played only once: pass a path"):
            await play(transport)


@pytest.mark.anyio
async def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(encode(A) + encode(B))))
    assert await play(TapeTransport("-", speed=None)) == [[A, B]]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(encode(A))))
    assert read_tape("-").frames == [A]


@pytest.mark.anyio
async def test_a_silent_pipe_can_be_left() -> None:
    reading, writing = os.pipe()
    try:
        with anyio.fail_after(BOUND):
            with os.fdopen(reading, "rb") as source, anyio.move_on_after(0.05) as scope:
                await play(TapeTransport(source))
            assert scope.cancelled_caught
    finally:
        os.close(writing)
