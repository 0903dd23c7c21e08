"""The response so far, at any moment."""

import threading
from typing import Any

import pytest

from rxstream.events import MessageItem, OutputTextPart, StreamingEvent
from rxstream.response.history._snapshot import Snapshot, Snapshots
from rxstream.response.history._versioned import Versioned
from tests.event_builders import (
    completed,
    in_progress,
    item_added,
    item_done,
    make_event,
    message,
    part_added,
    say,
    text_delta,
    text_part,
)
from tests.waiting import BOUND


def snapshots(events: list[StreamingEvent]) -> list[Snapshot]:
    core = Snapshots()
    return [snapshot for one in events for snapshot in core.feed(one)]


def last_output(*events: StreamingEvent) -> list[dict[str, Any]]:
    return [item.model_dump() for item in snapshots(list(events))[-1].response.output]


# ---------------------------------------------------------------------- a moment stays as it was


def test_a_snapshot_asked_late_is_what_it_was_then():
    seen = snapshots(say("C M B a b_ c D E I K"))
    texts = [snapshot.text for snapshot in reversed(seen)][::-1]
    assert texts == ["", "", "", "a", "ab ", "ab c", "ab c", "ab c", "ab c", "ab c"]
    assert [snapshot.response.status for snapshot in seen] == ["in_progress"] * 9 + ["completed"]


def test_asked_early_or_late_it_is_the_same():
    events = say("C M B a b 1R 1s:x 1s:y c 1:D 1E 1I A:page d D E I K")
    core = Snapshots()
    early = []
    for one in events:
        for snapshot in core.feed(one):
            early.append(snapshot.response.model_dump())
    late = snapshots(events)
    assert [snapshot.response.model_dump() for snapshot in reversed(late)][::-1] == early


def test_the_response_is_put_together_once():
    snapshot = snapshots(say("C M B a"))[-1]
    assert snapshot.response is snapshot.response


def test_what_is_done_is_shared_between_snapshots():
    seen = snapshots(say("C M B a D E I 1M 1:b 1:c"))
    assert seen[-1].response.output[0] is seen[-2].response.output[0]


def test_a_snapshot_tells_its_event_and_shows_its_text():
    events = say("C M a b_")
    seen = snapshots(events)
    assert [snapshot.event for snapshot in seen] == events
    assert (str(seen[-1]), repr(seen[-1])) == ("ab ", "<Snapshot after response.output_text.delta>")


@pytest.mark.parametrize("token", ["H", "U:acme:new", "W"])
def test_what_tells_nothing_of_the_response_makes_no_snapshot(token: str):
    assert [snapshot.event.type for snapshot in snapshots(say(f"C {token} a"))] == [
        "response.created",
        "response.output_text.delta",
    ]


def test_a_snapshot_may_be_asked_on_another_thread_meanwhile():
    core = Snapshots()
    (first,) = core.feed(say("C")[0])
    failures: list[BaseException] = []
    stop = threading.Event()
    newest = [first]

    def ask() -> None:
        try:
            while not stop.is_set():
                text = Snapshot(newest[0].event, core._history).response.output_text
                assert text == "x" * len(text)
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(300):
        for one in say(f"{number}M {number}:x {number}:x"):
            newest = list(core.feed(one)) or newest
    stop.set()
    thread.join(BOUND)
    assert not failures


# ---------------------------------------------------------------------- as the API would show it


def test_text_and_its_annotations_and_logprobs_grow():
    logprob = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
    note = {"type": "url_citation", "url": "https://example.org", "title": "t", "start_index": 0, "end_index": 1}
    (item,) = last_output(
        item_added(),
        part_added(),
        text_delta("a", logprobs=[logprob]),
        make_event("response.output_text.annotation.added", annotation_index=0, annotation=note),
        text_delta("b", logprobs=[logprob]),
    )
    (part,) = item["content"]
    assert part == {"type": "output_text", "text": "ab", "annotations": [note], "logprobs": [logprob, logprob]}
    assert item["status"] == "in_progress"


def test_a_done_event_is_authoritative_and_later_deltas_go_on_from_it():
    events = say("C M B a b D:abc")
    assert snapshots(events)[-1].text == "abc"
    assert snapshots([*events, say("C M B x")[-1]])[-1].text == "abcx"


