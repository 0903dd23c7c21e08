"""Tapes: written as a wire runs."""

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rxstream.errors import (
    ContentTypeError,
    DisconnectedError,
    FrameTooLargeError,
    IdleTimeoutError,
    RxStreamError,
    StatusError,
)
from rxstream.sse import Frame
from rxstream.transport import (
    Batch,
    HttpTransport,
    MemoryTransport,
    Recorder,
    RecordingTransport,
    Request,
    TapeTransport,
    read_tape,
)
from rxstream.transport.tape import _tape
from tests.transport.tape._tapes import FRAMES, KEY, REQUEST, lines, play

# ---------------------------------------------------------------------- writing


def test_a_tape_is_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    created = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    with Recorder(path, request=REQUEST, created=created) as recorder:
        recorder.write(FRAMES[0], 0.1234567)
        recorder.write_batch(FRAMES[1:], 0.5)
        recorder.complete(0.75)
    assert lines(path) == [
        {
            "rxstream_tape": 1,
            "created": "2026-11-23T12:00:00Z",
            "model": "m-1",
            "request": {"method": "POST", "path": "/responses"},
        },
        {"t": 0.123457, "event": "response.created", "data": '{"a": "é\u2028"}'},
        {"t": 0.5, "data": "a\nb", "id": "7", "retry": 5},
        {"t": 0.5, "event": "x", "data": "", "id": "7"},
        {"t": 0.75, "end": "eof"},
    ]
    tape = read_tape(path)
    assert tape.header == lines(path)[0]
    assert tape.batches == [Batch(0.123457, [FRAMES[0]]), Batch(0.5, FRAMES[1:])]
    assert tape.frames == FRAMES
    assert tape.error is None


def test_neither_headers_nor_body_are_written_unless_asked_for(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a", request=REQUEST):
        pass
    with Recorder(tmp_path / "b", request=REQUEST, keep_body=True):
        pass
    assert "prompt" not in (tmp_path / "a").read_text()
    assert lines(tmp_path / "b")[0]["request"]["body"] == REQUEST.json
    for name in "ab":
        assert KEY not in (tmp_path / name).read_text()


def test_secrets_are_never_written(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    request = Request("GET", f"/{KEY}", json={"model": KEY, "tools": [{"headers": {"k": f"Bearer {KEY}"}}]})
    with Recorder(path, request=request, keep_body=True, secrets=[KEY]) as recorder:
        recorder.write(Frame(KEY, f'{{"k": "{KEY}"}}', KEY), 0)
        recorder.error(DisconnectedError(f"sent {KEY}"))
    assert KEY not in path.read_text()
    assert path.read_text().count("[redacted]") == 8


def test_every_line_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    recorder = Recorder(path)
    assert len(lines(path)) == 1
    recorder.write(FRAMES[0], 0)
    assert len(lines(path)) == 2
    recorder.close()
    recorder.close()
    assert lines(path)[-1] == {"t": 0, "end": "left"}


def test_an_open_file_stays_open() -> None:
    file = io.StringIO()
    with Recorder(file) as recorder:
        recorder.write(FRAMES[0], 1)
    assert read_tape(io.StringIO(file.getvalue())).frames == FRAMES[:1]
    assert read_tape(io.BytesIO(file.getvalue().encode())).frames == FRAMES[:1]


def test_lone_surrogates_survive(tmp_path: Path) -> None:
    with Recorder(tmp_path / "tape") as recorder:
        recorder.write(Frame(data="\ud800"), 0)
    assert read_tape(tmp_path / "tape").frames == [Frame(data="\ud800")]


# ---------------------------------------------------------------------- recording a transport


@pytest.mark.anyio
async def test_recording_passes_everything_on(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    inner = MemoryTransport([FRAMES[:2], FRAMES[2]], request_id="req_1")
    async with RecordingTransport(inner, path).open(REQUEST) as wire:
        assert (wire.request_id, wire.status) == ("req_1", 200)
        assert [batch async for batch in wire] == [FRAMES[:2], FRAMES[2:]]
    assert inner.requests == [REQUEST]
    tape = read_tape(path)
    assert tape.frames == FRAMES
    assert tape.error is None
    assert lines(path)[-1]["end"] == "eof"
    assert tape.header["model"] == "m-1"


@pytest.mark.anyio
async def test_a_cut_replays_as_the_same_cut(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    cuts: list[RxStreamError] = [
        DisconnectedError("cut"),
        IdleTimeoutError("idle"),
        FrameTooLargeError("large"),
        StatusError("no", status=503),
        ContentTypeError("html", status=200),
    ]
    for cut in cuts:
        with pytest.raises(type(cut)):
            await play(RecordingTransport(MemoryTransport(FRAMES, error=cut, after=2), path))
        with pytest.raises(type(cut), match=str(cut)) as caught:
            await play(TapeTransport(path))
        assert read_tape(path).frames == FRAMES[:2]
        if isinstance(cut, StatusError):
            assert isinstance(caught.value, StatusError)
            assert caught.value.status == 503


@pytest.mark.anyio
async def test_leaving_early_is_neither_end_nor_error(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    inner = MemoryTransport(FRAMES)
    async with RecordingTransport(inner, path).open(REQUEST) as wire:
        async for _ in wire:
            break
    assert inner.open_wires == 0
    assert lines(path)[-1]["end"] == "left"
    assert await play(TapeTransport(path)) == [FRAMES[:1]]


@pytest.mark.anyio
async def test_each_wire_has_its_own_tape(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    inner = MemoryTransport(FRAMES, error=StatusError("no", status=500), after=0, times=1)
    transport = RecordingTransport(inner, path)
    with pytest.raises(StatusError):
        await play(transport)
    assert os.listdir(tmp_path) == []
    for _ in range(3):
        await play(transport)
    assert sorted(os.listdir(tmp_path)) == ["tape-2.jsonl", "tape-3.jsonl", "tape.jsonl"]


@pytest.mark.anyio
async def test_keys_of_the_http_transport_are_kept_off_the_tape(tmp_path: Path) -> None:
    HttpTransport(base_url="https://h/v1", api_key=KEY, headers={"Api-Key": "azure-canary-1"})
    path = tmp_path / "tape"
    request = Request("POST", "/responses", headers={"X-Api-Key": "other-canary-1"})
    async with RecordingTransport(MemoryTransport([Frame(data=f"{KEY} azure-canary-1 other-canary-1")]), path).open(
        request
    ) as wire:
        assert len([batch async for batch in wire]) == 1
    assert lines(path)[1]["data"] == "[redacted] [redacted] [redacted]"


@pytest.mark.anyio
async def test_a_full_disk_does_not_take_the_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(OSError, match="directory"):
        await play(RecordingTransport(MemoryTransport(FRAMES), tmp_path / "none" / "tape"))

    path = tmp_path / "tape"

    def full(value: dict[str, Any]) -> str:
        if value.get("data") == FRAMES[1].data:
            raise OSError(28, "No space left on device")
        return json.dumps(value) + "\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tape, "_line", full)
        assert await play(RecordingTransport(MemoryTransport(FRAMES), path)) == [[frame] for frame in FRAMES]
    tape = read_tape(path)
    assert tape.frames == FRAMES[:1]
    assert isinstance(tape.error, DisconnectedError)
    assert "the stream goes on without it: No space left on device" in caplog.text
