"""How long a failed request waits for its next try."""

from __future__ import annotations

import pytest

from rxstream.errors import ConnectError, StatusError
from rxstream.timing._backoff import Backoff

BACKOFF = Backoff(3, lambda: 0.0)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_wait_that_is_none_is_not_taken_from_the_server(seconds: float) -> None:
    error = StatusError("busy", status=429, retry_after=seconds)
    assert [BACKOFF.delay(error, tries) for tries in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, None]


def test_the_wait_of_the_server_is_respected() -> None:
    assert BACKOFF.delay(StatusError("busy", status=429, retry_after=7.5), 1) == 7.5


def test_what_cannot_help_is_not_tried_again() -> None:
    assert BACKOFF.delay(ConnectError("refused"), 1) == 0.5
    assert BACKOFF.delay(ConnectError("not trusted", should_retry=False), 1) is None
