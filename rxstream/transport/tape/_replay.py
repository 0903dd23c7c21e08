"""Tapes and plain `.sse` files, played and read.

Where a file of the same name ending in `.times` lies beside a `.sse` file (lines such as `18.3 ms off=1131 len=141`),
its bytes arrive as it says; else its Frames arrive evenly.
"""

from __future__ import annotations

import os
import re
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import anyio
import anyio.lowlevel
import anyio.to_thread

from rxstream.errors import ProtocolError, RxStreamError
from rxstream.sse import Decoder, Frame
from rxstream.transport._base import Request, Wire
from rxstream.transport.tape._tape import FORMATS, Batch, TapeReader

_READ = 64 * 1024
_START = 64  # as many bytes, or a line, tell what a file is
_EVEN_SECONDS = 0.02  # between two Frames, where nothing tells their times
_SSE_START = re.compile(rb"(?:\xef\xbb\xbf)?(?:[\r\n]|:|(?:event|data|id|retry)[:\r\n]|$)")
_TIMES = re.compile(r"\s*([0-9.]+) ms (?:off=[0-9]+ len=([0-9]+)|EOF\b.*)\s*")

PathOrFile = str | os.PathLike[str] | IO[bytes] | IO[str]


@dataclass(frozen=True, slots=True)
class Tape:
    """A tape that was read as a whole."""

    header: Mapping[str, Any]
    """The first line; empty for a plain `.sse` file."""
    batches: Sequence[Batch]
    error: RxStreamError | None
    """What the wire ended with; None where it closed politely, or its reader left."""

    @property
    def frames(self) -> list[Frame]:
        """All Frames, in order."""
        return [frame for batch in self.batches for frame in batch.frames]


def read_tape(file: PathOrFile) -> Tape:
    """Read a whole tape: a path, `-` for standard input, or an open file.

    Raises:
        ProtocolError: the file is no tape; the text names what is read.
        OSError: the file cannot be read.
    """
    with _Source(file) as source:
        reader = source.reader()
        batches: list[Batch] = []
        while data := source.read():
            batches += reader.feed(data)
        batches += reader.finish()
    return Tape(reader.header, [batch for batch in batches if batch.frames], reader.error)


