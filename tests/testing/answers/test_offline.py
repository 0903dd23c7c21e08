"""Answers without a server."""

import pytest

from rxstream import events as ev
from rxstream import testing as t
from tests._given import RECORDINGS, needs


def test_the_events_of_an_answer_are_typed():
    events = t.events_of(t.text("Hi there."))
    assert isinstance(events[0], ev.ResponseCreatedEvent)
    assert [event.delta for event in events if isinstance(event, ev.ResponseOutputTextDeltaEvent)] == ["Hi", " there."]
    assert isinstance(events[-1], ev.ResponseCompletedEvent)


@pytest.mark.parametrize(
    "answer",
    [
        t.text("Hi", logprobs=True),
        t.text(["a", "", "b"], annotations=[{"type": "url_citation", "url": "u", "title": "t"}]),
        t.function_calls([("a", {}), ("b", "{}")]),
        t.structured([1, "é"]),
        t.refusal("No."),
        t.reasoning_summary("Hm.", then=t.function_calls([("a", {})])),
        t.failed(said="Half a"),
        t.incomplete("Half a"),
        t.error(then_failed=True),
        t.error(nested=False),
    ],
)
def test_every_event_is_one_we_know(answer: t.Answer):
    events = t.events_of(answer)
    assert not [event for event in events if isinstance(event, ev.UnknownEvent)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [frame.event for frame in t.frames_of(answer)] == [event.type for event in events]


def test_the_same_answer_gives_the_same_events_every_time():
    answer = t.function_calls([("a", {}), ("b", {})])
    assert t.events_of(answer) == t.events_of(answer)
    assert t.sse_bytes_of(answer) == t.sse_bytes_of(answer)


def test_the_request_shows_in_the_response():
    created = t.events_of(t.text("Hi"), {"model": "mine", "tools": []})[0]
    assert isinstance(created, ev.ResponseCreatedEvent)
    assert created.response.model == "mine"


def test_text_can_be_split_in_several_ways():
    def deltas(answer: t.Answer) -> list[str]:
        return [e.delta for e in t.events_of(answer) if isinstance(e, ev.ResponseOutputTextDeltaEvent)]

    assert deltas(t.text(" a  b \n")) == [" a", "  b", " \n"]
    assert deltas(t.text("abcde", split=2)) == ["ab", "cd", "e"]
    assert deltas(t.text("a,b", split=lambda text: text.partition(","))) == ["a", ",", "b"]
    assert deltas(t.text(["x", "y"])) == ["x", "y"]
    with pytest.raises(ValueError, match="at least one"):
        t.text("a", split=0)


def test_half_a_surrogate_pair_travels_escaped():
    answer = t.text(["\ud83d", "\ude00"])
    assert b"\\ud83d" in t.sse_bytes_of(answer)


def test_a_cut_answer_ends_at_the_cut():
    answer = t.truncated(t.text("a b c"), 5, plus=10)
    assert len(t.events_of(answer)) == 5
    assert len(t.frames_of(answer)) == 5
    assert t.sse_bytes_of(answer).endswith(b"event: res")


def test_an_endless_answer_must_be_cut():
    with pytest.raises(ValueError, match="endless"):
        t.events_of(t.endless())
    assert len(t.events_of(t.truncated(t.endless(), 100))) == 100


def test_only_whole_answers_go_together():
    with pytest.raises(ValueError, match="completed"):
        t.together(t.text("a"), t.failed())


def test_these_very_events():
    events = t.events_of(t.events([{"type": "acme:thing", "x": 1}]))
    assert events[0].type == "acme:thing"


@needs(RECORDINGS)
def test_a_tape_s_bytes_stay_as_they_are():
    path = RECORDINGS / "llamacpp-text.sse"
    assert t.sse_bytes_of(t.tape(path)) == path.read_bytes()
    assert t.events_of(t.tape(path))
