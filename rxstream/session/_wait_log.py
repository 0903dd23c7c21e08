"""Logs what still runs while a session is left."""

from __future__ import annotations

import logging
from collections.abc import Mapping

_log = logging.getLogger("rxstream")


class WaitLog:
    """After `patience` seconds of leaving, log once what is still under way.

    An answer may take minutes, so a stream that is read is logged as INFO. Timers, jobs and paused streams may never
    end by themselves: where nothing else is left, they are logged as WARNING.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._start: float | None = None
        self._stuck_since: float | None = None
        self._logged = 0

    def check(self, now: float, under_way: Mapping[str, int], paused: int) -> None:
        """Take what is under way now."""
        if self._start is None:
            self._start = now
        if under_way["stream"] > paused:
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = now
        is_stuck = self._stuck_since is not None and now - self._stuck_since >= self._patience
        level = logging.WARNING if is_stuck else logging.INFO
        if level <= self._logged or now - self._start < self._patience or not any(under_way.values()):
            return
        self._logged = level
        counts = {
            "stream": under_way["stream"] - paused,
            "paused stream": paused,
            "timer": under_way["timer"],
            "job": under_way["job"],
        }
        parts = [f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count > 0]
        listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
        if level == logging.INFO:
            _log.info("leaving the session waits for %s", listed)
        else:
            _log.warning(
                "leaving the session waits for %s, which may never end: dispose what you do not need "
                "(intervals, streams, what spawn returned), or read your `for` loops to their end",
                listed,
            )
