"""Who called: a task, or a thread, which is not the later one that got its number."""

import threading

from rxstream.rx._loops import Caller, caller
from tests.waiting import BOUND


def test_a_thread_that_has_ended_is_not_the_next_with_its_number() -> None:
    callers: list[Caller] = []
    first = threading.Thread(target=lambda: callers.append(caller()))
    first.start()
    first.join()
    leave = threading.Event()
    others: list[threading.Thread] = []
    while first.ident not in {other.ident for other in others} and len(others) < 200:
        others.append(threading.Thread(target=leave.wait, args=(BOUND,)))
        others[-1].start()
    ended = callers[0].has_ended()
    leave.set()
    for other in others:
        other.join()
    assert ended


def test_a_thread_that_runs_has_not_ended() -> None:
    assert not caller().has_ended()
    assert caller() == caller()
