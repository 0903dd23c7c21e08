"""What a reader that is too far behind gets of the values that wait for it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.errors import BufferOverflowError, RxStreamError
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.testing import answers
from rxstream.timing._merge import LONGEST_RUN
from rxstream.timing._overflow import Overflow, backlog_of, check_overflow


def read_all(overflow: Overflow, size: int, values: list[Any], position: int = 0) -> list[Any]:
    """What a reader at this position gets, and the class of its error."""
    backlog, taken = backlog_of(overflow, size)(), []
    try:
        while position < len(values):
            value, position = backlog.take(values, position)
            taken.append(value)
    except BufferOverflowError as error:
        taken.append(type(error))
    return taken


@pytest.mark.parametrize("overflow", ["error", "drop_oldest", "conflate"])
def test_as_many_as_there_is_room_for_are_given_as_they_are(overflow: Overflow):
    assert read_all(overflow, 3, ["x", "a", "b", "c"], 1) == ["a", "b", "c"]


def test_error_gives_what_there_is_room_for_and_then_the_error():
    assert read_all("error", 3, ["a", "b", "c", "d", "e"]) == ["a", "b", "c", BufferOverflowError]
    assert issubclass(BufferOverflowError, RxStreamError)


def test_error_stays_though_the_reader_has_caught_up_a_little():
    backlog, values = backlog_of("error", 2)(), ["a", "b", "c"]
    _, position = backlog.take(values, 0)
    _, position = backlog.take(values, position)
    with pytest.raises(BufferOverflowError, match="more than 2 values behind"):
        backlog.take(values, position)


def test_drop_oldest_gives_the_newest():
    assert read_all("drop_oldest", 2, ["a", "b", "c", "d", "e"]) == ["d", "e"]


def test_conflate_joins_adjacent_deltas_of_one_part_and_nothing_else():
    events = answers.events_of(answers.text(["a", "b", "c", "d"]))
    taken = read_all("conflate", 2, events)
    others = [event for event in taken if not isinstance(event, ResponseOutputTextDeltaEvent)]
    assert others == [event for event in events if not isinstance(event, ResponseOutputTextDeltaEvent)]
    deltas = [event.delta for event in taken if isinstance(event, ResponseOutputTextDeltaEvent)]
    assert deltas == ["abcd"]


def test_conflate_joins_so_many_at_most():
    taken = read_all("conflate", 1, ["x"] * (LONGEST_RUN + 3))
    assert [len(text) for text in taken] == [LONGEST_RUN, 3]


@given(st.lists(st.one_of(st.text(max_size=3), st.integers()), max_size=30), st.integers(1, 8))
def test_conflate_loses_nothing(values: list[Any], size: int):
    def joined(some: list[Any]) -> list[Any]:
        runs: list[Any] = []
        for value in some:
            if runs and isinstance(runs[-1], str) and isinstance(value, str):
                runs[-1] += value
            else:
                runs.append(value)
        return runs

    assert joined(read_all("conflate", size, values)) == joined(values)


@pytest.mark.parametrize(("buffer", "overflow"), [(0, "error"), (-1, "pause"), (1, "drop"), (1, None)])
def test_wrong_values(buffer: Any, overflow: Any):
    with pytest.raises(ValueError, match="must be"):
        check_overflow(buffer, overflow)


@pytest.mark.parametrize("buffer", [True, 1.5, "8", None])
def test_a_buffer_that_is_no_number(buffer: Any):
    with pytest.raises(TypeError, match="buffer must be a number of values"):
        check_overflow(buffer, "error")
