"""Why a session cannot be left yet, for those who wonder why their program does not end."""

from __future__ import annotations

import logging
from collections.abc import Mapping

_log = logging.getLogger("rxstream")


class Waiting:
    """Look at what is under way while a session is left; tell the log once, after `patience` seconds.

    A stream that is read is what a session is left for: an answer may take its minutes, so that is no more than an
    INFO. Timers, jobs and paused streams may never end by themselves. Where nothing else is left, it is a WARNING.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._began: float | None = None
        self._stuck: float | None = None
        self._told = 0

    def look(self, now: float, under_way: Mapping[str, int], paused: int) -> None:
        """Note what is under way now."""
        if self._began is None:
            self._began = now
        reading = under_way["stream"] > paused
        if reading:
            self._stuck = None
        elif self._stuck is None:
            self._stuck = now
        level = logging.WARNING if self._stuck is not None and now - self._stuck >= self._patience else logging.INFO
        if level <= self._told or now - self._began < self._patience or not any(under_way.values()):
            return
        self._told = level
        counts = {
            "stream": under_way["stream"] - paused,
            "paused stream": paused,
            "timer": under_way["timer"],
            "job": under_way["job"],
        }
        said = [f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count > 0]
        listed = " and ".join(filter(None, (", ".join(said[:-1]), said[-1])))
        if level == logging.INFO:
            _log.info("leaving the session waits for %s", listed)
        else:
            _log.warning(
                "leaving the session waits for %s, which may never end: dispose what you do not need "
                "(intervals, streams, what spawn returned), or read the loops that you opened",
                listed,
            )
