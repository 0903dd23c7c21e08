"""Tapes and plain `.sse` files, played and read."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

import anyio
import anyio.lowlevel
import anyio.to_thread

from rxstream.errors import ProtocolError, RxStreamError
from rxstream.errors._redaction import hide
from rxstream.sse import Frame
from rxstream.transport._base import Request, Wire
from rxstream.transport.tape._sse_file import SseReader, read_times
from rxstream.transport.tape._tape import FORMATS, Batch, TapeReader

_READ = 64 * 1024
_START = 64  # the format is recognised by so many bytes, or by the first line
_SSE_START = re.compile(rb"(?:\xef\xbb\xbf)?(?:[\r\n]|:|(?:event|data|id|retry)[:\r\n]|$)")

PathOrFile = str | os.PathLike[str] | IO[bytes] | IO[str]


@dataclass(frozen=True, slots=True)
class Tape:
    """A whole tape, read into memory."""

    header: Mapping[str, Any]
    """The first line; empty for a plain `.sse` file."""
    batches: Sequence[Batch]
    error: RxStreamError | None
    """The error that the stream ended with; None where it ended normally, or its reader stopped."""
    ended_at: float | None = None
    """The time of the end, in seconds since the request; None where it is not known."""
    left: bool = False
    """Whether the reader stopped before the end of the stream."""
    has_times: bool = True
    """False for an `.sse` file without `.times`: the times are then made up, 20 ms from one Frame to the next."""

    @property
    def frames(self) -> list[Frame]:
        """All Frames, in order."""
        return [frame for batch in self.batches for frame in batch.frames]


def read_tape(file: PathOrFile) -> Tape:
    """Read a whole tape: a path, `-` for standard input, or an open file.

    Raises:
        ProtocolError: the file is neither a tape nor an `.sse` file.
        OSError: the file cannot be read.
    """
    tape, damage = _read(file)
    if damage is not None:
        raise damage
    return tape


def read_damaged_tape(file: PathOrFile) -> Tape:
    """As `read_tape`; but where the file is damaged behind its first Frame, the tape ends there with that error.

    Raises:
        ProtocolError: the file is neither a tape nor an `.sse` file.
        OSError: the file cannot be read.
    """
    tape, damage = _read(file)
    if damage is not None and not tape.batches:
        raise damage
    return replace(tape, error=damage) if damage is not None else tape


def _read(file: PathOrFile) -> tuple[Tape, RxStreamError | None]:
    """The tape, and the error of a file that cannot be read to its end."""
    damage: RxStreamError | None = None
    batches: list[Batch] = []
    with _TapeFile(file) as source:
        reader = source.reader()
        try:
            while data := source.read():
                batches += reader.feed(data)
            batches += reader.finish()
        except RxStreamError as error:
            damage = error
            batches += reader.undamaged
    at = batches[-1].at if batches else None
    whole = [batch for batch in batches if batch.frames]
    return Tape(reader.header, whole, reader.error, at, reader.left, reader.has_times), damage


class TapeTransport:
    """Play a tape: it answers every request.

    Args:
        file: a path, `-` for standard input, or a file open for reading, which stays open. A pipe is played as its
            bytes come, and only once.
        speed: 1.0 keeps the times of the recording, 2.0 is twice as fast, None does not wait at all.

    Raises:
        ValueError: `speed` is not above 0.
        OSError: there is no such file.
    """

    def __init__(self, file: PathOrFile, *, speed: float | None = 1.0) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed must be more than 0, or None for as fast as possible, got {speed}")
        if isinstance(file, str | os.PathLike) and file != "-":
            os.stat(file)
        self._file = file
        self._speed = speed
        self._played = False

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Play the tape from its start, whatever the request is. See `Transport.open`.

        Raises:
            ProtocolError: the file is neither a tape nor an `.sse` file, or a pipe that was played before.
            DisconnectedError: from the iteration: the tape has no last line.
            RxStreamError: from the iteration: the error that the recorded stream ended with.
        """
        if self._played and not isinstance(self._file, str | os.PathLike):
            raise ProtocolError("an open file or a pipe can be played only once: pass a path to play it again")
        self._played = self._file == "-" or not isinstance(self._file, str | os.PathLike)
        try:
            source = _TapeFile(self._file)
        except OSError as error:
            name = f"{error.filename}: " if error.filename else ""
            raise ProtocolError(f"{name}the tape cannot be read: {error.strerror or error}") from error
        with source:
            async with aclosing(self._play(source)) as batches:
                yield Wire(batches)

    async def _play(self, source: _TapeFile) -> AsyncGenerator[Sequence[Frame], None]:
        reader = source.reader()
        start = anyio.current_time()
        while not reader.ended:
            data = await source.read_async()
            batches = reader.feed(data) if data else reader.finish()
            if self._speed is None:
                await anyio.lowlevel.checkpoint()
                if frames := [frame for batch in batches for frame in batch.frames]:
                    yield frames
                continue
            for at, frames in batches:
                await anyio.sleep_until(start + (at or 0.0) / self._speed)
                if frames:
                    yield frames
        if reader.error is not None:
            raise reader.error


