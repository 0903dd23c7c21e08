"""What goes wrong over a WebSocket ends as the table says, in time, and leaves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.chaos._faults import Fault
from tests.chaos._socket_faults import ILL, PASSING, WELL
from tests.chaos.test_faults import check, hear_all

websockets = pytest.mark.parametrize("environment", ["with websocket", "asyncio websocket", "trio websocket"])


def checked(environment: str, faults: Mapping[str, Fault], **options: Any) -> None:
    check(faults, *hear_all(environment, faults, transport="websocket", **options), method="GET")


@websockets
def test_what_changes_nothing(environment: str) -> None:
    checked(environment, WELL)


@websockets
def test_what_ends_with_an_error(environment: str) -> None:
    checked(environment, ILL)


@websockets
def test_what_passes(environment: str) -> None:
    checked(environment, PASSING, max_retries=2)
