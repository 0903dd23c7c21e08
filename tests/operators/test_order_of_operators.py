"""What happens when operators are chained in an order that cannot work."""

from __future__ import annotations

from typing import Any

import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.testing import answers
from tests.waiting import BOUND

EVENTS = answers.events_of(answers.text("One is. Two is."))


def heard(source: Any) -> tuple[list[Any], list[Exception]]:
    values: list[Any] = []
    errors: list[Exception] = []
    source.subscribe(values.append, errors.append)
    return values, errors


@pytest.mark.parametrize(
    ("operator", "segments"),
    [
        (rxs.words(), ["One", "is.", "Two", "is."]),
        (rxs.sentences(), ["One is.", "Two is."]),
        (rxs.lines(), ["One is. Two is."]),
    ],
    ids=["words", "sentences", "lines"],
)
def test_segments_come_of_text_as_they_come_of_events(operator: Any, segments: list[str]) -> None:
    assert heard(reactivex.from_iterable(EVENTS).pipe(operator)) == (segments, [])
    assert heard(reactivex.from_iterable(EVENTS).pipe(rxs.text_only(), operator)) == (segments, [])


@pytest.mark.parametrize("make", [rxs.text_only, rxs.accumulate_text, rxs.refusals, rxs.annotations])
def test_text_where_events_are_wanted_is_said(make: Any) -> None:
    values, errors = heard(reactivex.from_iterable(EVENTS).pipe(rxs.text_only(), make()))
    assert values == []
    assert isinstance(errors[0], TypeError | AttributeError)


def test_moderation_lets_nothing_pass_that_it_does_not_know() -> None:
    source = reactivex.from_iterable(EVENTS)
    values, errors = heard(source.pipe(rxs.debounce_moderation_text(lambda window: False)))
    assert values == []
    assert isinstance(errors[0], TypeError)
    assert "debounce_moderation()" in str(errors[0])
    values, errors = heard(source.pipe(rxs.text_only(), rxs.debounce_moderation(lambda window: False)))
    assert values == []
    assert isinstance(errors[0], TypeError)
    assert "debounce_moderation_text()" in str(errors[0])


def test_arguments_that_cannot_be_meant() -> None:
    with pytest.raises(TypeError, match="core"):
        rxs.lift("x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Observable"):
        rxstream.iterate([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Observable"):
        rxstream.result(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Blocklist"):
        rxs.debounce_moderation(["dynamite"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="of_type"):
        rxs.of_type(int)  # type: ignore[type-var]


def test_a_plain_function_in_map_async_is_a_type_error() -> None:
    def plain(value: object) -> object:
        return value

    with rxstream.Session():
        values, errors = heard_at_the_end(rxstream.from_iterable(EVENTS).pipe(rxs.map_async(plain)))  # type: ignore[arg-type]
    assert values == []
    assert "expect an async function" in str(errors[0])


def heard_at_the_end(source: Any) -> tuple[list[Any], list[Exception]]:
    try:
        return [rxstream.result(source).wait(BOUND)], []
    except TypeError as error:
        return [], [error]
