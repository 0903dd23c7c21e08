"""The ledgers: what a file keeps, what it drops, and who may hold it."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rxstream import operators as rxs
from rxstream.errors import LedgerError
from rxstream.tools import FileLedger, MemoryLedger

BEGAN: dict[str, Any] = {"type": "run.began", "ledger": 1, "at": 0.0, "input": [], "tools": {}}
ASKED: dict[str, Any] = {"type": "turn.asked", "at": 0.1, "turn": 1}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="it has no flock")


def written(path: Path, *records: dict[str, Any]) -> bytes:
    ledger = FileLedger(path)
    ledger.open()
    for record in records:
        ledger.append(record)
    ledger.close()
    return path.read_bytes()


def test_what_is_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    odd = {"type": "odd", "text": "\ud83d half of a pair, \u2028, a\nline, é"}
    data = written(path, BEGAN, odd)
    assert data.count(b"\n") == 2
    ledger = FileLedger(path)
    assert ledger.open() == [BEGAN, odd]
    ledger.append(ASKED)
    ledger.close()
    ledger.close()
    assert FileLedger(path).open() == [BEGAN, odd, ASKED]


@POSIX
def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    written(tmp_path / "run.jsonl", BEGAN)
    assert stat.S_IMODE((tmp_path / "run.jsonl").stat().st_mode) == 0o600


def test_a_last_line_that_is_not_whole_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    data = written(path, BEGAN, ASKED)
    begin = len(data.splitlines(keepends=True)[0])
    for length in range(len(data)):
        path.write_bytes(data[:length])
        ledger = FileLedger(path)
        assert ledger.open() == ([] if length < begin else [BEGAN])
        ledger.append(ASKED if length >= begin else BEGAN)
        ledger.close()
        assert path.read_bytes() == (data if length >= begin else data[:begin])


def test_blocks_that_a_crash_of_the_machine_left_empty_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    whole = written(path, BEGAN)
    for rest in (b"\0" * 40, b"\0" * 40 + b'"turn":1}\n', b'{"type":"turn.asked"' + b"\0" * 20 + b"}\n"):
        path.write_bytes(whole + rest)
        ledger = FileLedger(path)
        assert ledger.open() == [BEGAN]
        ledger.close()
        assert path.read_bytes() == whole
    path.write_bytes(b"\0" * 40)
    assert FileLedger(path).open() == []


@pytest.mark.parametrize(
    "data", [b"my notes", b"my notes\n", b'{"type":"turn.asked"}\n', b"[1]\n", b'{"type":"tape"', b"\xff\xfe\n\n"]
)
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    with pytest.raises(LedgerError, match=r"expected the ledger of a run.*got another file.*notes\.txt"):
        FileLedger(path).open()
    assert path.read_bytes() == data


def test_a_broken_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    data = written(path, BEGAN) + b'{"type":\n' + b'{"type":"turn.asked"}\n'
    path.write_bytes(data)
    with pytest.raises(LedgerError, match="in line 2 of the ledger"):
        FileLedger(path).open()
    assert path.read_bytes() == data


@POSIX
def test_two_runs_of_one_process_do_not_hold_one_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first, other = FileLedger(path), FileLedger(path)
    first.open()
    for ledger in (other, first):
        with pytest.raises(LedgerError, match=r"expected a ledger that no other run holds, got .*run\.jsonl"):
            ledger.open()
    first.append(BEGAN)
    first.close()
    assert other.open() == [BEGAN]


@POSIX
def test_two_processes_do_not_hold_one_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    code = (
        "import sys; from rxstream.tools import FileLedger\n"
        "ledger = FileLedger(sys.argv[1]); ledger.open(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LedgerError, match="another process"):
            FileLedger(path).open()
        holder.kill()
        holder.wait()
    assert FileLedger(path).open() == []


def test_a_path_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLedger(tmp_path / "none" / "run.jsonl").open()
    with pytest.raises(OSError, match=r".+"):
        FileLedger(tmp_path).open()
    if os.path.exists(os.devnull) and sys.platform != "win32":
        with pytest.raises(LedgerError, match="expected a regular file"):
            FileLedger(os.devnull).open()
    with pytest.raises(RuntimeError, match="not open"):
        FileLedger(tmp_path / "run.jsonl").append(BEGAN)


def test_a_ledger_in_memory() -> None:
    async def use() -> None:
        ledger = MemoryLedger([BEGAN])
        record = {"type": "turn.asked", "input": [1]}
        await ledger.open()
        await ledger.append(record)
        record["input"].append(2)  # type: ignore[attr-defined]
        assert ledger.records == [BEGAN, {"type": "turn.asked", "input": [1]}]
        with pytest.raises(LedgerError, match="no other run holds"):
            await ledger.open()
        ledger.close()
        assert await ledger.open() == ledger.records
        with pytest.raises(TypeError):
            await ledger.append({"type": object()})

    asyncio.run(use())


def test_what_is_no_ledger() -> None:
    for value, message in [
        ("run.jsonl", r"write FileLedger\('run.jsonl'\)"),
        (Path("run.jsonl"), r"write FileLedger\('run.jsonl'\)"),
        (MemoryLedger, "expected a ledger such as FileLedger"),
        (3, "expected a ledger such as FileLedger"),
    ]:
        with pytest.raises(TypeError, match=message):
            rxs.run_tools([], lambda items: 1 / 0, ledger=value)  # type: ignore[arg-type]
