"""Plain `.sse` files.

A `.sse` file may have a file of the same name ending in `.times` beside it, with lines such as
`18.3 ms off=1131 len=141`. Its bytes arrive at these times; without it, its Frames arrive evenly.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rxstream.errors import ProtocolError, RxStreamError
from rxstream.sse import Decoder, Frame
from rxstream.transport.tape._tape import LONGEST_TIME, Batch

_EVEN_SECONDS = 0.02  # between two Frames whose times are not known
_TIMES = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?) ms (?:off=[0-9]+ len=([0-9]{1,18})|EOF\b.*)\s*")


class SseReader:
    """Read a plain event stream, with the times of its `.times` file if there is one."""

    header: Mapping[str, Any] = {}
    error: RxStreamError | None = None
    left = False

    def __init__(self, times: Sequence[tuple[float, int]], even: bool) -> None:
        self._decoder = Decoder(at_eof="whole_json")
        self._times = deque(time for time in times if time[1])
        self._end = times[-1][0] if times else None
        self._at: float | None = None  # when the bytes being read arrived
        self._left = 0  # how many of them are still to be read
        self._even = even and not times
        self._count = 0
        self.has_times = bool(times)
        self.undamaged: list[Batch] = []
        """What `feed` had read when it raised."""
        self.ended = False

    def feed(self, data: bytes) -> list[Batch]:
        batches: list[Batch] = []
        while data:
            if not self._left:
                # bytes behind the end of the times come with the last ones
                self._at, self._left = self._times.popleft() if self._times else (self._at, len(data))
            batches += self._timed(self._decoder.feed(data[: self._left]))
            used = min(self._left, len(data))
            data = data[used:]
            self._left -= used
        if (failure := self._decoder.failure) is not None:
            self.undamaged = batches
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


def read_times(path: Path) -> list[tuple[float, int]]:
    """When bytes arrived: (seconds, how many), with 0 bytes at the end of the stream."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    times: list[tuple[float, int]] = []
    for line in lines:
        found = _TIMES.fullmatch(line)
        if found is None or float(found[1]) / 1000 > LONGEST_TIME:
            raise ProtocolError(f"{path.name}: expected lines like '18.3 ms off=1131 len=141', got {line!r}")
        times.append((float(found[1]) / 1000, int(found[2] or 0)))
    return times
