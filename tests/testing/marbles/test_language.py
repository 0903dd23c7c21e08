"""The marble language: what a picture says, and that a lie is found out."""

import json

import pytest
import reactivex
from reactivex import Observable, abc
from reactivex import operators as rx

from rxstream import events as ev
from rxstream.testing import VirtualClock, assert_marbles, check_marbles, marbles
from rxstream.testing.marbles._alphabet import read, token_of
from rxstream.testing.marbles._encoder import RowEncoder
from rxstream.testing.marbles._picture import Symbol, draw, read_row


def at(diagram: str) -> list[tuple[int, str]]:
    return [(symbol.time // 1000, symbol.text) for symbol in read_row(diagram).symbols]


# Reading a row


def test_a_token_s_moment_is_its_first_column_and_its_width_passes():
    assert at("-ab--c|") == [(10, "ab"), (50, "c"), (60, "|")]


def test_what_stands_in_brackets_happens_at_the_bracket():
    assert at("--(a,b|)") == [(20, "a"), (20, "b"), (20, "|")]
    assert at("(a,b)-c") == [(0, "a"), (0, "b"), (60, "c")]


def test_a_space_sets_apart_and_takes_no_time():
    assert at("- a b |") == [(10, "a"), (20, "b"), (30, "|")]


def test_time_may_be_written_out():
    assert at("a<1.5s>b-<500ms>|") == [(0, "a"), (1510, "b"), (2030, "|")]


def test_backquotes_hold_anything():
    assert at("-`a-b|(,`-f:`{1, 2}`|") == [(10, "`a-b|(,`"), (100, "f:`{1, 2}`"), (200, "|")]


@pytest.mark.parametrize("diagram", ["-a|-b", "-#|", "-(a", "-a)", "-`a"])
def test_what_cannot_be_read_is_said(diagram: str):
    with pytest.raises(ValueError, match=r"diagram|end of a row"):
        read_row(diagram)


@pytest.mark.parametrize("diagram", ["-a-bc--|", "--(a,b|)", "(a,b)", "-C-1:b-f:x-#", "---"])
def test_drawing_is_the_inverse_of_reading(diagram: str):
    row = read_row(diagram)
    assert draw(row.symbols, row.length) == diagram


def test_what_fits_no_columns_is_listed():
    assert draw([Symbol(0, "abc"), Symbol(15_000, "d")]) == "0ms:abc  15ms:d"


# The alphabet

OF_THE_RESPONSE = ["C", "P", "Q", "K", "N", "X", "W", "H", "U", "N*:content_filter", "W:rate_limit", "U:acme:thing"]
OF_ITEMS = ["M", "F", "F:look", "1F:look", "R", "I", "1I", "B", "E", "A", "A:page", "D", "1D"]
OF_TEXT = ["a", "b_", "é", "。", "I_", "3.14", "1:b", "0.1:x", "`C`", "`1:30`", "`a-b,c`"]
OF_OTHER_TEXT = ["s:so", "t:hm", "r:no", '1f:{"a"', "2i:in", "3m:{}", "4c:print"]
ALPHABET = [*OF_THE_RESPONSE, *OF_ITEMS, *OF_TEXT, *OF_OTHER_TEXT]


@pytest.mark.parametrize("token", ALPHABET)
def test_every_token_becomes_a_typed_event_and_is_shown_again(token: str):
    event = ev.parse_event(json.dumps(RowEncoder().encode(token)))
    assert not isinstance(event, ev.UnknownEvent) or token.startswith("U")
    seen = token_of(event.model_dump())
    assert seen is not None
    assert read(token).fits(seen)
    assert read(seen.write()) == seen


@pytest.mark.parametrize("token", ["Z", "1Z:x", "q:text"])
def test_what_is_not_in_the_alphabet_is_said(token: str):
    with pytest.raises(ValueError, match=r"alphabet|expected one of r s t"):
        read(token)


def test_done_says_what_was_said_before():
    encoder = RowEncoder()
    said = [encoder.encode(token) for token in ("C", "M", "a", "b", "D", "I", "1F:look", "1f:{}", "1D", "1I", "K")]
    assert said[4]["text"] == "ab"
    assert said[8]["arguments"] == "{}"
    output = said[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]
    assert output[0]["content"][0]["text"] == "ab"
    assert [event["sequence_number"] for event in said] == list(range(11))


# Pictures


def upper():
    """Shout.

    Marbles::

        texts   -a-bc-|
        result  -A-BC-|

    And so on.
    """
    return rx.map(str.upper)


def later(seconds: float):
    """Wait.

    Marbles with later(0.02)::

        source  -a--b---|
        result  ---a--b---|
    """
    return rx.delay(seconds)


def test_true_pictures_pass():
    check_marbles(upper)
    check_marbles(later)


def test_a_docstring_may_hold_several_pictures():
    text = f"{upper.__doc__}\n\n    Marbles::\n\n        texts   #\n        result  #\n"
    assert [picture.row("texts").diagram for picture in marbles.pictures(text)] == ["-a-bc-|", "#"]
    check_marbles(upper, text)


def test_no_picture_is_no_promise():
    with pytest.raises(AssertionError, match="in the docstring of upper, got none"):
        check_marbles(upper, "Shout.")


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ("-A-bc-|", "expected bc at 30 ms, got BC at 30 ms"),
        ("-A-BC--|", r"expected \| at 70 ms, got \| at 60 ms"),
        ("-A-BC", r"expected nothing, got \| at 60 ms"),
        ("-A-BC-#", r"expected # at 60 ms, got \| at 60 ms"),
        ("--A-BC|", "actual  -A-BC-"),
        ("-A-BC--D|", "expected D at 70 ms"),
    ],
)
def test_a_lie_is_found_and_the_truth_is_drawn(result: str, why: str):
    with pytest.raises(AssertionError, match=why):
        assert_marbles(rx.map(str.upper), f"texts   -a-bc-|\nresult  {result}")