def test_an_item_that_is_done_replaces_what_its_deltas_said():
    assert last_output(*say("C M B a b"), item_done(0, text_part("x"))) == [message(text_part("x"))]


def test_parts_of_a_message_stay_apart_and_in_order():
    seen = snapshots(say("C M 0.1:b 0.0:a 0.1:c 0.2r:no"))
    (item,) = seen[-1].response.output
    assert isinstance(item, MessageItem)
    assert [part.model_dump(include={"text", "refusal"}) for part in item.content] == [
        {"text": "a"},
        {"text": "bc"},
        {"refusal": "no"},
    ]


def test_items_are_in_the_order_of_their_index_whenever_they_came():
    output = snapshots(say("C 2M 2:z 0R 0s:x 1F:look 1f:{}"))[-1].response.output
    assert [item.type for item in output] == ["reasoning", "function_call", "message"]


def test_a_reasoning_item_grows_in_both_its_lists():
    (item,) = last_output(*say("C R s:a s:b 0.1s:c t:x t:y"))
    assert [part["text"] for part in item["summary"]] == ["ab", "c"]
    assert [part["text"] for part in item["content"]] == ["xy"]


@pytest.mark.parametrize(
    ("kind", "stem", "field"),
    [
        ("function_call", "response.function_call_arguments", "arguments"),
        ("mcp_call", "response.mcp_call_arguments", "arguments"),
        ("custom_tool_call", "response.custom_tool_call_input", "input"),
        ("code_interpreter_call", "response.code_interpreter_call_code", "code"),
    ],
)
def test_the_text_of_a_call_grows(kind: str, stem: str, field: str):
    events = [
        item_added(type=kind, **{field: ""}),
        make_event(f"{stem}.delta", output_index=0, item_id="i", delta="{"),
        make_event(f"{stem}.delta", output_index=0, item_id="i", delta="}"),
    ]
    assert last_output(*events)[0][field] == "{}"
    done = make_event(f"{stem}.done", output_index=0, item_id="i", **{field: "{ }"})
    assert last_output(*events, done)[0][field] == "{ }"


def test_the_commands_of_a_shell_call_grow_each_for_itself():
    def command(step: str, index: int, **fields: Any) -> StreamingEvent:
        return make_event(f"response.shell_call_command.{step}", output_index=0, command_index=index, **fields)

    (item,) = last_output(
        item_added(type="shell_call", call_id="c", action={"commands": [], "timeout_ms": None}),
        command("added", 0, command=""),
        command("delta", 0, delta="ls"),
        command("added", 1, command=""),
        command("delta", 1, delta="pw"),
        command("delta", 0, delta=" -a"),
        command("done", 1, command="pwd"),
    )
    assert item["action"] == {"commands": ["ls -a", "pwd"], "timeout_ms": None}


def test_what_a_shell_prints_grows_and_is_replaced_by_the_whole():
    place = {"output_index": 0, "command_index": 0, "item_id": "o"}
    stem = "response.shell_call_output_content"
    events = [
        item_added(type="shell_call_output", call_id="c", output=[]),
        make_event(f"{stem}.delta", **place, delta={"stdout": "a"}),
        make_event(f"{stem}.delta", **place, delta={"stderr": "!", "stdout": "b"}),
    ]
    assert last_output(*events)[0]["output"] == [{"stdout": "ab", "stderr": "!"}]
    whole = {"stdout": "abc", "stderr": "!", "outcome": {"type": "exit", "exit_code": 0}}
    done = make_event(f"{stem}.done", **place, output=[whole])
    assert last_output(*events, done)[0]["output"] == [whole]


def test_a_patch_grows():
    stem = "response.apply_patch_call_operation_diff"
    (item,) = last_output(
        item_added(type="apply_patch_call", call_id="c", operation={"type": "create_file", "path": "a", "diff": ""}),
        make_event(f"{stem}.delta", output_index=0, item_id="i", delta="+a"),
        make_event(f"{stem}.delta", output_index=0, item_id="i", delta="\n"),
    )
    assert item["operation"] == {"type": "create_file", "path": "a", "diff": "+a\n"}


