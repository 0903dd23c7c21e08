"""Where a run keeps what it has done, so that it can go on after a crash of its process."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

from rxstream.errors import LedgerError

LedgerRecord: TypeAlias = dict[str, Any]
"""One step of a run: what JSON can hold, with a `type`."""

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # a file system without them
_FIRST_TYPE = "run.began"


class Ledger(Protocol):
    """The records of one run, in their order. A database can implement it.

    `open` and `append` are functions, which are called in worker threads because they may block, or coroutine
    functions. A run calls one method at a time, and waits for each. What they raise ends the run.
    """

    def open(self) -> Sequence[LedgerRecord] | Awaitable[Sequence[LedgerRecord]]:
        """Hold the ledger, and return all its records.

        Raises: LedgerError: another run holds it, in this process or another. Only one may, because two would carry out
            the same calls.
        """
        ...

    def append(self, record: LedgerRecord, /) -> Awaitable[None] | None:
        """Add a record. It is whole and durable when this returns, because the step that it tells of follows.

        After a crash within it the record is there or not, and nothing of it is.
        """
        ...

    def close(self) -> None:
        """Let go of the ledger, so that another run may hold it. Called once after `open`, on any thread.

        It must not block. No other method runs.
        """
        ...


class MemoryLedger:
    """A ledger that ends with its process, for tests.

    Args:
        records: those that it has from the start, such as a part of the `records` of another.
    """

    def __init__(self, records: Iterable[LedgerRecord] = ()) -> None:
        self.records: list[LedgerRecord] = _copy([*records])
        """All records, in their order."""
        self._held = False

    async def open(self) -> list[LedgerRecord]:
        """See `Ledger.open`. Raises: LedgerError: another run holds it."""
        if self._held:
            raise LedgerError("expected a ledger that no other run holds, got one of a run that has not ended")
        self._held = True
        return _copy(self.records)

    async def append(self, record: LedgerRecord, /) -> None:
        """See `Ledger.append`."""
        self.records.append(_copy(record))

    def close(self) -> None:
        """See `Ledger.close`."""
        self._held = False


class FileLedger:
    """A file with one line of JSON for each record.

    It survives a crash of the process, and of the machine as far as its disk keeps what `fsync` was called for: each
    record is written and synchronized before the step that it tells of. A last line that was not written whole is
    dropped. The file is made for its owner only (0600), because it holds a conversation; its folder must exist.

    One run at a time holds the file, in all processes, by `flock`. On Windows, and in file systems without locks,
    nothing prevents two.

    Args:
        path: the file of one run. It is made if it is not there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._descriptor: int | None = None
        """Of the open file, while a run holds it."""

    def open(self) -> list[LedgerRecord]:
        """See `Ledger.open`.

        Raises:
            LedgerError: another run holds it, or it is not a ledger: then nothing of it is changed.
            OSError: it cannot be opened.
        """
        is_new = not self.path.exists()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            _lock(descriptor, self.path)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise LedgerError(f"expected a regular file as a ledger, got {self.path}: name another path")
            if is_new:
                _sync_folder(self.path.parent)
            data = _read(descriptor)
            records, length = _records_of(data, self.path)
            if length < len(data):
                os.ftruncate(descriptor, length)
                _sync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return records

    def append(self, record: LedgerRecord, /) -> None:
        """See `Ledger.append`. Raises: OSError: it cannot be written. RuntimeError: it is not open."""
        if self._descriptor is None:
            raise RuntimeError("this ledger is not open: a run opens it")
        # All characters are escaped, because a text of a model may hold half of a surrogate pair.
        line = memoryview(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]
        _sync(self._descriptor)

    def close(self) -> None:
        """See `Ledger.close`."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __repr__(self) -> str:
        return f"FileLedger({str(self.path)!r})"


def as_ledger(value: Any) -> Ledger:
    """The ledger itself. Raises: TypeError: it is none."""
    if isinstance(value, str | os.PathLike):
        raise TypeError(f"expected a ledger, got a path: write FileLedger({os.fspath(cast('Any', value))!r})")
    if isinstance(value, type) or not all(callable(getattr(value, name, None)) for name in ("open", "append", "close")):
        raise TypeError(f"expected a ledger such as FileLedger(path), got {value!r}")
    return cast(Ledger, value)


def _copy(value: Any) -> Any:
    """As it would come back from a file."""
    return json.loads(json.dumps(value))


def _records_of(data: bytes, path: Path) -> tuple[list[LedgerRecord], int]:
    """The records of a file, and the number of its bytes without a last record that is not whole.

    Raises: LedgerError: it is not a ledger.
    """
    lines = data.split(b"\n")
    torn = lines.pop()
    records: list[LedgerRecord] = []
    length = 0
    for number, line in enumerate(lines, 1):
        record = _record_of(line)
        if number == 1 and (record is None or record.get("type") != _FIRST_TYPE):
            raise _no_ledger(path)
        if record is None:
            if number == len(lines) and not torn:
                break  # a machine that crashed may have written the end of a line before its begin
            raise LedgerError(f"expected a JSON object with a type in line {number} of the ledger {path}, got others")
        records.append(record)
        length += len(line) + 1
    if torn and not records:
        begin = json.dumps({"type": _FIRST_TYPE}, separators=(",", ":")).encode()[:-1]
        if torn[: len(begin)].strip(b"\0") != begin[: len(torn)].strip(b"\0") and torn.strip(b"\0"):
            raise _no_ledger(path)
    return records, length


def _no_ledger(path: Path) -> LedgerError:
    return LedgerError(
        f'expected the ledger of a run, whose first line has the type "{_FIRST_TYPE}", got another file: {path}; '
        "name a file that does not exist to begin a run"
    )


def _record_of(line: bytes) -> LedgerRecord | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return cast(LedgerRecord, value) if isinstance(value, dict) and "type" in value else None


def _read(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        return file.read()


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        # On macOS fsync leaves the data in the cache of the disk (its manual page, fsync(2)).
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LedgerError(
            f"expected a ledger that no other run holds, got {path}, which a run of this or another process holds: "
            "wait for its end, or name another file for another run"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
