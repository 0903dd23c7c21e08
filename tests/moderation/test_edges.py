"""Edges of the moderator: checks that wait for each other, text that is left out, the cost of many texts at once."""

import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from rxstream.errors import ApiError, DisconnectedError, RxStreamError, TransportError
from rxstream.events import StreamingEvent
from rxstream.moderation import Verdict, Window
from tests.event_builders import (
    arguments_delta,
    completed,
    created,
    item_added,
    item_done,
    make_event,
    text_delta,
    text_deltas,
)
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, flagged, last, moderated, of_type, passes

# ---------------------------------------------------------------------- lists of checks


def test_a_cut_does_not_wait_for_a_later_check_that_waits_for_more_text():
    def flags_the_end(window: Window) -> bool:
        return "end" in window.text

    def suspects(window: Window) -> Verdict:
        return Verdict(False, suspect=True)

    events = [created(), *text_deltas("All is well here. ", "This is the end.")]
    seen = moderated(events, [flags_the_end, suspects], quiet=0.005)
    assert (flagged(seen).check, seen.ended) == ("flags_the_end", "|")


def test_a_cut_does_not_wait_for_text_that_an_earlier_check_left_out():
    def drops_first(window: Window) -> Verdict | None:
        return Verdict(True) if window.start == 0 else None

    class Passes:
        holdback = 3

        def __call__(self, window: Window) -> bool:
            return False

    pieces = ("one two three four five", " six seven ")
    events = [created(), *[make_event("acme:d", output_index=0, delta=piece) for piece in pieces], completed()]
    seen = moderated(
        events,
        [Passes(), (drops_first, "replace"), passes],
        first_chars=13,
        max_chars=13,
        boundary=None,
        gap=0.0,
        delay=0.3,
        retries=0,
    )
    assert [event.action for event in of_type(seen, "rxstream.moderation.flagged")] == ["drop", "cut"]
    assert seen.ended == "|"


# ---------------------------------------------------------------------- white space, text that is left out


def test_much_white_space_is_no_overflow_if_nothing_was_held_back():
    events = [created(), *text_deltas(GOOD, *[" " * 1000] * 100, "done. ", GOOD), completed()]
    seen = moderated(events, gap=0.0)
    assert seen.texts()[0, 0, "text"] == f"{GOOD}{' ' * 100_000}done. {GOOD}"


def test_without_spans_all_is_left_out_that_the_check_still_held():
    class Finds:
        holdback = len(SECRET) - 1

        def __call__(self, window: Window) -> bool:
            return SECRET in window.context + window.text

    pieces = (GOOD, SECRET[:9], SECRET[9:12], SECRET[12:], " bye")
    events = [created(), *[make_event("acme:d", output_index=0, delta=piece) for piece in pieces], completed()]
    seen = moderated(events, Finds(), gap=1.5, on_flag="replace")
    assert_hidden(seen, SECRET, size=3)
    assert {event.action for event in of_type(seen, "rxstream.moderation.flagged")} == {"drop"}


def test_in_optimistic_mode_half_an_escape_is_retracted_and_in_no_closing_event():
    whole = item_added(0, type="function_call", name="f", call_id="c", arguments="")
    deltas = ('{"a": "bad ', "\\ud83d")
    events = [created(), whole, *[arguments_delta(delta) for delta in deltas]]
    seen = moderated(events, lambda window: "bad" in window.text, mode="optimistic", include="all", gap=0.001)
    (retracted,) = of_type(seen, "rxstream.moderation.retracted")
    assert (retracted.start, retracted.end) == (0, len("".join(deltas)))
    (done,) = of_type(seen, "response.output_item.done")
    assert done.item.arguments == ""


# ---------------------------------------------------------------------- structure