def test_the_status_of_a_hosted_tool_follows_its_events():
    stem = "response.web_search_call"
    statuses = [
        snapshot.response.output[0].status
        for snapshot in snapshots(
            [
                item_added(type="web_search_call"),
                make_event(f"{stem}.searching", output_index=0, item_id="i"),
                make_event(f"{stem}.completed", output_index=0, item_id="i"),
            ]
        )
    ]
    assert statuses == ["in_progress", "searching", "completed"]


def test_an_item_of_a_type_nobody_knows_is_kept_and_its_text_added():
    events = [
        item_added(type="acme:call", secret=1),
        make_event("response.function_call_arguments.delta", output_index=0, item_id="i", delta="{}"),
    ]
    assert last_output(*events) == [
        {"type": "acme:call", "id": "item_0", "status": "in_progress", "secret": 1, "arguments": "{}"}
    ]


def test_what_was_never_added_is_there_all_the_same():
    response = snapshots(say("a 1r:no 2s:x 3f:{}"))[-1].response
    assert [item.type for item in response.output] == ["message", "message", "reasoning", "function_call"]
    assert (response.status, response.output_text) == ("in_progress", "a")


# ---------------------------------------------------------------------- the end


def test_the_end_is_the_apis_own_response():
    events = say("C M B a D E I K")
    assert snapshots(events)[-1].response is events[-1].response  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_an_output_that_is_left_empty_at_the_end_is_filled(kind: str):
    end = make_event(f"response.{kind}", response={"id": "r", "status": kind, "output": [], "model": "m"})
    response = snapshots([*say("C M B a D E"), end])[-1].response
    assert (response.id, response.model, response.status, response.output_text) == ("r", "m", kind, "a")


@pytest.mark.parametrize(("kind", "status"), [("completed", "completed"), ("incomplete", "incomplete")])
def test_an_item_that_was_never_done_ends_as_the_response_did(kind: str, status: str):
    end = make_event(f"response.{kind}", response={"id": "r", "status": kind, "output": []})
    seen = snapshots([*say("C M a 1M 1:b 1I"), end])
    assert [item.status for item in seen[-1].response.output] == [status, "completed"]
    assert [item.status for item in seen[-2].response.output] == ["in_progress", "completed"]


def test_a_stream_that_goes_on_where_another_stopped_begins_with_its_items():
    response = snapshots([in_progress(message(text_part("old"))), *say("1M 1:_new")])[-1].response
    assert response.output_text == "old new"


# ---------------------------------------------------------------------- the log beneath


def test_a_log_reads_every_state_it_was_in():
    log: Versioned[str] = Versioned()
    log.add(1, "a")
    log.add(3, "b")
    log.replace(5, "xyz")
    log.add(7, "!")
    assert [log.read("<", 0, moment) for moment in range(9)] == [
        "<",
        "<a",
        "<a",
        "<ab",
        "<ab",
        "xyz",
        "xyz",
        "xyz!",
        "xyz!",
    ]
    assert [log.read("<", 1, moment) for moment in (1, 3, 7)] == ["<", "<b", "xyz!"]
    assert (log.read("<", 6, 8), log.read("<", 7, 8), log.read(None, 7, 8)) == ("<!", "<", None)
    assert not log.whole
    log.replace(8, "z")
    assert log.whole


def test_a_part_that_is_no_model_is_left_alone():
    raw = item_added(type="acme:message", content=[{"text": "a"}])
    (item,) = last_output(raw, *say("b"))
    assert item["content"] == [{"text": "a"}]


def test_a_snapshot_of_typed_parts():
    (item,) = snapshots(say("C M a"))[-1].response.output
    assert isinstance(item, MessageItem)
    assert isinstance(item.content[0], OutputTextPart)


def test_reasoning_that_the_item_has_as_its_summary_is_not_repeated_as_its_text():
    """The deltas are those of a reasoning text, and the item holds the same text as a summary."""
    item = {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "ab"}]}
    events = [
        item_added(0, type="reasoning", id="rs", summary=[]),
        *(
            make_event("response.reasoning.delta", output_index=0, item_id="rs", content_index=0, delta=delta)
            for delta in "ab"
        ),
        item_done(0, **item),
    ]
    (seen,) = last_output(*events)
    assert (seen["summary"], seen.get("content")) == (item["summary"], None)
    end = completed(item)
    assert snapshots([*events, end])[-1].response is end.response