class TapeTransport:
    """Play a tape: every request is answered by what was recorded.

    Args:
        file: a path, `-` for standard input, or a file open for reading, which stays open. What is no regular file
            is played as it comes, and only once.
        speed: 1.0 keeps the times of the recording, 2.0 is twice as fast, None does not wait at all.

    Raises:
        ValueError: a speed that is none.
        OSError: there is no such file.
    """

    def __init__(self, file: PathOrFile, *, speed: float | None = 1.0) -> None:
        if speed is not None and not 0 < speed < float("inf"):
            raise ValueError(f"speed must be more than 0, or None for as fast as possible, not {speed}")
        if isinstance(file, str | os.PathLike) and file != "-":
            os.stat(file)
        self._file = file
        self._speed = speed
        self._played = False

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Play the tape from its start, whatever is asked. See `Transport.open`.

        Raises:
            ProtocolError: the file is no tape, or a pipe that was played before.
            DisconnectedError: from the iteration: the tape was cut.
            RxStreamError: from the iteration: the error that the recorded stream ended with.
        """
        if self._played and not isinstance(self._file, str | os.PathLike):
            raise ProtocolError("an open file or a pipe can be played only once: give a path to play it again")
        self._played = self._file == "-" or not isinstance(self._file, str | os.PathLike)
        try:
            source = _Source(self._file)
        except OSError as error:
            raise ProtocolError(f"the tape cannot be read: {error.strerror or error}") from error
        with source:
            async with aclosing(self._play(source)) as batches:
                yield Wire(batches)

    async def _play(self, source: _Source) -> AsyncGenerator[Sequence[Frame], None]:
        reader = source.reader()
        start = anyio.current_time()
        while not reader.ended:
            data = await source.read_soon()
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


class _SseReader:
    """Read a plain event stream, with the times beside it if there are any."""

    header: Mapping[str, Any] = {}
    error: RxStreamError | None = None

    def __init__(self, times: Sequence[tuple[float, int]], even: bool) -> None:
        self._decoder = Decoder(at_eof="whole_json")
        self._times = deque(time for time in times if time[1])
        self._end = times[-1][0] if times else None
        self._at: float | None = None  # when the bytes being read arrived
        self._left = 0  # how many of them are still to be read
        self._even = even and not times
        self._count = 0
        self.ended = False

    def feed(self, data: bytes) -> list[Batch]:
        batches: list[Batch] = []
        while data:
            if not self._left:
                # what the times do not cover comes with the last bytes that they do
                self._at, self._left = self._times.popleft() if self._times else (self._at, len(data))
            batches += self._timed(self._decoder.feed(data[: self._left]))
            used = min(self._left, len(data))
            data = data[used:]
            self._left -= used
        if (failure := self._decoder.failure) is not None:
            raise failure
        return batches

    def finish(self) -> list[Batch]:
        self.ended = True
        if self._end is not None:
            self._at = self._end
        whole = self._decoder.close()
        return [*self._timed(whole), Batch(self._at, ())]

    def _timed(self, frames: list[Frame]) -> list[Batch]:
        if not self._even:
            return [Batch(self._at, frames)] if frames else []
        self._count += len(frames)
        first = self._count - len(frames)
        return [Batch((first + i) * _EVEN_SECONDS, [frame]) for i, frame in enumerate(frames)]


class _Reader:
    """Read a tape of either kind; its first bytes tell which."""

    def __init__(self, name: str, times: Sequence[tuple[float, int]], even: bool) -> None:
        self._name = name
        self._times = times
        self._even = even
        self._start = b""
        self._chosen: TapeReader | _SseReader | None = None

    @property
    def header(self) -> Mapping[str, Any]:
        return self._chosen.header if self._chosen else {}

    @property
    def ended(self) -> bool:
        return self._chosen is not None and self._chosen.ended

    @property
    def error(self) -> RxStreamError | None:
        return self._chosen.error if self._chosen else None

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

    def _choose(self) -> TapeReader | _SseReader:
        if self._start.startswith(b"{"):
            return TapeReader(self._name)
        if _SSE_START.match(self._start):
            return _SseReader(self._times, self._even)
        raise ProtocolError(f"{self._name} is no tape: what is read is {FORMATS}")


class _Source:
    """The bytes of a tape, wherever they are kept. Raises: OSError where they cannot be read."""

    def __init__(self, file: PathOrFile) -> None:
        self._stack = ExitStack()
        self._times: list[tuple[float, int]] = []
        opened: IO[bytes] | IO[str]
        if isinstance(file, str | os.PathLike) and file != "-":
            path = Path(file)
            self._name = path.name
            self._times = _read_times(path.with_suffix(".times")) if path.suffix == ".sse" else []
            opened = self._stack.enter_context(path.open("rb"))
        else:
            opened = sys.stdin if isinstance(file, str | os.PathLike) else file
            name = getattr(opened, "name", None)
            self._name = name if isinstance(name, str) else "the tape"
        opened = getattr(opened, "buffer", opened)  # the bytes of a text file; a StringIO has none
        self._read: Callable[[int], bytes | str] = getattr(opened, "read1", opened.read)
        self._stored = opened.seekable()
        # A pipe is waited for by the loop: a thread that hangs in a read could neither be left nor the file be closed.
        self._pipe: int | None = None
        if not self._stored:
            with suppress(OSError):
                self._pipe = opened.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def reader(self) -> _Reader:
        # What is piped in comes at its own pace.
        return _Reader(self._name, self._times, even=self._stored)

    def read(self) -> bytes:
        """The next bytes, as soon as there are any; none at the end."""
        data = self._read(_READ)
        return data.encode() if isinstance(data, str) else data

    async def read_soon(self) -> bytes:
        """As `read`, without holding up the loop for what a pipe has not yet brought."""
        if self._stored:
            return self.read()
        if self._pipe is not None:
            try:
                await anyio.wait_readable(self._pipe)
            except (OSError, NotImplementedError):  # the loops of Windows wait for sockets alone
                self._pipe = None
            else:
                return os.read(self._pipe, _READ)
        return await anyio.to_thread.run_sync(self.read, abandon_on_cancel=True)


def _read_times(path: Path) -> list[tuple[float, int]]:
    """When which bytes arrived: (seconds, how many); none of them, at the end."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    times: list[tuple[float, int]] = []
    for line in lines:
        if not (found := _TIMES.fullmatch(line)):
            raise ProtocolError(f"{path.name} is no list of times: a line is like '18.3 ms off=1131 len=141'")
        times.append((float(found[1]) / 1000, int(found[2] or 0)))
    return times
