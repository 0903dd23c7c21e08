"""Virtual time."""

import pytest

from rxstream.testing import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()