def test_a_source_s_error_must_be_that_very_error():
    assert_marbles(rx.map(str.upper), "texts -a-#\nresult -A-#")
    with pytest.raises(AssertionError, match="ValueError"):
        assert_marbles(rx.catch(lambda error, source: reactivex.throw(ValueError("other"))), "texts -#\nresult -#")


def test_a_legend_may_say_which_error():
    assert_marbles(rx.map(int), 'texts a\nresult #\nwhere # = ValueError("invalid literal")')
    with pytest.raises(AssertionError, match="ValueError"):
        assert_marbles(rx.map(int), "texts a\nresult #\nwhere # = TruncatedError")


def test_a_legend_may_name_values_and_patterns():
    assert_marbles(
        rx.map(lambda text: {"said": text, "length": len(text)}),
        """
        texts   a-bcd-e-|
        result  x-y---z-|
        where x = {"said": "a", "length": 1}, y = {"length": 3}, z = ...
        """,
    )
    assert_marbles(rx.map(lambda value: value[0] + 1), "values x-|\nresult y-|\nwhere x = [1, 2], y = 2")


def test_names_of_the_test_may_be_used():
    thing = object()
    assert_marbles(rx.map(lambda _: thing), "texts a-|\nresult x-|\nwhere x = thing", names={"thing": thing})


def test_events_are_shown_as_their_tokens():
    assert_marbles(
        rx.filter(lambda event: event.type != "response.in_progress"),
        """
        source  C-P-M-B-a-b_-D-E-I-1F:look-1f:{}-1D-1I-(K|)
        result  C---M-B-a-b_-D-E-I-1F:look-1f:{}-1D-1I-(K|)
        """,
    )
    with pytest.raises(AssertionError, match=r"actual  --+b-+\|"):
        assert_marbles(rx.filter(lambda event: event.delta == "b"), "source -a-b-|\nresult -a-b-|")


def test_bytes_and_frames_are_sources_too():
    assert_marbles(rx.map(bytes.upper), "bytes -ab-|\nresult -AB-|")
    assert_marbles(rx.map(lambda data: data[:23]), "wire C-|\nresult x-|\nwhere x = b'event: response.created'")
    assert_marbles(rx.map(lambda frame: frame.event), "frames C-|\nresult x-|\nwhere x = 'response.created'")


def test_upstream_tells_when_the_source_was_left():
    assert_marbles(rx.take(1), "texts -a-b-|\nresult -(a|)\nupstream ^!")
    assert_marbles(rx.repeat(2), "texts -a|\nresult -a-a|\nupstream ^-!\nupstream --^-!")
    with pytest.raises(AssertionError, match=r"upstream  \^!"):
        assert_marbles(rx.take(1), "texts -a-b-|\nresult -(a|)\nupstream ^---!")


def test_subscribe_tells_when_the_result_is_subscribed_and_disposed():
    assert_marbles(
        rx.map(str.upper), "texts -a-b-|\nresult --- A\nsubscribe --^--!\nupstream --^--!".replace("--- A", "---A")
    )
    assert_marbles(rx.filter(bool), "hot -a-b-c-|\nresult ---b\nsubscribe --^--!")


def test_inner_observables_have_rows_of_their_own():
    assert_marbles(
        rx.group_by(lambda event: event.output_index),
        """
        source  -a-1:b-c-1:d|
        result  -x-y--------|
        x       -a-----c----|
        y       ---1:b---1:d|
        """,
    )


def test_other_rows_may_be_other_sources():
    def then(other: Observable):
        """Go on.

        Marbles with then(other)::

            source  -a-|
            other   -b-|
            result  -a--b-|
        """
        return rx.concat(other)

    check_marbles(then)


def test_rows_that_mean_nothing_are_said():
    with pytest.raises(AssertionError, match="the result has no Observable extra"):
        assert_marbles(rx.map(str), "texts a|\nresult a|\nextra b|")
    with pytest.raises(ValueError, match="one source and one result"):
        assert_marbles(rx.map(str), "result a|")
    with pytest.raises(ValueError, match=r"expected a row .* or a legend"):
        assert_marbles(rx.map(str), "?? a|")


def test_what_comes_after_the_picture_s_end_is_seen():
    with pytest.raises(AssertionError, match="expected nothing, got a at"):
        assert_marbles(rx.delay(1.0), "texts a\nresult -")


def test_cold_and_hot_sources_stand_alone():
    clock, seen = VirtualClock(), []
    source, live = marbles.cold("-a-|", clock, of="texts"), marbles.hot("-a-b|", clock)
    clock.advance(0.02)
    source.subscribe(seen.append)
    live.subscribe(lambda event: seen.append(event.delta))
    clock.run()
    assert seen == ["a", "b"] or seen == ["b", "a"]
    assert source.subscriptions == [(20_000, 50_000)]


def test_an_operator_that_swallows_the_scheduler_is_seen():
    class Deaf(Observable[str]):
        def _subscribe_core(self, observer: abc.ObserverBase[str], scheduler: abc.SchedulerBase | None = None):
            return reactivex.never().subscribe(observer)

    with pytest.raises(AssertionError, match="expected a at 0 ms, got nothing"):
        assert_marbles(lambda source: Deaf(), "texts a|\nresult a|")
