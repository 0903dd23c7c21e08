"""What is often written and cannot work says what to write instead."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject

import rxstream
from rxstream import operators as rxs
from rxstream.testing import answers
from rxstream.transport import MemoryTransport
from tests.session._modes import in_session, modes

TRANSPORT = MemoryTransport(b"".join(answers.text("Hello there").all_frames()))


def error_of(build: Callable[[Any], Any], mode: str = "with") -> Exception:
    """What a chain on a stream fails with."""
    errors: list[Exception] = []

    def body(session: rxstream.Session) -> None:
        build(session.response(model="m", input="Hi")).subscribe(on_error=errors.append)

    in_session(mode, body, transport=TRANSPORT)
    assert len(errors) == 1
    return errors[0]


class Asynchronous:
    async def __call__(self, *_: object) -> None: ...

    async def method(self, *_: object) -> None: ...


async def plain(*_: object) -> None: ...


@modes
@pytest.mark.parametrize("function", [plain, functools.partial(plain, 1), Asynchronous(), Asynchronous().method])
@pytest.mark.parametrize("which", ["on_next", "on_error", "on_completed"])
def test_subscribing_an_async_function(mode: str, function: Any, which: str) -> None:
    def body(session: rxstream.Session) -> None:
        for source in (
            session.response(model="m", input="Hi"),
            session.response(model="m", input="Hi").pipe(ops.filter(bool), rxs.text_only()),
        ):
            with pytest.raises(TypeError, match="for_each_async"):
                source.subscribe(**{which: function})

    in_session(mode, body, transport=TRANSPORT)


EVENT_OPERATORS: dict[str, Any] = {
    "final_response": rxs.final_response(),
    "snapshots": rxs.snapshots(),
    "usage": rxs.usage(),
    "require_completed": rxs.require_completed(),
    "well_formed": rxs.well_formed(),
    "normalize": rxs.normalize(),
    "accumulate_function_args": rxs.accumulate_function_args(),
    "tool_calls": rxs.tool_calls(),
    "partial_json": rxs.partial_json(),
    "parse_output": rxs.parse_output(dict),
    "json_items": rxs.json_items("a"),
    "text_only": rxs.text_only(),
    "accumulate_text": rxs.accumulate_text(),
    "annotations": rxs.annotations(),
    "refusals": rxs.refusals(),
    "reasoning_summary": rxs.reasoning_summary(),
    "reasoning_text": rxs.reasoning_text(),
    "group_by_output_index": rxs.group_by_output_index(),
    "group_by_content_part": rxs.group_by_content_part(),
}


@pytest.mark.parametrize("name", EVENT_OPERATORS)
def test_an_operator_of_events_behind_one_that_emits_text(name: str) -> None:
    error = error_of(lambda source: source.pipe(rxs.text_only(), EVENT_OPERATORS[name]))
    assert isinstance(error, TypeError)
    assert f"{name} expects the events of a response, got str" in str(error)


@pytest.mark.parametrize("name", [*EVENT_OPERATORS, "words", "sentences", "lines"])
def test_a_group_without_flat_map(name: str) -> None:
    operator = EVENT_OPERATORS.get(name) or getattr(rxs, name)()
    error = error_of(lambda source: source.pipe(rxs.group_by_output_index(), operator))
    assert isinstance(error, TypeError)
    assert f"flat_map(lambda group: group.pipe({name}(" in str(error)


def test_text_is_what_words_take() -> None:
    taken: list[str] = []
    reactivex.of("one ", "two").pipe(rxs.words()).subscribe(taken.append)
    assert taken == ["one", "two"]


def test_handlers_behind_an_operator_that_emits_text() -> None:
    errors: list[Exception] = []
    handlers = rxstream.Handlers()
    handlers.on("*")(print)
    handlers.on_error(errors.append)
    with rxstream.Session(transport=TRANSPORT) as session:
        session.response(model="m", input="Hi").pipe(rxs.text_only()).subscribe(handlers)
    assert "Handlers expect the events of a response, got str" in str(errors[0])


@pytest.mark.parametrize("name", [*EVENT_OPERATORS, "words", "pace", "shared", "debounce_moderation", "map_async"])
def test_an_operator_without_parentheses(name: str) -> None:
    with rxstream.Session(transport=TRANSPORT) as session, pytest.raises(TypeError, match=rf"write {name}\(\)"):
        session.response(model="m", input="Hi").pipe(ops.filter(bool), getattr(rxs, name))


def test_operators_of_all_kinds_are_taken() -> None:
    taken: list[Any] = []
    compose = reactivex.compose(rxs.text_only(), ops.map(str.upper))
    with rxstream.Session(transport=TRANSPORT) as session:
        session.response(model="m", input="Hi").pipe(compose, lambda source: source, ops.share()).subscribe(
            taken.append
        )
    assert "".join(taken) == "HELLO THERE"


def test_moderation_of_text_of_a_session() -> None:
    taken: list[str] = []
    with rxstream.Session(transport=TRANSPORT) as session:
        text = session.response(model="m", input="Hi").pipe(rxs.text_only())
        text.pipe(rxs.debounce_moderation_text(lambda window: False)).subscribe(taken.append)
    assert "".join(taken) == "Hello there"


def test_a_type_of_event_that_is_misspelt() -> None:
    handlers = rxstream.Handlers()
    with pytest.warns(UserWarning, match=r"did you mean 'response\.output_text\.delta'"):
        handlers.on("response.output_text.dleta")(print)
    handlers.on("response.something_new.happened")(print)
    handlers.on("*")(print)


def test_a_subject_is_still_free_to_hold_anything() -> None:
    source, taken = Subject[int](), list[int]()
    source.pipe(ops.map(lambda value: value + 1)).subscribe(taken.append)
    source.on_next(1)
    assert taken == [2]