@pytest.mark.parametrize(
    "fields",
    [
        {"note": {"type": SECRET}},
        {"note": {"id": SECRET}},
        {"note": [{"item_id": SECRET}]},
        {"note": {"model": SECRET}},
        {"password_id": SECRET},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["acme:trace", "response.web_search_call.completed"])
def test_nothing_in_a_field_that_the_api_does_not_describe_is_structure(kind: str, fields: dict[str, Any]):
    assert_hidden(moderated([created(), make_event(kind, output_index=0, item_id="i", **fields), completed()]))


def test_a_number_as_long_as_that_of_a_card_is_text_in_fields_for_numbers_too():
    def finds_card(window: Window) -> bool:
        return "4111111111111111" in window.text

    for fields in ({"action": {"type": "click", "x": 4111111111111111, "y": 1}}, {"note": {"index": 4111111111}}):
        events = [created(), item_done(0, type="computer_call", call_id="c", id="i", **fields), completed()]
        judge: Any = finds_card if "action" in fields else lambda window: "4111111111" in window.text
        assert "4111111111" not in moderated(events, judge, include="all").json()


# ---------------------------------------------------------------------- errors of the source


def linked(error: Exception, *, cause: Exception | None = None, context: Exception | None = None) -> Exception:
    error.__cause__, error.__context__ = cause, context
    return error


def with_note(error: Exception, note: str) -> Exception:
    error.add_note(note)
    return error


class SlotError(Exception):
    __slots__ = ("detail",)

    def __init__(self, detail: str) -> None:
        super().__init__("no text")
        self.detail = detail


class FieldError(Exception):
    def __init__(self, **fields: Any) -> None:
        super().__init__("no text")
        self.__dict__.update(fields)


def deep(text: str) -> Exception:
    error: Exception = ValueError(text)
    for _ in range(20):
        error = linked(RuntimeError("no text"), cause=error)
    return error


ERRORS: dict[str, Callable[[str], Exception]] = {
    "in a group": lambda text: ExceptionGroup("two", [ApiError(text), ValueError("no text")]),
    "in a group in a group": lambda text: ExceptionGroup("one", [ExceptionGroup("one", [ValueError(text)])]),
    "in the cause of one of a group": lambda text: ExceptionGroup(
        "one", [linked(ValueError("no text"), cause=ValueError(text))]
    ),
    "in a group that is the cause": lambda text: linked(
        DisconnectedError("closed"), cause=ExceptionGroup("one", [ValueError(text)])
    ),
    "in the context beside a cause": lambda text: linked(
        RuntimeError("no text"), cause=ValueError("no text"), context=ValueError(text)
    ),
    "far down the chain": deep,
    "after much other text": lambda text: RuntimeError("a word " * 1000 + text),
    "in a note": lambda text: with_note(RuntimeError("no text"), text),
    "in a note of an error of the network": lambda text: with_note(TransportError("closed"), text),
    "in a field that is an object": lambda text: FieldError(body={"message": [text]}),
    "in a field that is bytes": lambda text: FieldError(body=text.encode()),
    "in a field of another class": lambda text: FieldError(body=Verdict(True, (text,))),
    "in a slot": SlotError,
    "in the name of its request": lambda text: ApiError("no text", request_id=f"the {text}"),
}


@pytest.mark.parametrize("place", ERRORS)
def test_all_that_an_error_says_waits_for_a_verdict(place: str):
    good, bad = ERRORS[place]("all is well"), ERRORS[place](SECRET)
    assert moderated([created(), text_delta(GOOD)], error=good).error is good
    error = moderated([created(), text_delta(GOOD)], error=bad).error
    assert isinstance(error, RxStreamError)
    assert "did not pass moderation" in str(error)
    assert error.__cause__ is error.__context__ is None
    assert SECRET not in f"{error!r} {vars(error)}"


def test_an_error_that_cannot_be_read_comes_without_its_text():
    class UnreadableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    seen = moderated([created(), text_delta(GOOD)], passes, error=UnreadableError())
    assert "UnreadableError" in str(seen.error)
    assert_hidden(seen)


# ---------------------------------------------------------------------- cost


def unknown_types(number: int) -> Iterable[StreamingEvent]:
    return (make_event(f"acme:x{index}", output_index=0, note=f"note {index}") for index in range(number))


def items(number: int) -> Iterable[StreamingEvent]:
    for index in range(number):
        yield from (item_added(index), text_delta(f"text {index}", index))


@pytest.mark.parametrize("many", [unknown_types, items])
def test_the_cost_of_many_texts_that_wait_at_once_is_linear(many: Callable[[int], Iterable[StreamingEvent]]):
    def calls(number: int) -> int:
        events = [created(), *many(number), completed()]
        count = 0

        def note(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event == "call"

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            seen = moderated(events, passes, delay=0.5, gap=0.0002, include="all", quiet=0.1)
        finally:
            sys.setprofile(before)
        assert last(seen).type == "response.completed"
        return count

    assert calls(400) < 6 * calls(100)
