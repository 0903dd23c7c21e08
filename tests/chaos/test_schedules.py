"""Seeded schedules of faults: exactly once with resuming, at most once and an error without.

In virtual time connections are slow and fall silent too.

`python -m tests.proof.fault_schedules` tries more of them.
"""

from __future__ import annotations

import logging

import pytest

from tests.chaos._schedules import VIRTUAL_TIME, FaultyServer, at_most_once, exactly_once, heard_of
from tests.thinned import tries

REAL = range(tries(30, 60))
SEEDS = {"with": REAL, "asyncio": REAL, "trio": REAL, VIRTUAL_TIME: range(tries(100, 250))}

places = pytest.mark.parametrize("mode", SEEDS)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "rxstream")  # lost events and further tries are reported


def server_in(mode: str, *, closes: bool = False) -> FaultyServer:
    return FaultyServer(closes=closes, seconds=2.0 if mode == VIRTUAL_TIME else 0.0)


@places
def test_exactly_the_uncut_sequence(mode: str) -> None:
    server = server_in(mode)
    heard = heard_of(SEEDS[mode], server, mode)
    assert [*exactly_once(server, heard)] == []
    assert len(server.polled) < len(SEEDS[mode]) / 2


@places
def test_with_a_window_that_closes_the_answer_is_the_same(mode: str) -> None:
    server = server_in(mode, closes=True)
    heard = heard_of(SEEDS[mode], server, mode)
    assert [*exactly_once(server, heard)] == []
    assert len(server.polled) > len(SEEDS[mode]) / 4


@places
def test_without_resuming_at_most_once_and_an_error(mode: str) -> None:
    server = server_in(mode)
    heard = heard_of(SEEDS[mode], server, mode, resume=False)
    assert [*at_most_once(server, heard)] == []
    assert sum(bool(each.errors) for each in heard.values()) > len(SEEDS[mode]) / 2
