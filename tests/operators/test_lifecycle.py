"""How far the response is, and how it ends."""

import pytest
import reactivex
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.errors import (
    ApiError,
    DisconnectedError,
    ResponseFailedError,
    ResponseIncompleteError,
    RxStreamError,
    TruncatedError,
)
from rxstream.events import Response, ResponseIncompleteEvent, ResponseOutputTextDoneEvent, StreamingEvent
from rxstream.testing import assert_marbles
from tests.event_builders import make_event, say
from tests.operators._recorded import failing, run

# ---------------------------------------------------------------------- snapshots


def test_snapshots_of_a_stream_that_fails_are_emitted_before_its_error():
    assert_marbles(
        rxs.snapshots(),
        """
        source   -C-a-X:oops-#
        result   -y-z-x------#
        where y = Snapshot(text="")
        where z = Snapshot(text="a")
        where x = Snapshot(response={"status": "failed", "error": {"code": "oops"}})
        """,
    )


def test_snapshots_can_be_thinned_out_without_being_built():
    thinned = run(say("C M B a b c d D E I K"), ops.compose(rxs.snapshots(), ops.last()))
    assert [snapshot.text for snapshot in thinned] == ["abcd"]


# ---------------------------------------------------------------------- the final response


def test_the_final_response_is_emitted_at_the_terminal_event():
    assert_marbles(
        rxs.final_response(),
        """
        source   -C-a-K---H-|
        result   -----x-----|
        where x = Response(status="completed")
        """,
    )


def test_an_output_left_empty_is_filled_from_what_was_said():
    end = make_event("response.completed", response={"id": "r", "status": "completed", "output": []})
    (response,) = run([*say("C M B a D E I 1M 1:b"), end], rxs.final_response())
    assert (response.output_text, len(response.output)) == ("ab", 2)


# ---------------------------------------------------------------------- usage


def test_usage_comes_with_the_terminal_event():
    (usage,) = run(say("C a b c K"), rxs.usage())
    assert (usage.output_tokens, usage.total_tokens) == (3, 4)


def test_usage_of_a_response_that_failed_comes_before_the_error():
    assert_marbles(
        rxs.usage(),
        """
        source   -C-a-X-#
        result   -----x-#
        where x = Usage(output_tokens=1)
        """,
    )


def test_usage_is_told_again_only_if_it_is_news():
    def header(kind: str, tokens: int | None) -> StreamingEvent:
        usage = {"usage": {"output_tokens": tokens}} if tokens is not None else {"usage": None}
        return make_event(f"response.{kind}", response={"id": "r", **usage})

    events = [header("created", None), header("in_progress", 2), header("in_progress", 2), header("completed", 5)]
    assert [usage.output_tokens for usage in run(events, rxs.usage())] == [2, 5]
    events = [header("created", 0), header("in_progress", 0), header("completed", 5)]
    assert [usage.output_tokens for usage in run(events, rxs.usage())] == [5]
    events = [header("created", 0), header("completed", 0)]
    assert [usage.output_tokens for usage in run(events, rxs.usage())] == [0]


# ---------------------------------------------------------------------- a whole answer is owed

SHORTFALLS: list[tuple[str, type[RxStreamError], dict[str, object]]] = [
    ("C a N:steered", ResponseIncompleteError, {"reason": "steered", "sequence_number": 2}),
    ("C a X:server_error", ResponseFailedError, {"code": "server error"}),
    ("C a W:overloaded", ApiError, {"code": "overloaded"}),
    ("C a W:overloaded X", ApiError, {"code": "overloaded"}),
    ("C a", TruncatedError, {"sequence_number": 1}),
    ("", TruncatedError, {"sequence_number": None}),
]


@pytest.mark.parametrize(("tokens", "error", "known"), SHORTFALLS)
def test_a_stream_that_did_not_complete_fails(tokens: str, error: type[RxStreamError], known: dict[str, object]):
    events = say(tokens)
    seen, raised = failing(events, rxs.require_completed())
    assert seen == events
    assert type(raised) is error
    for name, value in known.items():
        assert getattr(raised, name) == value
    assert raised.response_id == (events[0].response.id if events else None)  # type: ignore[union-attr]


@pytest.mark.parametrize(("tokens", "error", "known"), SHORTFALLS)
def test_there_is_no_final_response_of_a_stream_that_did_not_complete(
    tokens: str, error: type[RxStreamError], known: dict[str, object]
):
    seen, raised = failing(say(tokens), rxs.final_response())
    assert seen == []
    assert type(raised) is error


@pytest.mark.parametrize("operator", [rxs.require_completed, rxs.final_response])
@pytest.mark.parametrize(
    ("response", "error"),
    [
        ({"status": "incomplete"}, ResponseIncompleteError),
        ({"status": "failed"}, ResponseFailedError),
        ({"status": "completed", "error": {"code": "cut", "message": "upstream was cut"}}, ResponseFailedError),
    ],
)
def test_a_completed_event_that_says_otherwise_is_not_believed(operator, response, error):  # type: ignore[no-untyped-def]
    _, raised = failing([make_event("response.completed", response={"id": "r", **response})], operator())
    assert type(raised) is error


def test_a_stream_that_was_cut_on_purpose_has_no_whole_answer():
    cut = ops.compose(ops.take_while(lambda one: one.type != "response.completed"), rxs.require_completed())
    _, raised = failing(say("C a K"), cut)
    assert isinstance(raised, TruncatedError)
    assert "after response.output_text.delta" in str(raised)