class _AnyReader:
    """Read a tape or an `.sse` file; the first bytes tell which."""

    def __init__(self, name: str, times: Sequence[tuple[float, int]], even: bool) -> None:
        self._name = name
        self._times = times
        self._even = even
        self._start = b""
        self._chosen: TapeReader | SseReader | None = None

    @property
    def header(self) -> Mapping[str, Any]:
        return self._chosen.header if self._chosen else {}

    @property
    def ended(self) -> bool:
        return self._chosen is not None and self._chosen.ended

    @property
    def error(self) -> RxStreamError | None:
        return self._chosen.error if self._chosen else None

    @property
    def left(self) -> bool:
        return self._chosen is not None and self._chosen.left

    @property
    def undamaged(self) -> list[Batch]:
        return self._chosen.undamaged if self._chosen else []

    @property
    def has_times(self) -> bool:
        return self._chosen is None or self._chosen.has_times

    def feed(self, data: bytes) -> list[Batch]:
        if self._chosen is None:
            self._start += data
            if len(self._start) < _START and b"\n" not in self._start:
                return []
            self._chosen, data = self._choose(), self._start
        return self._chosen.feed(data)

    def finish(self) -> list[Batch]:
        if self._chosen is None:
            self._chosen = self._choose()
            return [*self._chosen.feed(self._start), *self._chosen.finish()]
        return self._chosen.finish()

    def _choose(self) -> TapeReader | SseReader:
        if self._start.startswith(b"{"):
            return TapeReader(self._name)
        if _SSE_START.match(self._start):
            return SseReader(self._times, self._even)
        raise ProtocolError(
            f"{self._name}: expected {FORMATS}, got {hide(self._start.decode('utf-8', 'replace'))[:20]!r}"
        )


class _TapeFile:
    """A tape's file or pipe. Raises: OSError where it cannot be read."""

    def __init__(self, file: PathOrFile) -> None:
        self._stack = ExitStack()
        self._times: list[tuple[float, int]] = []
        opened: IO[bytes] | IO[str]
        if isinstance(file, str | os.PathLike) and file != "-":
            path = Path(file)
            self._name = path.name
            self._times = read_times(path.with_suffix(".times")) if path.suffix == ".sse" else []
            opened = self._stack.enter_context(path.open("rb"))
        else:
            opened = sys.stdin if isinstance(file, str | os.PathLike) else file
            name = getattr(opened, "name", None)
            self._name = name if isinstance(name, str) else "the tape"
        opened = getattr(opened, "buffer", opened)  # the bytes of a text file; a StringIO has none
        self._read: Callable[[int], bytes | str] = getattr(opened, "read1", opened.read)
        self._stored = opened.seekable()
        # The loop waits for a pipe: a thread that is blocked in a read could not be cancelled, nor the file be closed.
        self._pipe: int | None = None
        if not self._stored:
            with suppress(OSError):
                self._pipe = opened.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reader(self) -> _AnyReader:
        # A pipe has times of its own.
        return _AnyReader(self._name, self._times, even=self._stored)

    def read(self) -> bytes:
        """The next bytes, as soon as there are any; none at the end."""
        data = self._read(_READ)
        return data.encode() if isinstance(data, str) else data

    async def read_async(self) -> bytes:
        """As `read`, but does not block the loop while a pipe is empty."""
        if self._stored:
            return self.read()
        if self._pipe is not None:
            try:
                await anyio.wait_readable(self._pipe)
            except (OSError, NotImplementedError):  # on Windows the loops can wait for sockets only
                self._pipe = None
            else:
                return os.read(self._pipe, _READ)
        return await anyio.to_thread.run_sync(self.read, abandon_on_cancel=True)
