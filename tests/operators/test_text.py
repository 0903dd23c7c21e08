"""Words, sentences and lines of the answer; refusals and reasoning."""

from collections import defaultdict
from typing import Any, get_type_hints

import pytest
from reactivex.subject import Subject

from rxstream import operators as rxs
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.segmentation._lines import Lines
from rxstream.segmentation._sentences import Sentences
from rxstream.segmentation._words import Words
from rxstream.testing import answers, assert_marbles, operator_laws
from tests._given import STREAMS, needs
from tests.laws._operators import OPERATORS
from tests.operators._recorded import WHOLE, final, recorded, run

SEGMENTERS = {
    "words": (rxs.words(), rxs.words(keep_space=True), Words),
    "sentences": (rxs.sentences(), rxs.sentences(keep_space=True), Sentences),
    "lines": (rxs.lines(), rxs.lines(keep_ends=True), Lines),
}


def test_words_of_parts_that_interleave_do_not_mix():
    assert_marbles(
        rxs.words(),
        """
        source   -C-on-1:tw-e-1:o_-_-1:x-|
        result   -------------two--one---(x|)
        """,
    )


def test_the_end_of_a_part_makes_its_last_word_whole():
    assert_marbles(
        rxs.words(),
        """
        source   -C-a_b-D-1:c_d-1D-|
        result   ---a---b-c-----d--|
        """,
    )


def test_the_end_of_an_item_makes_its_last_sentence_whole():
    assert_marbles(
        rxs.sentences(),
        """
        source   -C-M-one-I-1M-1:two-1I-|
        result   ---------one--------two|
        """,
    )


def test_a_word_whose_end_only_the_done_event_brings():
    assert_marbles(
        rxs.words(),
        """
        source   -C-he-D:`hello you`-|
        result   ------(hello,you)---|
        """,
    )


def test_a_line_that_is_still_open_comes_at_the_end_and_an_empty_one_is_an_empty_text():
    events = answers.events_of(answers.text(["a\r", "\n\n", "b"]))
    assert run(events, rxs.lines()) == ["a", "", "b"]
    assert run(events, rxs.lines(keep_ends=True)) == ["a\r\n", "\n", "b"]


@pytest.mark.parametrize("name", SEGMENTERS)
def test_an_error_drops_what_is_unfinished(name: str):
    assert_marbles(
        SEGMENTERS[name][0],
        """
        source   -C-a-b-#
        result   -------#
        """,
    )


@pytest.mark.parametrize("name", SEGMENTERS)
def test_an_error_may_come_after_what_is_unfinished(name: str):
    assert_marbles(
        OPERATORS[name](on_error="emit"),
        """
        source   -C-a-b-1:c-D-1:d-e-#
        result   -----------ab------(cd,e,#)
        """,
    )


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("option", ["drop", "emit"])
def test_an_observer_that_raises_gets_nothing_more(name: str, option: str):
    seen: list[str] = []

    def on_next(text: str) -> None:
        seen.append(text)
        raise LookupError

    errors: list[Exception] = []
    source = Subject[Any]()
    source.pipe(OPERATORS[name](on_error=option)).subscribe(on_next, errors.append)
    try:
        source.on_next("One. \nTwo")
        source.on_next(". \nThree")
    except LookupError as error:
        source.on_error(error)
    assert len(seen) == 1
    assert len(errors) <= 1


def test_every_segmenting_operator_has_the_choice():
    kind = get_type_hints(rxs.words)["return"]
    takes_text = {name for name, make in OPERATORS.items() if get_type_hints(make)["return"] == kind}
    assert takes_text == set(SEGMENTERS)
    for name in takes_text:
        operator_laws(lambda make=OPERATORS[name]: make(on_error="emit"))
        with pytest.raises(ValueError, match=f"on_error of {name} must be 'drop' or 'emit', got 'keep'"):
            OPERATORS[name](on_error="keep")


@pytest.mark.parametrize("name", SEGMENTERS)
def test_a_stream_without_text_completes_without_a_value(name: str):
    assert run(answers.events_of(answers.text("")), SEGMENTERS[name][0]) == []


@pytest.mark.parametrize("name", SEGMENTERS)
def test_parts_that_interleave_say_what_each_says_alone(name: str):
    one, two = "First. It is 3.14 \nor so. ", "Second! Is\n it? "
    both = run(
        answers.events_of(answers.together(answers.text(one), answers.text(two), interleaved=True)), SEGMENTERS[name][0]
    )
    alone = [
        *run(answers.events_of(answers.text(one)), SEGMENTERS[name][0]),
        *run(answers.events_of(answers.text(two)), SEGMENTERS[name][0]),
    ]
    assert sorted(both) == sorted(alone)


@needs(STREAMS)
@pytest.mark.parametrize("name", SEGMENTERS)
def test_segments_of_the_recorded_streams_are_those_of_their_whole_texts(name: str):
    bare, joining, make = SEGMENTERS[name]
    found = 0
    for stream in WHOLE:
        events = recorded(stream)
        texts: dict[tuple[int, int], str] = defaultdict(str)
        for event in events:
            if isinstance(event, ResponseOutputTextDeltaEvent):
                texts[event.output_index, event.content_index] += event.delta
        expected: list[str] = []
        for said in texts.values():
            segmenter = make()
            expected += [*segmenter.feed(said), *segmenter.finish()]
        segments = run(events, bare)
        assert sorted(segments) == sorted(expected), stream
        if len(texts) == 1:
            assert "".join(run(events, joining)) == final(stream).output_text, stream
        found += len(segments)
    assert found > 500


def test_refusals_are_only_what_the_model_refuses():
    assert_marbles(
        rxs.refusals(),
        """
        source   -C-so-r:I-r:can't-so-D-|
        result   ------I---can't--------|
        """,
    )


def test_reasoning_in_its_summary_and_in_its_text_are_two():
    row = "source   -C-s:so-t:thus-0.1:a-s:.-|"
    assert_marbles(rxs.reasoning_summary(), f"{row}\nresult   ---so----------------.---|")
    assert_marbles(rxs.reasoning_text(), f"{row}\nresult   --------thus-------------|")
