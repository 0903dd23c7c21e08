"""Fixtures for pytest, there as soon as rxstream is installed: `rxstream_server` and `rxstream_clock`.

pytest loads this file at every start, also where no test ever asks for a fixture: so it imports nothing until one does.
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
