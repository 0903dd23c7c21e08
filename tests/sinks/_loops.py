"""Threads that emit, and sources that can be paused."""

import threading
from collections.abc import Callable
from contextlib import contextmanager

from rxstream.rx._context import FLOW
from tests.operators._wires import FakeFlow


@contextmanager
def calling(fake_flow: FakeFlow):
    """What is emitted inside comes from a source with this fake_flow."""
    token = FLOW.set(fake_flow)
    try:
        yield
    finally:
        FLOW.reset(token)


def produce(emit: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=emit, daemon=True)
    thread.start()
    return thread