def test_what_comes_after_the_terminal_event_passes():
    assert_marbles(
        rxs.require_completed(),
        """
        source   -C-K-H-U:acme:x-|
        result   -C-K-H-U:acme:x-|
        """,
    )


# ---------------------------------------------------------------------- a well-formed stream


def test_a_stream_that_ended_well_passes_untouched():
    events = say("C M B a D E I 1R 1B 1s:x 1D 1E 1I K H")
    assert run(events, rxs.well_formed()) == events


def test_take_while_and_then_an_ending():
    cut = ops.compose(ops.take_while(lambda one: "stop" not in getattr(one, "delta", "")), rxs.well_formed(reason="me"))
    seen = run(say("C M B a stop b D E I K"), cut)
    assert [one.type for one in seen[-4:]] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]
    end = seen[-1]
    assert isinstance(end, ResponseIncompleteEvent)
    assert end.response.incomplete_details is not None
    assert (end.response.incomplete_details.reason, end.response.output_text) == ("me", "a")


def test_take_until_cuts_in_time():
    assert_marbles(
        ops.compose(ops.take_until(reactivex.timer(0.04)), rxs.well_formed()),
        """
        source   -C-a-b-K|
        result   -C-a(D*:a,I*,N*:interrupted,|)
        """,
    )


@pytest.mark.parametrize("error", [TruncatedError("cut"), DisconnectedError("gone"), RuntimeError("mine")])
def test_a_stream_that_failed_is_closed_and_its_error_follows(error: Exception):
    source = reactivex.concat(reactivex.from_iterable(say("C M B a")), reactivex.throw(error))
    seen: list[StreamingEvent] = []
    errors: list[Exception] = []
    source.pipe(rxs.well_formed()).subscribe(seen.append, errors.append)
    assert errors == [error]
    assert isinstance(seen[-1], ResponseIncompleteEvent)
    assert [one.synthetic for one in seen] == [False] * 4 + [True] * 4


def test_an_error_that_is_not_wanted_is_caught_after_the_ending():
    source = reactivex.concat(reactivex.from_iterable(say("C M B a")), reactivex.throw(TruncatedError("cut")))
    ends: list[str] = []
    caught = source.pipe(rxs.well_formed(), ops.catch(reactivex.empty()), rxs.snapshots(), ops.last())
    caught.subscribe(lambda last: ends.append(last.response.status or ""), lambda error: ends.append(repr(error)))
    assert ends == ["incomplete"]


def test_a_failure_that_never_began_is_only_an_error():
    seen, raised = failing([], ops.compose(ops.concat(reactivex.throw(TruncatedError("cut"))), rxs.well_formed()))
    assert seen == []
    assert isinstance(raised, TruncatedError)


def test_a_response_that_failed_is_not_made_incomplete():
    assert_marbles(
        rxs.well_formed(),
        """
        source   -C-a-D-I-X-#
        result   -C-a-D-I-X-#
        """,
    )


def test_items_left_open_are_closed_before_the_end():
    assert_marbles(
        rxs.well_formed(),
        """
        source   -C-M-B-a-K--------------|
        result   -C-M-B-a-(D*:a,E*,I*,K)-|
        """,
    )


def test_text_that_the_end_alone_brings_is_in_the_synthetic_done():
    whole = {"type": "message", "id": "msg_0", "role": "assistant", "status": "completed"}
    final = {**whole, "content": [{"type": "output_text", "text": "abc", "annotations": []}]}
    end = make_event("response.completed", response={"id": "r", "status": "completed", "output": [final]})
    seen = run([*say("C M B a"), end], rxs.well_formed())
    (done,) = [one for one in seen if isinstance(one, ResponseOutputTextDoneEvent)]
    assert (done.text, done.synthetic) == ("abc", True)
    assert "".join(run(seen, rxs.text_only())) == "abc"


@pytest.mark.parametrize("between", [ops.compose(), rxs.normalize()])
def test_a_cut_call_is_not_acted_upon(between):  # type: ignore[no-untyped-def]
    seen = run(say("C F:pay 0f:{"), ops.compose(rxs.well_formed(), between))
    assert seen[-1].type == "response.incomplete"
    assert run(seen, rxs.accumulate_function_args()) == []


def test_what_was_made_well_formed_satisfies_whoever_wants_an_end():
    seen = run(say("C M B a"), rxs.well_formed())
    _, raised = failing(seen, rxs.require_completed())
    assert isinstance(raised, ResponseIncompleteError)
    assert raised.reason == "interrupted"
    assert run(seen, rxs.well_formed()) == seen


def test_an_observer_that_raises_finds_no_last_words():
    seen: list[StreamingEvent] = []
    subject: reactivex.Subject[StreamingEvent] = reactivex.Subject()

    def on_next(one: StreamingEvent) -> None:
        seen.append(one)
        if one.type.endswith("delta"):
            raise RuntimeError("mine")

    errors: list[Exception] = []
    subject.pipe(rxs.well_formed()).subscribe(on_next, errors.append)
    created, delta = say("C a")
    subject.on_next(created)
    with pytest.raises(RuntimeError) as raised:
        subject.on_next(delta)
    subject.on_error(raised.value)  # as a session's source does
    assert seen == [created, delta]
    assert errors == [raised.value]


def test_the_types_are_those_of_the_vocabulary():
    response = run(say("C K"), rxs.final_response())[0]
    assert isinstance(response, Response)
