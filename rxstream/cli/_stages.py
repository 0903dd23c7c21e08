"""The stages of the stream that is printed, live on the last lines of the terminal, and once at the end."""

from __future__ import annotations

import shutil
import threading
from types import TracebackType
from typing import Self

from rxstream.cli._terminal import print_dim, write_controls
from rxstream.probes import StageSnapshot, snapshot

_HEADINGS = ("stage", "state", "in", "out", "held", "dropped", "latency", "paused", "silence")
_LINES = 3
"""The headings and two stages."""

_EVERY = 0.25


class LiveStages:
    """Where stderr is a terminal, its last lines show the stages while the block runs. All else scrolls above them.

    The terminal itself keeps the two apart, by its scrolling region (DECSTBM), as `apt` does for its progress bar.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._rows = 0
        """Of the terminal, when its region was set."""

    def __enter__(self) -> Self:
        if write_controls("\n" * _LINES + f"\x1b[{_LINES}A"):
            self._draw()
            self._thread = threading.Thread(target=self._run, name="rxstream stages", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            write_controls(f"\x1b7\x1b[r\x1b[{self._rows - _LINES + 1};1H\x1b[J\x1b8")
        for line in table():
            print_dim(line)

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY):
            self._draw()

    def _draw(self) -> None:
        columns, self._rows = shutil.get_terminal_size()
        top = self._rows - _LINES
        if top < 1:
            return
        lines = "".join(
            f"\x1b[{row};1H\x1b[2K\x1b[2m{line[: columns - 1]}\x1b[0m" for row, line in enumerate(table(), top + 1)
        )
        write_controls(f"\x1b7\x1b[1;{top}r{lines}\x1b8")


def table() -> list[str]:
    """The stages of the newest stream, a line each, below their headings."""
    streams = snapshot()
    rows = [_HEADINGS, *(_cells(stage) for stage in (streams[-1].stages if streams else ()))][:_LINES]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines: list[str] = []
    for row in rows:
        name, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join((name, *others)).rstrip())
    return lines


def _cells(stage: StageSnapshot) -> tuple[str, ...]:
    return (
        stage.name,
        stage.state if stage.error is None else f"{stage.state} ({stage.error})",
        f"{stage.events_in:,}",
        f"{stage.events_out:,}",
        "" if stage.held is None else f"{stage.held:,}",
        "" if stage.dropped is None else f"{stage.dropped:,}",
        "" if stage.latency is None else f"{stage.latency * 1000:.0f} ms",
        f"{stage.pauses} x, {stage.paused:.1f} s" if stage.pauses else "",
        f"{stage.silence:.1f} s" if stage.state == "running" else "",
    )
