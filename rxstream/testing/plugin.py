"""Fixtures for pytest: `rxstream_server` and `rxstream_clock`. Installing rxstream makes them available.

pytest loads this file at every start, also without a test that uses a fixture. So a fixture imports what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rxstream.testing import LocalServer, VirtualClock


@pytest.fixture
def rxstream_server() -> Iterator[LocalServer]:
    """A running local Responses API server, new for each test; `rxstream_server.say(…)` scripts it."""
    from rxstream.testing import LocalServer

    with LocalServer() as server:
        yield server


@pytest.fixture
def rxstream_clock() -> VirtualClock:
    """A clock in virtual time, new for each test."""
    from rxstream.testing import VirtualClock

    return VirtualClock()
