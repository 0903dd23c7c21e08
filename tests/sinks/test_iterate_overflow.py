"""What a loop does with values that come faster than it takes them."""

import pytest
import reactivex

import rxstream
from rxstream.errors import RxStreamError
from tests.event_builders import text_delta
from tests.operators._wires import FakeFlow, Source
from tests.sinks._loops import calling, produce
from tests.waiting import wait_for


@pytest.mark.parametrize("wrong", [{"buffer": 0}, {"buffer": -1}, {"overflow": "block"}])
def test_wrong_arguments_raise_at_once(wrong):
    with pytest.raises(ValueError):
        rxstream.iterate(reactivex.empty(), **wrong)


def filled(source: Source, *values: object, fake_flow: FakeFlow | None = None, **options: object):
    """A loop whose first value was taken, and whose source has then emitted the others."""
    loop = iter(rxstream.iterate(source, **options))
    produce(lambda: (wait_for(lambda: source.observers), source.emit("first")))
    assert next(loop) == "first"
    if fake_flow is None:
        source.emit(*values)
    else:
        with calling(fake_flow):
            source.emit(*values)
    return loop


def rest(source: Source, loop):
    source.complete()
    return list(loop)


def test_pause_asks_the_source_that_calls_and_lets_it_go_on_when_half_is_taken():
    source, fake_flow = Source(), FakeFlow()
    loop = filled(source, 1, 2, 3, fake_flow=fake_flow, buffer=4)
    assert fake_flow.pauses == 0
    with calling(fake_flow):
        source.emit(4)
    assert fake_flow.pauses == 1
    with calling(fake_flow):
        source.emit(5, 6)  # the rest of what one event was made of
    assert fake_flow.pauses == 1
    assert [next(loop) for _ in range(3)] == [1, 2, 3]
    assert fake_flow.pauses == 1
    next(loop)
    assert fake_flow.pauses == 0
    assert rest(source, loop) == [5, 6]


def test_pause_asks_each_of_several_streams():
    source, one, other = Source(), FakeFlow(), FakeFlow()
    loop = filled(source, 1, 2, fake_flow=one, buffer=2)
    with calling(other):
        source.emit(3)
    assert (one.pauses, other.pauses) == (1, 1)
    assert [next(loop), next(loop)] == [1, 2]
    assert (one.pauses, other.pauses) == (0, 0)
    assert rest(source, loop) == [3]


@pytest.mark.parametrize("how", ["close", "forget", "end"])
def test_a_pause_is_taken_back_when_the_loop_lets_go(how: str):
    source, fake_flow = Source(), FakeFlow()
    loop = filled(source, 1, fake_flow=fake_flow, buffer=1)
    assert fake_flow.pauses == 1
    if how == "close":
        loop.close()
    elif how == "forget":
        del loop
    else:
        assert rest(source, loop) == [1]
    assert fake_flow.pauses == 0
    assert source.observers == []


def test_without_a_tap_pause_buffers_everything():
    source = Source()
    assert rest(source, filled(source, *range(1000), buffer=1)) == [*range(1000)]


def test_error_ends_the_stream_at_once_and_the_loop_after_what_was_buffered():
    source = Source()
    loop = filled(source, 1, 2, 3, buffer=2, overflow="error")
    assert source.observers == []
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(RxStreamError, match="2 values behind"):
        next(loop)


def test_drop_oldest_keeps_the_newest():
    source = Source()
    assert rest(source, filled(source, *range(10), buffer=3, overflow="drop_oldest")) == [7, 8, 9]


def test_conflate_merges_strings():
    source = Source()
    assert rest(source, filled(source, *"abcdefg", buffer=2, overflow="conflate")) == ["a", "bcdefg"]


def test_conflate_keeps_what_is_no_text():
    source = Source()
    assert rest(source, filled(source, "a", 1, "b", "c", 2, buffer=1, overflow="conflate")) == ["a", 1, "bc", 2]


def test_conflate_merges_deltas_of_one_part():
    source = Source()
    deltas = [text_delta("a", 0), text_delta("b", 0), text_delta("x", 1), text_delta("y", 1), text_delta("c", 0)]
    got = rest(source, filled(source, *deltas, buffer=1, overflow="conflate"))
    assert [(event.output_index, event.delta) for event in got] == [(0, "ab"), (1, "xy"), (0, "c")]
