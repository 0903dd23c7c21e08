"""Answers without a server."""

from collections.abc import Callable

import pytest

from rxstream import events as ev
from rxstream.testing import answers
from tests._given import RECORDINGS, needs


def test_the_events_of_an_answer_are_typed():
    events = answers.events_of(answers.text("Hi there."))
    assert isinstance(events[0], ev.ResponseCreatedEvent)
    assert [event.delta for event in events if isinstance(event, ev.ResponseOutputTextDeltaEvent)] == ["Hi", " there."]
    assert isinstance(events[-1], ev.ResponseCompletedEvent)


@pytest.mark.parametrize(
    "answer",
    [
        answers.text("Hi", logprobs=True),
        answers.text(["a", "", "b"], annotations=[{"type": "url_citation", "url": "u", "title": "t"}]),
        answers.function_calls([("a", {}), ("b", "{}")]),
        answers.structured([1, "é"]),
        answers.refusal("No."),
        answers.reasoning_summary("Hm.", then=answers.function_calls([("a", {})])),
        answers.failed(partial_text="Half a"),
        answers.incomplete("Half a"),
        answers.error(then_failed=True),
        answers.error(nested=False),
    ],
)
def test_every_event_is_one_we_know(answer: answers.Answer):
    events = answers.events_of(answer)
    assert not [event for event in events if isinstance(event, ev.UnknownEvent)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [frame.event for frame in answers.frames_of(answer)] == [event.type for event in events]


def test_the_same_answer_gives_the_same_events_every_time():
    answer = answers.function_calls([("a", {}), ("b", {})])
    assert answers.events_of(answer) == answers.events_of(answer)
    assert answers.sse_bytes_of(answer) == answers.sse_bytes_of(answer)


def test_the_request_shows_in_the_response():
    created = answers.events_of(answers.text("Hi"), {"model": "mine", "tools": []})[0]
    assert isinstance(created, ev.ResponseCreatedEvent)
    assert created.response.model == "mine"


def test_text_can_be_split_in_several_ways():
    def deltas(answer: answers.Answer) -> list[str]:
        return [e.delta for e in answers.events_of(answer) if isinstance(e, ev.ResponseOutputTextDeltaEvent)]

    assert deltas(answers.text(" a  b \n")) == [" a", "  b", " \n"]
    assert deltas(answers.text("abcde", split=2)) == ["ab", "cd", "e"]
    assert deltas(answers.text("a,b", split=lambda text: text.partition(","))) == ["a", ",", "b"]
    assert deltas(answers.text(["x", "y"])) == ["x", "y"]
    with pytest.raises(ValueError, match="1 or more characters, got 0"):
        answers.text("a", split=0)


def test_half_a_surrogate_pair_travels_escaped():
    answer = answers.text(["\ud83d", "\ude00"])
    assert b"\\ud83d" in answers.sse_bytes_of(answer)


def test_a_cut_answer_ends_at_the_cut():
    answer = answers.truncated(answers.text("a b c"), 5, plus=10)
    assert len(answers.events_of(answer)) == 5
    assert len(answers.frames_of(answer)) == 5
    assert answers.sse_bytes_of(answer).endswith(b"event: res")


def test_an_endless_answer_must_be_cut():
    with pytest.raises(ValueError, match="endless"):
        answers.events_of(answers.endless())
    assert len(answers.events_of(answers.truncated(answers.endless(), 100))) == 100


def test_only_whole_answers_go_together():
    with pytest.raises(ValueError, match="completed"):
        answers.together(answers.text("a"), answers.failed())


def test_these_very_events():
    events = answers.events_of(answers.events([{"type": "acme:thing", "x": 1}]))
    assert events[0].type == "acme:thing"


@needs(RECORDINGS)
def test_a_tape_s_bytes_stay_as_they_are():
    path = RECORDINGS / "llamacpp-text.sse"
    assert answers.sse_bytes_of(answers.tape(path)) == path.read_bytes()
    assert answers.events_of(answers.tape(path))


@pytest.mark.parametrize("function", [answers.events_of, answers.frames_of, answers.sse_bytes_of])
def test_what_is_no_answer_says_what_to_write(function) -> None:
    with pytest.raises(TypeError, match=r"expected an answer, such as answers\.text\('Hello\.'\), got str"):
        function("Hello.")


@pytest.mark.parametrize("cut", [answers.truncated, answers.disconnect, answers.hang])
def test_a_plain_text_can_be_cut(cut: Callable[..., answers.Answer]) -> None:
    assert answers.frames_of(cut("a b c", after=5)) == answers.frames_of(cut(answers.text("a b c"), after=5))
