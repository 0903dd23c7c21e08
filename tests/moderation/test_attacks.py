"""Ways in which a text that is flagged might come out all the same. Each is tried in `hold`; none may work."""

import random
from itertools import pairwise
from typing import Any

import pytest
from reactivex import Observable, empty, throw
from reactivex import just as just_one

from rxstream.errors import ModerationError
from rxstream.events import ResponseOutputTextDeltaEvent, StreamingEvent
from rxstream.moderation import Blocklist, Verdict, Window
from rxstream.testing.laws._moderation_trial import HANGS
from tests.moderation._moderated import (
    SECRET,
    added,
    assert_hidden,
    completed,
    created,
    delta,
    deltas,
    ev,
    flagged,
    item_done,
    last,
    message,
    moderated,
    of_type,
    part_added,
    part_done,
    split_in,
    text_done,
    text_part,
    types,
    whole_answer,
)

GOOD = "All is well here. "


def tokens(*said: str, **more: Any) -> list[dict[str, Any]]:
    return [{"token": one, "logprob": -0.1, "bytes": list(one.encode()), "top_logprobs": [], **more} for one in said]


def around(*inner: StreamingEvent, index: int = 0) -> list[StreamingEvent]:
    """A good text, these events inside its part, and its good end."""
    return [
        created(),
        added(index),
        part_added(index),
        delta(GOOD, index),
        *inner,
        text_done(GOOD, index),
        part_done(GOOD, index),
        item_done(text_part(GOOD), index=index),
        completed(message(text_part(GOOD), index=index)),
    ]


def call(kind: str, **fields: Any) -> StreamingEvent:
    return added(1, type=kind, id="item_1", call_id="call_1", **fields)


