"""Disposed at random moments, and many times: the server sees the close, nothing is notified, nothing is left.

`python -m tests.proof.disposals` tries more moments and more cycles.
"""

from __future__ import annotations

from tests.chaos._disposals import cycles, disposed_at_random
from tests.chaos._environments import environments
from tests.chaos.test_socket_faults import websockets

MOMENTS = 20


@environments
def test_at_random_moments(environment: str) -> None:
    wrong, _ = disposed_at_random(environment, MOMENTS, seed=1)
    assert wrong == []


@websockets
def test_at_random_moments_over_a_websocket(environment: str) -> None:
    wrong, _ = disposed_at_random(environment, MOMENTS, seed=2)
    assert wrong == []


@environments
def test_cycles(environment: str) -> None:
    wrong, descriptors, _ = cycles(environment, 40)
    assert wrong == []
    assert descriptors <= 2  # a connection that is closing


@websockets
def test_cycles_over_a_websocket(environment: str) -> None:
    wrong, descriptors, _ = cycles(environment, 40)
    assert wrong == []
    assert descriptors <= 2
