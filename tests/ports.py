"""Ports for servers that a test starts by number, or that must not listen.

The system gives the ports that it chooses itself (port 0) from 32768 upwards on Linux, and higher elsewhere. A port
of there that is free now belongs to another test's server a moment later. These lie below, and each process of the
tests has a range of its own.
"""

from __future__ import annotations

import itertools
import os
import socket

_RANGE = 1_000
_FIRST = 20_000 + _RANGE * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12)

_next = itertools.cycle(range(_FIRST, _FIRST + _RANGE))


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens, and that no other test gets while this one runs."""
    for port in itertools.islice(_next, _RANGE):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port from {_FIRST} to {_FIRST + _RANGE - 1}")