ATTACKS: dict[str, tuple[list[StreamingEvent], dict[str, Any]]] = {
    "whole in one delta": (whole_answer(GOOD, SECRET, " bye"), {}),
    "split over two deltas": (whole_answer(GOOD, *split_in(SECRET, 2), " bye"), {}),
    "split over three deltas": (whole_answer(GOOD, *split_in(SECRET, 3), " bye"), {}),
    "split over a delta for each character": (whole_answer(GOOD, *SECRET, " bye"), {}),
    "split by a pause, so that a check sees half": (whole_answer(GOOD, *split_in(SECRET, 2)), {"gap": 0.4}),
    "split by pauses into characters": (whole_answer(*SECRET), {"gap": 1.5}),
    "split over full windows": (whole_answer(*SECRET), {"first_chars": 3, "max_chars": 3, "context": 0}),
    "at the very end": (whole_answer(GOOD, SECRET), {}),
    "at the very beginning": (whole_answer(SECRET, GOOD), {}),
    "only in the text's done": (whole_answer(GOOD, SECRET, said=[GOOD]), {}),
    "only in the text's done, which says something else": (whole_answer(SECRET, said=[GOOD]), {}),
    "half in the deltas, half in the done": (whole_answer(GOOD, SECRET, said=[GOOD, SECRET[:7]]), {}),
    "in the part's done alone": (
        [created(), added(), part_added(), delta(GOOD), part_done(GOOD + SECRET), completed()],
        {},
    ),
    "in the item's done alone": (
        [created(), added(), part_added(), delta(GOOD), item_done(text_part(GOOD + SECRET)), completed()],
        {},
    ),
    "in an item that has no other event": ([created(), added(), item_done(text_part(SECRET)), completed()], {}),
    "in the terminal event alone": ([created(), completed(message(text_part(GOOD), text_part(SECRET)))], {}),
    "in the terminal event, of a text that was good": (
        [*around()[:-1], completed(message(text_part(GOOD + SECRET)))],
        {},
    ),
    "in the terminal event's output_text": (
        [*around()[:-1], completed(message(text_part(GOOD)), output_text=SECRET)],
        {},
    ),
    "in response.incomplete": (
        [
            *around()[:-1],
            ev(
                "response.incomplete",
                response={"id": "r", "status": "incomplete", "output": [message(text_part(SECRET))]},
            ),
        ],
        {},
    ),
    "in response.failed": (
        [
            *around()[:-1],
            ev("response.failed", response={"id": "r", "status": "failed", "output": [message(text_part(SECRET))]}),
        ],
        {},
    ),
    "in the part's added": ([created(), added(), part_added(text=SECRET), *around()[3:]], {}),
    "in the item's added": ([created(), added(content=[text_part(SECRET)]), part_added(), *around()[3:]], {}),
    "in a snapshot in the middle": (
        around(
            ev(
                "response.in_progress",
                response={"id": "r", "status": "in_progress", "output": [message(text_part(GOOD + SECRET))]},
            )
        ),
        {},
    ),
    "in the header": (
        [
            ev(
                "response.created",
                response={"id": "r", "status": "in_progress", "output": [message(text_part(SECRET))]},
            ),
            *around()[1:],
        ],
        {},
    ),
    "in the log probabilities of a delta": (around(delta("", logprobs=tokens(SECRET))), {}),
    "in the log probabilities of the done": (
        [*around()[:4], text_done(GOOD, logprobs=tokens(GOOD, SECRET)), *around()[5:]],
        {},
    ),
    "in log probabilities of the item": (
        [*around()[:6], item_done(text_part(GOOD, logprobs=tokens(SECRET))), around()[-1]],
        {},
    ),
    "in a token that was not taken": (
        [
            *around()[:4],
            text_done(GOOD, logprobs=tokens(GOOD, top_logprobs=[{"token": SECRET, "logprob": -9.0}])),
            *around()[5:],
        ],
        {},
    ),
    "spelled in the bytes of a token": (
        [
            *around()[:4],
            text_done(GOOD, logprobs=[{"token": GOOD, "bytes": list(SECRET.encode()), "logprob": 0}]),
            *around()[5:],
        ],
        {},
    ),
    "in an annotation's title": (
        around(
            ev(
                "response.output_text.annotation.added",
                output_index=0,
                content_index=0,
                annotation_index=0,
                annotation={
                    "type": "url_citation",
                    "url": "https://a.test",
                    "title": SECRET,
                    "start_index": 0,
                    "end_index": 3,
                },
            )
        ),
        {},
    ),
    "in an annotation's url, in the part alone": (
        [
            *around()[:5],
            part_done(GOOD, annotations=[{"type": "url_citation", "url": f"https://a.test/?q={SECRET}", "title": "A"}]),
            *around()[6:],
        ],
        {},
    ),
    "in an annotation nobody knows": (
        [*around()[:5], part_done(GOOD, annotations=[{"type": "footnote", "note": {"body": [SECRET]}}]), *around()[6:]],
        {},
    ),
    "in a second part": (
        [*around()[:6], part_added(0, 1), *deltas(*split_in(SECRET, 4), part=1), text_done(SECRET, 0, 1), completed()],
        {},
    ),
    "in interleaved parts": (
        [
            created(),
            added(),
            *[one for pair in zip(deltas(*SECRET), deltas(*GOOD[: len(SECRET)], part=1), strict=True) for one in pair],
            text_done(SECRET),
            completed(),
        ],
        {},
    ),
    "in interleaved items": (
        [
            created(),
            added(0),
            added(1),
            *[one for pair in zip(deltas(*SECRET), deltas(*GOOD[: len(SECRET)], index=1), strict=True) for one in pair],
            text_done(GOOD[: len(SECRET)], 1),
            text_done(SECRET, 0),
            completed(),
        ],
        {},
    ),
    "in a refusal": (
        [
            created(),
            added(),
            *[ev("response.refusal.delta", output_index=0, content_index=0, delta=one) for one in split_in(SECRET, 3)],
            ev("response.refusal.done", output_index=0, content_index=0, refusal=SECRET),
            completed(message({"type": "refusal", "refusal": SECRET})),
        ],
        {},
    ),
    "in a refusal that only the item has": (
        [created(), added(), item_done({"type": "refusal", "refusal": SECRET}), completed()],
        {},
    ),
    "in function arguments": (
        [
            created(),
            call("function_call", name="f", arguments=""),
            *[
                ev("response.function_call_arguments.delta", output_index=1, delta=one)
                for one in ('{"a":"', *split_in(SECRET, 5))
            ],
            ev("response.function_call_arguments.done", output_index=1, arguments=f'{{"a":"{SECRET}"}}'),
            completed(),
        ],
        {"include": ("function_args",)},
    ),
    "in function arguments that come only with the item": (
        [
            created(),
            call("function_call", name="f", arguments=SECRET),
            ev(
                "response.output_item.done",
                output_index=1,
                item={"type": "function_call", "call_id": "c", "name": "f", "arguments": SECRET},
            ),
            completed({"type": "function_call", "call_id": "c", "name": "f", "arguments": SECRET}),
        ],
        {"include": ("function_args",)},
    ),
    "in MCP arguments awaiting approval": (
        [created(), call("mcp_approval_request", arguments=SECRET, name="f", server_label="s"), completed()],
        {"include": ("function_args",)},
    ),
    "in a custom tool's input": (
        [
            created(),
            *[ev("response.custom_tool_call_input.delta", output_index=1, item_id="i", delta=one) for one in SECRET],
            completed({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": SECRET}),
        ],
        {"include": ("custom_input",)},
    ),
    "in code": (
        [
            created(),
            *[
                ev("response.code_interpreter_call_code.delta", output_index=1, item_id="i", delta=one)
                for one in SECRET
            ],
            ev("response.code_interpreter_call_code.done", output_index=1, item_id="i", code=SECRET),
            completed(),
        ],
        {"include": ("code",)},
    ),
    "in a shell command": (
        [
            created(),
            ev("response.shell_call_command.added", output_index=1, command_index=0, command=""),
            *[ev("response.shell_call_command.delta", output_index=1, command_index=0, delta=one) for one in SECRET],
            ev(
                "response.output_item.done",
                output_index=1,
                item={"type": "shell_call", "action": {"commands": [SECRET]}},
            ),
            completed(),
        ],
        {"include": ("code",)},
    ),
    "in a patch": (
        [
            created(),
            *[
                ev("response.apply_patch_call_operation_diff.delta", output_index=1, item_id="i", delta=one)
                for one in SECRET
            ],
            completed({"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": SECRET}}),
        ],
        {"include": ("code",)},
    ),
    "in a reasoning summary": (
        [
            created(),
            added(0, type="reasoning", summary=[]),
            *[
                ev("response.reasoning_summary_text.delta", output_index=0, summary_index=0, item_id="i", delta=one)
                for one in SECRET
            ],
            ev("response.reasoning_summary_text.done", output_index=0, summary_index=0, item_id="i", text=SECRET),
            completed({"type": "reasoning", "summary": [{"type": "summary_text", "text": SECRET}]}),
        ],
        {"include": ("reasoning_summary",)},
    ),
    "in reasoning, by its old name": (
        [
            created(),
            *[
                ev("response.reasoning.delta", output_index=0, content_index=0, item_id="i", delta=one)
                for one in SECRET
            ],
            ev("response.reasoning.done", output_index=0, content_index=0, item_id="i", text=SECRET),
            completed(),
        ],
        {"include": ("reasoning",)},
    ),
    "in the transcript of audio": (
        [
            created(),
            *[ev("response.audio.transcript.delta", delta=one) for one in SECRET],
            ev("response.audio.delta", delta=SECRET),  # stands for the same words, spoken
            ev("response.audio.transcript.done"),
            completed(),
        ],
        {"include": ("audio_transcript",)},
    ),
    "in an event nobody knows": (around(ev("acme:trace", output_index=0, note={"deep": [SECRET]})), {}),
    "in an event nobody knows, of no item": (
        [*around()[:-1], ev("response.output_preview", text=SECRET), around()[-1]],
        {},
    ),
    "split over events nobody knows": (
        around(*[ev("response.markdown.delta", output_index=0, delta=one) for one in split_in(SECRET, 4)]),
        {},
    ),
    "in events nobody knows, before the text says it": (
        [created(), ev("acme:plan", plan=SECRET), *whole_answer(GOOD, SECRET)[1:]],
        {},
    ),
    "in a delta that does not fit its type": (around(ev("response.output_text.delta", delta={"text": SECRET})), {}),
    "in a field nobody knows, of a delta": (around(delta("x", so_far=SECRET)), {}),
    "in a field nobody knows, of a done": ([*around()[:4], text_done(GOOD, echo={"was": SECRET}), *around()[5:]], {}),
    "in a field nobody knows, of another event": (
        around(ev("response.web_search_call.completed", output_index=0, echo=SECRET)),
        {},
    ),
    "in a field nobody knows, of the response": (
        [*around()[:-1], completed(message(text_part(GOOD)), summary=SECRET)],
        {},
    ),
    "in a field nobody knows, of a part": (
        [*around()[:5], part_done(GOOD, html=f"<b>{SECRET}</b>"), *around()[6:]],
        {},
    ),
    "in the padding": (around(delta("x", obfuscation=SECRET)), {}),
    "in a long field nobody knows, over the edge of a window": (
        [*around()[:4], text_done(GOOD, echo="." * 30 + SECRET + "." * 30), *around()[5:]],
        {"max_chars": 37, "first_chars": 37, "context": 0},
    ),
    "in a part nobody knows": (
        [*around()[:6], item_done(text_part(GOOD), {"type": "output_markdown", "markdown": SECRET}), completed()],
        {},
    ),
    "in an item nobody knows": (
        [
            created(),
            ev("response.output_item.done", output_index=0, item={"type": "acme:note", "id": "n", "body": SECRET}),
            completed(),
        ],
        {},
    ),
    "after the text was done": ([*around()[:6], *deltas(*split_in(SECRET, 3)), *around()[6:]], {}),
    "after the terminal event": ([*around(), *deltas(*split_in(SECRET, 3))], {}),
    "without indexes": (
        [
            created(),
            *[ev("response.output_text.delta", delta=one) for one in SECRET],
            ev("response.output_text.done", text=SECRET),
            completed(),
        ],
        {},
    ),
    "under item ids that change": (
        [
            created(),
            *[
                ev("response.output_text.delta", output_index=0, content_index=0, item_id=f"i{at}", delta=one)
                for at, one in enumerate(SECRET)
            ],
            completed(),
        ],
        {},
    ),
    "twice": (whole_answer(GOOD, SECRET, GOOD, *split_in(SECRET, 2)), {}),
}


@pytest.mark.parametrize("action", ["cut", "error", "replace"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_piece_of_a_flagged_text_comes_out(attack: str, action: str):
    events, options = ATTACKS[attack]
    seen = moderated(events, on_flag=action, **options)
    assert_hidden(seen)
    said = {event.action for event in of_type(seen, "rxstream.moderation.flagged")}
    assert seen.ended == ("#" if "error" in said else "|")


_QUIET = {
    "in the part's added",
    "in the item's added",
    "in a snapshot in the middle",
    "in the header",
    "in the padding",
    "in a field nobody knows, of a delta",
}
"""Here the text is left out without any check: it may not come so early, or not there at all."""


@pytest.mark.parametrize("attack", sorted(ATTACKS.keys() - _QUIET))
def test_an_attack_is_flagged_and_the_stream_is_cut(attack: str):
    events, options = ATTACKS[attack]
    seen = moderated(events, **options)
    said = of_type(seen, "rxstream.moderation.flagged")
    assert said, types(seen)
    assert said[-1].verdict.categories == ("blocklist",)
    if said[-1].action == "cut":
        assert last(seen).type in ("response.incomplete", "rxstream.moderation.flagged")


def test_what_is_good_comes_out_in_front_of_what_is_not():
    for name in ("split over two deltas", "at the very end", "only in the text's done", "in a second part"):
        seen = moderated(ATTACKS[name][0], gap=0.3)
        assert seen.texts()[0, 0, "text"].startswith(GOOD[: len(GOOD) - len(SECRET) + 1]), name


@pytest.mark.parametrize("number", range(2, len(SECRET) + 1))
@pytest.mark.parametrize("gap", [0.001, 0.3, 1.2])
def test_a_secret_split_over_n_deltas_does_not_come_out(number: int, gap: float):
    assert_hidden(moderated(whole_answer(GOOD, *split_in(SECRET, number), GOOD), gap=gap))


def test_a_secret_split_over_a_surrogate_pair_is_seen_whole():
    secret = "key 😀 PLUGH-42"
    halves = [
        ResponseOutputTextDeltaEvent.model_construct(type="response.output_text.delta", delta=text)
        for text in ("the key \ud83d", "\ude00 PLU", "GH-42 ok")
    ]
    seen = moderated([created(), *halves, completed()], Blocklist([secret]), gap=0.5)
    assert flagged(seen).action == "cut"
    assert_hidden(seen, "PLUGH-42")


@pytest.mark.parametrize("gap", [0.001, 0.5])
def test_a_secret_split_over_a_combining_mark_is_seen_whole(gap: float):
    secret = "cafe\u0301-PLUGH"
    for listed in (secret, "caf\u00e9-PLUGH"):
        seen = moderated(whole_answer("my caf", "e", "\u0301-PL", "UGH now"), Blocklist([listed]), gap=gap)
        assert flagged(seen).action == "cut"
        assert_hidden(seen, "\u0301-PLUGH", 3)


def test_no_delta_splits_a_grapheme():
    text = "e\u0301👨‍👩‍👧‍👦🇫🇷🇩🇪각👍🏽\r\n" * 9
    for first in range(1, 12):
        seen = moderated(whole_answer(*text), lambda window: False, first_chars=first, max_chars=first, boundary=None)
        assert seen.texts()[0, 0, "text"] == text
        for event in of_type(seen, "response.output_text.delta"):
            assert event.delta[0] not in "\u0301\u200d\n🏽"
            assert not event.delta.endswith("\u200d")


# ---------------------------------------------------------------------- checks that misbehave


def raises(window: Window) -> bool:
    raise ValueError(f"cannot judge {window.text}")


MISBEHAVIOURS: dict[str, Any] = {
    "raises": raises,
    "hangs": lambda window: HANGS,
    "answers None": lambda window: None,
    "answers a text": lambda window: "fine",
    "answers a number": lambda window: 0,
    "answers an Observable of nothing": lambda window: empty(),
    "answers an Observable of rubbish": lambda window: just_one("fine"),
    "answers an Observable that fails": lambda window: throw(ValueError(window.text)),
    "answers a verdict that is none": lambda window: Verdict(flagged=None),  # type: ignore[arg-type]
    "answers a verdict of rubbish": lambda window: Verdict(False, categories=None),  # type: ignore[arg-type]
    "answers a verdict with texts for scores": lambda window: Verdict(False, scores={"a": window.text}),  # type: ignore[dict-item]
    "answers a verdict with spans of nothing": lambda window: Verdict(False, spans=((1,),)),  # type: ignore[arg-type]
    "answers an awaitable that fails": lambda window: _failing(window),
    "answers an awaitable of rubbish": lambda window: _rubbish(window),
}


async def _failing(window: Window) -> bool:
    raise ValueError(window.text)


async def _rubbish(window: Window) -> Any:
    return window.text


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_a_check_that_gives_no_verdict_releases_nothing(misbehaviour: str, mode: str):
    answer = MISBEHAVIOURS[misbehaviour]
    seen = moderated(whole_answer(GOOD, SECRET, " bye"), answer, mode=mode, max_exposure=4)
    said = flagged(seen)
    assert (said.cause, said.action) == ("check_error", "cut")
    assert seen.ended == "|"
    if mode == "hold":
        assert_hidden(seen)
        assert not seen.texts()
    else:
        assert sum(seen.kept().values()) == 0
    assert "PLUGH" not in "\n".join(seen.log), "the text is in the log"


def test_a_failed_check_is_asked_again_before_it_counts():
    answers = iter([None, False])
    seen = moderated(whole_answer(GOOD), lambda window: next(answers))
    assert seen.texts()[0, 0, "text"] == GOOD
    assert len(seen.asked) == 2
    assert seen.asked[0].window == seen.asked[1].window


def test_a_check_may_fail_open_but_only_where_it_is_written_out():
    seen = moderated(whole_answer(GOOD), raises, on_check_error="pass")
    assert seen.texts()[0, 0, "text"] == GOOD
    seen = moderated(whole_answer(GOOD), raises, on_check_error="error")
    assert isinstance(seen.error, ModerationError)
    assert seen.error.__cause__ is None
    assert GOOD not in f"{seen.error!r} {seen.error}"


def test_a_slow_check_releases_in_order_and_not_before_its_verdict():
    seen = moderated(
        whole_answer(*split_in(GOOD * 9, 30)), lambda window: False, delay=0.7, first_chars=20, max_chars=20
    )
    assert seen.texts()[0, 0, "text"] == GOOD * 9
    assert min(at for _, at, event in seen.emitted if event.type.endswith("delta")) >= 0.7


def test_checks_that_overtake_each_other_do_not_reorder_the_text():
    rng = random.Random(1)
    text = "".join(chr(97 + number % 26) for number in range(400))
    waits = [rng.uniform(0, 2) for _ in range(99)]
    from rxstream.testing import ModerationTrial

    timed = [(0.01 * number, event) for number, event in enumerate(whole_answer(*split_in(text, 40)))]
    options = {"first_chars": 20, "max_chars": 20, "in_flight": 6, "boundary": None}
    seen = ModerationTrial(timed, lambda window: False, delay=lambda n: waits[n], options=options).run()
    assert seen.texts()[0, 0, "text"] == text


def test_a_retry_does_not_reorder_the_text():
    failed: set[str] = set()

    def once(window: Window) -> bool | None:
        if window.text in failed:
            return False
        failed.add(window.text)
        return None

    text = "".join(chr(97 + number % 26) for number in range(200))
    seen = moderated(whole_answer(*split_in(text, 20)), once, delay=0.2, first_chars=20, max_chars=20, boundary=None)
    assert seen.texts()[0, 0, "text"] == text


# ---------------------------------------------------------------------- in the middle of a check


def test_a_dispose_in_the_middle_of_a_check_cancels_it_and_says_nothing():
    seen = moderated(whole_answer(GOOD, SECRET), delay=2.0, dispose_at=0.5)
    assert [one.cancelled for one in seen.asked] == [True]
    assert (seen.ended, seen.left_open) == ("", False)
    assert_hidden(seen)


def test_an_upstream_error_in_the_middle_of_a_check_drops_what_was_not_verified():
    broken = ConnectionError("the wire broke")
    seen = moderated([*whole_answer(GOOD)[:3], delta(GOOD), delta(SECRET)], delay=2.0, quiet=0.0, error=broken)
    assert seen.error is broken
    assert_hidden(seen)
    assert all(one.cancelled for one in seen.asked)


def test_an_upstream_error_follows_the_verified_text():
    broken = ConnectionError("the wire broke")
    events = [created(), added(), part_added(), delta(GOOD), ev("keepalive"), ev("keepalive"), delta(SECRET)]
    seen = moderated(events, lambda window: False, gap=0.3, error=broken)
    assert seen.texts() == {(0, 0, "text"): GOOD}
    assert seen.error is broken


def test_the_event_that_announces_a_failure_comes_before_the_error_without_what_was_held():
    failure = {
        "id": "r",
        "status": "failed",
        "output": [message(text_part(GOOD + SECRET))],
        "error": {"code": "x", "message": "m"},
    }
    error = ConnectionError("response.failed")
    events = [
        *whole_answer(GOOD)[:3],
        delta(GOOD),
        delta(SECRET),
        ev("error", message="m"),
        ev("response.failed", response=failure),
    ]
    seen = moderated(events, delay=5.0, error=error)
    assert types(seen)[-2:] == ["error", "response.failed"]
    assert seen.error is error
    assert_hidden(seen)


# ---------------------------------------------------------------------- streams that are strange in time


def test_a_stream_that_never_pauses_is_checked_all_the_same():
    events = [created(), added(), part_added(), *deltas(*["word "] * 400)]
    seen = moderated(events, lambda window: False, gap=0.02, first_chars=10_000, max_chars=10_000)
    firsts = [at for _, at, event in seen.emitted if event.type.endswith("delta")]
    assert firsts[0] <= 0.06 + 1.0 + 0.02
    assert max(later - earlier for earlier, later in pairwise(firsts)) <= 1.0 + 0.03


def test_a_stream_that_pauses_for_ever_is_checked_after_quiet_and_leaves_no_timer():
    from reactivex import never

    from rxstream.operators import debounce_moderation
    from rxstream.testing import VirtualClock

    clock = VirtualClock()
    seen: list[Any] = []
    source: Observable[StreamingEvent] = Observable(
        lambda observer, scheduler=None: (
            [observer.on_next(one) for one in whole_answer(GOOD)[:4]],
            never().subscribe(),
        )[1]
    )
    source.pipe(debounce_moderation(lambda window: False, quiet=0.2)).subscribe(seen.append, scheduler=clock.scheduler)
    clock.advance(0.199)
    assert [event.type for event in seen][-1] == "response.content_part.added"
    clock.advance(0.01)
    assert seen[-1].delta == GOOD
    clock.advance(10)
    assert not clock.waiting, "a timer is armed, and nothing is there to be checked"


def test_a_flag_after_the_terminal_event_still_retracts():
    seen = moderated(whole_answer(GOOD, SECRET, " bye"), delay=2.0, mode="optimistic")
    assert types(seen)[-3:] == ["response.completed", "rxstream.moderation.retracted", "rxstream.moderation.flagged"]
    taken = of_type(seen, "rxstream.moderation.retracted")[0]
    assert (taken.start, taken.end) == (0, len(GOOD + SECRET + " bye"))
    assert seen.ended == "|"
    seen = moderated(whole_answer(GOOD, SECRET), delay=2.0, mode="optimistic", on_flag="error")
    assert isinstance(seen.error, ModerationError)
    assert seen.error.verdict.flagged
