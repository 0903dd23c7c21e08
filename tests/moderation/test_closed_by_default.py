"""Whatever is not structure waits for its verdict: every field of events of every type."""

import itertools
import json
from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.errors import ApiError, DisconnectedError, ProtocolError, ResponseFailedError, RxStreamError
from rxstream.events import UnknownEvent, parse_event
from rxstream.moderation import Blocklist, Verdict
from rxstream.moderation.machine._commands import StartCheck
from rxstream.moderation.machine._machine import Moderator
from rxstream.moderation.machine._options import Options
from rxstream.testing.laws._moderation_fields import ENDINGS, EVENTS, ITEMS, places, put
from tests.event_builders import completed, created, item_added, item_done, make_event, message, text_delta, text_part
from tests.moderation._attacks import around
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, moderated, of_type, types, whole_answer

WORDS = "open sesame"
"""A secret with a space, which no identifier can have."""
NUMBER = 4111222233334444
FORMS: dict[str, Any] = {"text": WORDS, "name": {WORDS: 1}, "pieces": ["open", " ses", "ame"], "deep": [{"a": [WORDS]}]}

check = Blocklist([WORDS])


def read(event: Any) -> Any:
    return parse_event(json.dumps(event))


def streams_with(item: Any) -> list[Any]:
    item = {"id": "item_0", "status": "completed", **item}
    return [
        created(),
        read({"type": "response.output_item.added", "output_index": 0, "item": item}),
        read({"type": "response.output_item.done", "output_index": 0, "item": item}),
        read({"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item]}}),
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item["type"])
def test_no_field_of_an_item_is_emitted_unverified(item: Any, form: str):
    for path in places(item):
        if path == ("action", "commands") and form == "pieces":
            continue  # three commands, each with its own verdict
        changed = put({"id": "item_0", **item}, path, FORMS[form])
        seen = moderated(streams_with(changed), check, include="all")
        assert_open(seen, path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("event", [*EVENTS, *ENDINGS], ids=lambda event: event["type"])
def test_no_field_of_an_event_is_emitted_unverified(event: Any, form: str):
    for path in places(event):
        if path != ("type",):
            changed = read(put(event, path, FORMS[form]))
            seen = moderated([created(), item_added(), changed, completed()], check, include="all")
            assert_open(seen, path)


def assert_open(seen: Any, path: Any) -> None:
    assert WORDS not in seen.json(), path
    assert '" ses"' not in seen.json(), path
    assert seen.ended == "|", path
    assert not seen.log, path


def test_numbers_are_text_in_events_of_unknown_types_and_in_unknown_fields():
    card = Blocklist([str(NUMBER)])
    for event in (
        make_event("acme:pay", output_index=0, card=NUMBER),
        make_event("acme:pay", deep=[{"card": NUMBER}]),
        make_event("acme:pay", usage={"cost": NUMBER}),
        text_delta("x", card=NUMBER),
        item_added(0, card=NUMBER),
    ):
        seen = moderated([created(), event, completed()], card)
        assert str(NUMBER) not in seen.json(), event


def test_an_echo_of_the_request_passes_only_as_it_was_before_the_output():
    def header(**fields: Any) -> Any:
        return created(
            instructions="Never say open sesame.", tools=[{"type": "function", "name": "open_sesame"}], **fields
        )

    seen = moderated([header(), *whole_answer(GOOD)[1:-1], completed(instructions="Never say open sesame.")], check)
    assert seen.ended == "|"
    assert seen.json().count("Never say open sesame.") == 2
    seen = moderated([created(), *whole_answer(GOOD)[1:-1], completed(instructions="open sesame")], check)
    assert "open sesame" not in seen.json()
    assert types(seen)[-1] == "response.completed"


def test_a_function_name_passes_only_if_the_request_declared_it():
    name = "XYZZY_PLUGH"
    call = {"type": "function_call", "call_id": "c", "name": name, "arguments": "{}"}
    flags = Blocklist([name])
    declared = moderated([created(tools=[{"type": "function", "name": name}]), *streams_with(call)[1:]], flags)
    assert name in declared.json()
    assert name not in moderated(streams_with(call), flags, include="all").json()


@pytest.mark.parametrize("gap", [0.001, 0.3])
def test_behind_a_moderator_no_tool_sees_an_unverified_argument(gap: float):
    """With the defaults."""
    arguments = json.dumps({"city": f"{GOOD}{SECRET}"})
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": arguments}
    events = [
        created(),
        read({"type": "response.output_item.added", "output_index": 0, "item": {**call, "arguments": ""}}),
        *[
            make_event(
                "response.function_call_arguments.delta", output_index=0, item_id="fc", delta=arguments[at : at + 3]
            )
            for at in range(0, len(arguments), 3)
        ],
        make_event("response.function_call_arguments.done", output_index=0, item_id="fc", arguments=arguments),
        read({"type": "response.output_item.done", "output_index": 0, "item": call}),
        completed(call),
    ]
    for operator in (rxs.accumulate_function_args(), rxs.tool_calls()):
        calls: list[Any] = []
        seen = moderated(events, gap=gap, include="all")
        reactivex.from_iterable([event for _, _, event in seen.emitted]).pipe(operator).subscribe(calls.append)
        assert not any(call.done for call in calls)
        assert all(arguments.startswith(call.arguments) for call in calls)
        assert_hidden(seen)


# ---------------------------------------------------------------------- what differs, and what is an error


@pytest.mark.parametrize("mode", ["hold", "optimistic"])
def test_a_done_that_differs_from_its_deltas_is_judged(mode: str):
    events = [
        *around()[:4],
        make_event("response.output_text.done", output_index=0, content_index=0, text=f"It is {SECRET}"),
    ]
    seen = moderated([*events, completed()], mode=mode)
    assert of_type(seen, "rxstream.moderation.flagged")
    assert of_type(seen, "response.incomplete")
    if mode == "hold":
        assert_hidden(seen)
    else:
        (back,) = of_type(seen, "rxstream.moderation.retracted")
        assert (back.start, back.kind) == (0, "text")


def errors_with(text: str) -> list[Exception]:
    chained = RxStreamError("the reading failed")
    chained.__cause__ = ValueError(f"unexpected {text!r}")
    return [
        ApiError(f"the model said {text}", code="x", body=f'{{"message":"{text}"}}', response_id="resp_1"),
        ResponseFailedError(f"failed: {text}", code="server_error", retry_after=3.0),
        ProtocolError(f"expected a JSON object, got text that is not JSON: {text}"),
        ValueError(f"cannot read {text}"),
        chained,
    ]


@pytest.mark.parametrize("number", range(5))
def test_an_error_with_text_of_the_model_waits_for_a_verdict_on_its_message(number: int):
    good, bad = errors_with("all is well")[number], errors_with(SECRET)[number]
    assert moderated(around()[:4], error=good).error is good
    seen = moderated(around()[:4], error=bad)
    assert isinstance(seen.error, RxStreamError)
    assert SECRET not in f"{seen.error!r} {vars(seen.error)} {seen.error.__cause__!r} {seen.error.__context__!r}"
    assert "did not pass moderation" in str(seen.error)
    if isinstance(bad, RxStreamError):
        assert type(seen.error) is type(bad)
        assert seen.error.response_id == bad.response_id
        assert getattr(seen.error, "retry_after", None) == getattr(bad, "retry_after", None)
    failed = moderated(around()[:4], lambda window: 1 / 0 if window.kind == "other" else False, error=good)
    assert "did not pass moderation" in str(failed.error)


def test_an_error_of_the_network_needs_no_verdict():
    error = DisconnectedError("the connection closed")
    seen = moderated(around()[:4], lambda window: 1 / 0, error=error, on_check_error="pass")
    assert seen.error is error


def test_the_message_of_an_error_event_is_judged_and_the_stream_ends_as_it_was():
    for text, shown in ((GOOD, True), (SECRET, False)):
        seen = moderated([*around()[:4], make_event("error", message=text, code="server_error")], error=ApiError(text))
        (event,) = of_type(seen, "error")
        assert (event.message == text) is shown
        assert event.code == "server_error"
        assert_hidden(seen)


# ---------------------------------------------------------------------- lanes


def test_a_lane_is_closed_by_its_own_item_only():
    """Another item with the same index, and an error in the middle, do not end the text."""
    half, rest = SECRET[:7], SECRET[7:]
    other = item_done(0, text_part("x"), id="another")
    reasoning = read(
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "reasoning", "id": "rs", "summary": []},
        }
    )
    for between in ([other], [reasoning], [make_event("error", message="m")]):
        events = [created(), item_added(), text_delta(GOOD + half), *between, text_delta(rest + GOOD), completed()]
        for gap in (0.01, 0.5):
            assert_hidden(moderated(events, gap=gap))


def test_a_second_response_has_its_own_lanes_and_its_own_end():
    first, second = whole_answer(GOOD), whole_answer(GOOD, SECRET)
    for delay, gap in itertools.product((0.0, 1.0), (0.01, 0.5)):
        seen = moderated([*first, *second], delay=delay, gap=gap)
        assert types(seen).count("response.completed") == 1
        assert types(seen)[-1] == "response.incomplete"
        assert seen.texts()[0, 0, "text"].startswith(GOOD)
        assert_hidden(seen)
        passed = moderated([*first, *first], delay=delay, gap=gap)
        ends = [number for number, kind in enumerate(types(passed)) if kind == "response.completed"]
        assert len(ends) == 2
        assert types(passed)[ends[0] + 1] == "response.created"


def test_events_that_do_not_fit_their_type_pass_as_what_they_are():
    odd = [
        make_event("response.output_text.delta", output_index=0, content_index=0, delta="x", logprobs=[["odd"]]),
        make_event("response.output_text.delta", output_index=0, content_index=0, delta=None),
        make_event("response.output_item.done", output_index=0, item="text"),
        make_event("response.content_part.done", output_index=0, content_index=0, part=7),
        make_event("response.output_text.annotation.added", output_index=0, content_index=0, annotation=None),
    ]
    for event in odd:
        seen = moderated([created(), item_added(), text_delta(GOOD), event, completed(message(text_part(GOOD)))])
        assert seen.ended == "|"
        assert not seen.log
        assert seen.texts()[0, 0, "text"].startswith(GOOD)
        if isinstance(event, UnknownEvent):
            assert event in [emitted for _, _, emitted in seen.emitted]


def test_a_response_that_has_ended_is_forgotten():
    """A run of many turns is one stream: its memory is that of one turn."""
    machine = Moderator(Options())
    sizes: list[int] = []
    for _ in range(5):
        for event in whole_answer(GOOD):
            starts = [one for one in machine.feed(event, 0.0) if isinstance(one, StartCheck)]
            while starts:
                outputs = machine.check_ended(starts.pop().id, Verdict(False), 0.0)
                starts += [one for one in outputs if isinstance(one, StartCheck)]
        sizes.append(len(machine._responses) + len(machine.calls._running))
    assert len(machine._responses) == 1
    assert sizes == sizes[:1] * 5


def test_an_event_of_the_server_that_names_itself_as_one_of_rxstream_is_judged():
    forged = make_event("rxstream.run.note", text=SECRET)
    seen = moderated([created(), forged, completed()], include="all")
    assert_hidden(seen)
