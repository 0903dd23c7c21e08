"""Threads that emit, and sources that can be paused."""

import threading
from collections.abc import Callable
from contextlib import contextmanager

from rxstream.rx._context import FLOW
from tests.operators._wires import Tap


@contextmanager
def calling(tap: Tap):
    """What is emitted inside comes from a source with this tap."""
    token = FLOW.set(tap)
    try:
        yield
    finally:
        FLOW.reset(token)


def produce(emit: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=emit, daemon=True)
    thread.start()
    return thread
