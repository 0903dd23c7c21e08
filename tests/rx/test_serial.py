"""One notification after another: the queue, the lifecycle, the dispose and the error rule of `Serial`."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from reactivex.disposable import Disposable

from rxstream.rx._context import FLOW, RUNTIME
from rxstream.rx._serial import ACTIVE, DISPOSED, DRAINING, ENDED, ENDING, RAISED, SOURCE_ENDED, Serial
from tests.operators._wires import FakeFlow, Seen
from tests.waiting import BOUND


class Rig:
    """A `Serial` with an observer that does what a test says, and a record of what was let go."""

    def __init__(self, do: Callable[[Any], object] = lambda value: None) -> None:
        self.closed = 0
        self.left = False
        self.on_close: Callable[[], object] = lambda: None

        class Observer(Seen):
            def on_next(self, value: Any) -> None:
                super().on_next(value)
                do(value)

        self.seen = Observer()
        self.serial: Serial[Any] = Serial(self.seen, self.close)

        def leave() -> None:
            self.left = True

        self.serial.source.disposable = Disposable(leave)

    def close(self) -> None:
        self.closed += 1
        self.on_close()

    def say(self, *values: Any) -> None:
        """A step that emits."""
        self.serial.emit(values)

    def feed(self, *values: Any) -> None:
        self.serial.feed(self.say, *values)


def raise_(error: BaseException) -> None:
    raise error


# ---------------------------------------------------------------------- one after another


def test_a_step_runs_at_once_where_nobody_is_at_work():
    rig = Rig()
    rig.feed(1, 2)
    assert rig.seen.values == [1, 2]
    assert rig.serial.state is ACTIVE


def test_what_the_observer_feeds_comes_after_the_outputs_of_the_step_that_runs():
    rig = Rig(lambda value: rig.feed(value * 10, value * 10 + 1) if value < 10 else None)
    rig.feed(1, 2)
    assert rig.seen.values == [1, 2, 10, 11, 20, 21]


def test_steps_from_other_threads_wait_for_the_one_that_runs():
    threads: set[int] = set()

    def from_another_thread(value: Any) -> None:
        threads.add(threading.get_ident())
        if value == 1:
            thread = threading.Thread(target=rig.feed, args=(3,))
            thread.start()
            thread.join(BOUND)
            assert not thread.is_alive()

    rig = Rig(from_another_thread)
    rig.feed(1, 2)
    assert rig.seen.values == [1, 2, 3]
    assert threads == {threading.get_ident()}


def test_no_two_notifications_overlap_and_each_thread_keeps_its_order():
    inside: list[int] = []

    def on_next(value: Any) -> None:
        inside.append(1)
        assert len(inside) == 1
        inside.pop()

    rig = Rig(on_next)
    threads = [
        threading.Thread(target=lambda name=name: [rig.feed((name, number)) for number in range(300)])
        for name in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    assert len(rig.seen.values) == 1200
    for name in range(4):
        assert [number for by, number in rig.seen.values if by == name] == list(range(300))


def test_one_that_takes_by_itself_is_at_work_until_it_is_given_none():
    rig = Rig()
    assert rig.serial.put(rig.say, 1)
    assert not rig.serial.put(rig.say, 2)
    rig.feed(3)
    assert rig.seen.values == []
    while (next_step := rig.serial.take()) is not None:
        step, args = next_step
        step(*args)
    assert rig.seen.values == [1, 2, 3]
    rig.feed(4)
    assert rig.seen.values == [1, 2, 3, 4]


# ---------------------------------------------------------------------- the end


@pytest.mark.parametrize("error", [None, ValueError()])
def test_the_end_is_told_at_once_where_nobody_is_at_work(error: Exception | None):
    rig = Rig()
    assert rig.serial.end(error)
    assert (rig.seen.completed, rig.seen.error) == (error is None, error)
    assert rig.serial.state is ENDED
    assert rig.left
    assert rig.closed


def test_nothing_is_delivered_after_the_end_and_no_second_one_is_told():
    rig = Rig()
    rig.serial.end()
    rig.feed(1)
    rig.serial.feed_from_timer(rig.say, 2)
    assert not rig.serial.put(rig.say, 3)
    assert not rig.serial.emit([4])
    assert not rig.serial.end(ValueError())
    rig.serial.dispose()
    assert rig.seen.values == []
    assert rig.seen.error is None
    assert rig.serial.state is ENDED


def test_an_end_in_a_step_is_told_after_it_and_drops_what_waits():
    rig = Rig()
    error = ValueError()

    def step() -> None:
        rig.feed("dropped")
        rig.say("first")
        rig.serial.end(error)
        assert rig.serial.state is ENDING
        assert not rig.seen.over
        assert not rig.serial.emit(["too late"])

    rig.serial.feed(step)
    assert rig.seen.values == ["first"]
    assert rig.seen.error is error


def test_an_end_that_drains_comes_after_what_waits_and_takes_no_more():
    rig = Rig()

    def step() -> None:
        rig.feed("waits")
        rig.serial.end(drain=True)
        rig.feed("too late")
        assert rig.serial.state is DRAINING
        assert rig.left
        assert rig.closed

    rig.serial.feed(step)
    assert rig.seen.values == ["waits"]
    assert rig.seen.completed


def test_another_end_cuts_the_draining_short_and_keeps_the_first_error():
    rig = Rig()
    first = ValueError()
    rig.serial.put(rig.say, 1)
    assert rig.serial.end(first, drain=True)
    assert not rig.serial.end(LookupError())
    assert rig.serial.state is ENDING
    assert rig.serial.take() is None
    assert rig.seen.values == []
    assert rig.seen.error is first


def test_an_end_is_told_by_its_caller_where_who_was_at_work_was_cancelled():
    rig = Rig()
    rig.serial.put(rig.say, 1)
    rig.serial.stop_working()
    rig.serial.end(error := ValueError())
    assert rig.seen.error is error


def test_after_the_end_of_the_source_late_steps_still_emit():
    rig = Rig()
    rig.serial.source_ended()
    assert rig.serial.state is SOURCE_ENDED
    rig.serial.feed_from_timer(rig.say, 1)
    rig.serial.end()
    assert rig.seen.values == [1]
    assert rig.seen.completed


# ---------------------------------------------------------------------- dispose


def test_dispose_in_on_next_stops_the_step_and_drops_what_waits():
    def on_next(value: Any) -> None:
        rig.feed("waits")
        assert rig.serial.dispose()

    rig = Rig(on_next)
    rig.feed(1, 2)
    rig.feed(3)
    assert rig.seen.values == [1]
    assert not rig.seen.over
    assert rig.serial.state is DISPOSED
    assert rig.left
    assert rig.closed


def test_dispose_while_it_drains_drops_what_waits_and_the_end():
    rig = Rig()
    rig.serial.put(rig.say, 1)
    rig.serial.end(drain=True)
    assert rig.serial.dispose()
    assert rig.serial.take() is None
    assert rig.seen.values == []
    assert not rig.seen.over


def test_dispose_is_told_apart_from_one_that_comes_when_all_is_over():
    rig = Rig()
    assert rig.serial.dispose()
    assert not rig.serial.dispose()


def test_dispose_from_another_thread_returns_when_no_on_next_runs():
    begun, go_on, order = threading.Event(), threading.Event(), []

    def on_next(value: Any) -> None:
        begun.set()
        assert go_on.wait(5)
        order.append("delivered")

    rig = Rig(on_next)
    thread = threading.Thread(target=rig.feed, args=(1,))
    thread.start()
    assert begun.wait(5)
    rig.on_close = go_on.set
    rig.serial.dispose()
    order.append("disposed")
    thread.join(BOUND)
    assert order == ["delivered", "disposed"]


def test_dispose_on_the_thread_of_the_loop_does_not_wait():
    class Runtime:
        def on_loop_thread(self) -> bool:
            return True

        def was_forked(self) -> bool:
            return False

    begun, go_on = threading.Event(), threading.Event()

    def on_next(value: Any) -> None:
        begun.set()
        assert go_on.wait(5)

    token = RUNTIME.set(Runtime())  # type: ignore[arg-type]
    rig = Rig(on_next)
    RUNTIME.reset(token)
    thread = threading.Thread(target=rig.feed, args=(1,))
    thread.start()
    assert begun.wait(5)
    rig.serial.dispose()
    assert thread.is_alive()
    go_on.set()
    thread.join(BOUND)


# ---------------------------------------------------------------------- an observer that raises


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_what_the_observer_raises_in_a_value_goes_up_to_the_source(error: BaseException):
    rig = Rig(lambda value: raise_(error))
    with pytest.raises(type(error)):
        rig.feed(1, 2)
    rig.feed(3)
    rig.serial.feed_from_timer(rig.say, 4)
    assert rig.seen.values == [1]
    assert not rig.seen.over
    assert rig.serial.state is RAISED
    assert rig.closed
    assert not rig.left


def test_after_that_the_source_may_still_tell_its_end():
    rig = Rig(lambda value: raise_(ValueError("mine")))
    with pytest.raises(ValueError, match="mine") as raised:
        rig.feed(1)
    assert rig.serial.end(raised.value)
    assert rig.seen.error is raised.value


def test_what_the_observer_raises_in_a_late_step_is_its_error():
    mine = ValueError("mine")
    rig = Rig(lambda value: raise_(mine))
    rig.serial.flow = fake_flow = FakeFlow()
    rig.serial.feed_from_timer(rig.say, 1)
    assert rig.seen.error is mine
    assert rig.left
    assert fake_flow.aborted is None


def test_what_the_observer_raises_in_a_late_step_may_go_by_way_of_the_source():
    mine = ValueError("mine")
    rig = Rig(lambda value: raise_(mine))
    rig.serial.aborts, rig.serial.flow = True, (fake_flow := FakeFlow())
    rig.serial.feed_from_timer(rig.say, 1)
    assert fake_flow.aborted is mine
    assert not rig.seen.over
    assert not rig.left
    rig.serial.end(fake_flow.aborted)
    assert rig.seen.error is mine


def test_it_does_not_go_by_way_of_a_source_that_has_ended():
    mine = ValueError("mine")
    rig = Rig(lambda value: raise_(mine))
    rig.serial.aborts, rig.serial.flow = True, (fake_flow := FakeFlow())
    rig.serial.source_ended()
    rig.serial.feed_from_timer(rig.say, 1)
    assert fake_flow.aborted is None
    assert rig.seen.error is mine


def test_what_it_raises_at_the_end_is_raised():
    rig = Rig()
    mine = ValueError("mine")
    rig.seen.on_completed = lambda: raise_(mine)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="mine"):
        rig.serial.feed_from_timer(rig.serial.end)
    assert rig.seen.error is None


def test_what_it_raises_after_it_left_is_raised():
    def on_next(value: Any) -> None:
        rig.serial.dispose()
        raise ValueError("mine")

    rig = Rig(on_next)
    with pytest.raises(ValueError, match="mine"):
        rig.serial.feed_from_timer(rig.say, 1)
    assert rig.seen.error is None


# ---------------------------------------------------------------------- flow


def test_who_pauses_in_a_late_step_pauses_the_source():
    flows: list[Any] = []
    rig = Rig(lambda value: flows.append(FLOW.get()))
    rig.serial.flow = fake_flow = FakeFlow()
    rig.serial.feed_from_timer(rig.say, 1)
    assert flows == [fake_flow]
    assert FLOW.get() is None
