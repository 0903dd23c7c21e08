"""Streams that hide a secret where a check might not look: a table of (events, options)."""

from typing import Any

from rxstream.events import StreamingEvent
from tests.event_builders import (
    completed,
    created,
    failed,
    in_progress,
    incomplete,
    item_added,
    item_done,
    make_event,
    message,
    part_added,
    part_done,
    text_delta,
    text_deltas,
    text_done,
    text_part,
)
from tests.moderation._moderated import GOOD, SECRET, split_in, whole_answer


def tokens(*texts: str, **more: Any) -> list[dict[str, Any]]:
    return [{"token": one, "logprob": -0.1, "bytes": list(one.encode()), "top_logprobs": [], **more} for one in texts]


def around(*inner: StreamingEvent, index: int = 0) -> list[StreamingEvent]:
    """A good text, these events inside its part, and its good end."""
    return [
        created(),
        item_added(index),
        part_added(index),
        text_delta(GOOD, index),
        *inner,
        text_done(GOOD, index),
        part_done(GOOD, index),
        item_done(index, text_part(GOOD)),
        completed(message(text_part(GOOD), output_index=index)),
    ]


def call(kind: str, **fields: Any) -> StreamingEvent:
    return item_added(1, type=kind, id="item_1", call_id="call_1", **fields)


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
    "only in the text's done": (whole_answer(GOOD, SECRET, deltas=[GOOD]), {}),
    "only in the text's done, with another text": (whole_answer(SECRET, deltas=[GOOD]), {}),
    "half in the deltas, half in the done": (whole_answer(GOOD, SECRET, deltas=[GOOD, SECRET[:7]]), {}),
    "in the part's done alone": (
        [created(), item_added(), part_added(), text_delta(GOOD), part_done(GOOD + SECRET), completed()],
        {},
    ),
    "in the item's done alone": (
        [created(), item_added(), part_added(), text_delta(GOOD), item_done(0, text_part(GOOD + SECRET)), completed()],
        {},
    ),
    "in an item that has no other event": ([created(), item_added(), item_done(0, text_part(SECRET)), completed()], {}),
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
            incomplete(message(text_part(SECRET))),
        ],
        {},
    ),
    "in response.failed": (
        [
            *around()[:-1],
            failed(message(text_part(SECRET))),
        ],
        {},
    ),
    "in the part's added": ([created(), item_added(), part_added(text=SECRET), *around()[3:]], {}),
    "in the item's added": ([created(), item_added(content=[text_part(SECRET)]), part_added(), *around()[3:]], {}),
    "in a snapshot in the middle": (
        around(in_progress(message(text_part(GOOD + SECRET)))),
        {},
    ),
    "in the header": (
        [
            created(message(text_part(SECRET))),
            *around()[1:],
        ],
        {},
    ),
    "in the log probabilities of a delta": (around(text_delta("", logprobs=tokens(SECRET))), {}),
    "in the log probabilities of the done": (
        [*around()[:4], text_done(GOOD, logprobs=tokens(GOOD, SECRET)), *around()[5:]],
        {},
    ),
    "in log probabilities of the item": (
        [*around()[:6], item_done(0, text_part(GOOD, logprobs=tokens(SECRET))), around()[-1]],
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
            make_event(
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
    "in an unknown annotation": (
        [*around()[:5], part_done(GOOD, annotations=[{"type": "footnote", "note": {"body": [SECRET]}}]), *around()[6:]],
        {},
    ),
    "in a second part": (
        [
            *around()[:6],
            part_added(0, 1),
            *text_deltas(*split_in(SECRET, 4), content_index=1),
            text_done(SECRET, 0, 1),
            completed(),
        ],
        {},
    ),
    "in interleaved parts": (
        [
            created(),
            item_added(),
            *[
                one
                for pair in zip(text_deltas(*SECRET), text_deltas(*GOOD[: len(SECRET)], content_index=1), strict=True)
                for one in pair
            ],
            text_done(SECRET),
            completed(),
        ],
        {},
    ),
    "in interleaved items": (
        [
            created(),
            item_added(0),
            item_added(1),
            *[
                one
                for pair in zip(text_deltas(*SECRET), text_deltas(*GOOD[: len(SECRET)], output_index=1), strict=True)
                for one in pair
            ],
            text_done(GOOD[: len(SECRET)], 1),
            text_done(SECRET, 0),
            completed(),
        ],
        {},
    ),
    "in a refusal": (
        [
            created(),
            item_added(),
            *[
                make_event("response.refusal.delta", output_index=0, content_index=0, delta=one)
                for one in split_in(SECRET, 3)
            ],
            make_event("response.refusal.done", output_index=0, content_index=0, refusal=SECRET),
            completed(message({"type": "refusal", "refusal": SECRET})),
        ],
        {},
    ),
    "in a refusal that only the item has": (
        [created(), item_added(), item_done(0, {"type": "refusal", "refusal": SECRET}), completed()],
        {},
    ),
    "in function arguments": (
        [
            created(),
            call("function_call", name="f", arguments=""),
            *[
                make_event("response.function_call_arguments.delta", output_index=1, delta=one)
                for one in ('{"a":"', *split_in(SECRET, 5))
            ],
            make_event("response.function_call_arguments.done", output_index=1, arguments=f'{{"a":"{SECRET}"}}'),
            completed(),
        ],
        {"include": ("function_args",)},
    ),
    "in function arguments that come only with the item": (
        [
            created(),
            call("function_call", name="f", arguments=SECRET),
            make_event(
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
            *[
                make_event("response.custom_tool_call_input.delta", output_index=1, item_id="i", delta=one)
                for one in SECRET
            ],
            completed({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": SECRET}),
        ],
        {"include": ("custom_input",)},
    ),
    "in code": (
        [
            created(),
            *[
                make_event("response.code_interpreter_call_code.delta", output_index=1, item_id="i", delta=one)
                for one in SECRET
            ],
            make_event("response.code_interpreter_call_code.done", output_index=1, item_id="i", code=SECRET),
            completed(),
        ],
        {"include": ("code",)},
    ),
    "in a shell command": (
        [
            created(),
            make_event("response.shell_call_command.added", output_index=1, command_index=0, command=""),
            *[
                make_event("response.shell_call_command.delta", output_index=1, command_index=0, delta=one)
                for one in SECRET
            ],
            make_event(
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
                make_event("response.apply_patch_call_operation_diff.delta", output_index=1, item_id="i", delta=one)
                for one in SECRET
            ],
            completed({"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a", "diff": SECRET}}),
        ],
        {"include": ("code",)},
    ),
    "in a reasoning summary": (
        [
            created(),
            item_added(0, type="reasoning", summary=[]),
            *[
                make_event(
                    "response.reasoning_summary_text.delta", output_index=0, summary_index=0, item_id="i", delta=one
                )
                for one in SECRET
            ],
            make_event(
                "response.reasoning_summary_text.done", output_index=0, summary_index=0, item_id="i", text=SECRET
            ),
            completed({"type": "reasoning", "summary": [{"type": "summary_text", "text": SECRET}]}),
        ],
        {"include": ("reasoning_summary",)},
    ),
    "in reasoning, by its old name": (
        [
            created(),
            *[
                make_event("response.reasoning.delta", output_index=0, content_index=0, item_id="i", delta=one)
                for one in SECRET
            ],
            make_event("response.reasoning.done", output_index=0, content_index=0, item_id="i", text=SECRET),
            completed(),
        ],
        {"include": ("reasoning",)},
    ),
    "in the transcript of audio": (
        [
            created(),
            *[make_event("response.audio.transcript.delta", delta=one) for one in SECRET],
            make_event("response.audio.delta", delta=SECRET),  # stands for the same words, spoken
            make_event("response.audio.transcript.done"),
            completed(),
        ],
        {"include": ("audio_transcript",)},
    ),
    "in an event of an unknown type": (around(make_event("acme:trace", output_index=0, note={"deep": [SECRET]})), {}),
    "in an event of an unknown type, of no item": (
        [*around()[:-1], make_event("response.output_preview", text=SECRET), around()[-1]],
        {},
    ),
    "split over events of an unknown type": (
        around(*[make_event("response.markdown.delta", output_index=0, delta=one) for one in split_in(SECRET, 4)]),
        {},
    ),
    "in events of an unknown type, before the text": (
        [created(), make_event("acme:plan", plan=SECRET), *whole_answer(GOOD, SECRET)[1:]],
        {},
    ),
    "in a delta that does not fit its type": (
        around(make_event("response.output_text.delta", delta={"text": SECRET})),
        {},
    ),
    "in an unknown field, of a delta": (around(text_delta("x", so_far=SECRET)), {}),
    "in an unknown field, of a done": ([*around()[:4], text_done(GOOD, echo={"was": SECRET}), *around()[5:]], {}),
    "in an unknown field, of another event": (
        around(make_event("response.web_search_call.completed", output_index=0, echo=SECRET)),
        {},
    ),
    "in an unknown field, of the response": (
        [*around()[:-1], completed(message(text_part(GOOD)), summary=SECRET)],
        {},
    ),
    "in an unknown field, of a part": (
        [*around()[:5], part_done(GOOD, html=f"<b>{SECRET}</b>"), *around()[6:]],
        {},
    ),
    "in the padding": (around(text_delta("x", obfuscation=SECRET)), {}),
    "in a long unknown field, over the edge of a window": (
        [*around()[:4], text_done(GOOD, echo="." * 30 + SECRET + "." * 30), *around()[5:]],
        {"max_chars": 37, "first_chars": 37, "context": 0},
    ),
    "in a part of an unknown type": (
        [*around()[:6], item_done(0, text_part(GOOD), {"type": "output_markdown", "markdown": SECRET}), completed()],
        {},
    ),
    "in an item of an unknown type": (
        [
            created(),
            make_event(
                "response.output_item.done", output_index=0, item={"type": "acme:note", "id": "n", "body": SECRET}
            ),
            completed(),
        ],
        {},
    ),
    "after the text was done": ([*around()[:6], *text_deltas(*split_in(SECRET, 3)), *around()[6:]], {}),
    "after the terminal event": ([*around(), *text_deltas(*split_in(SECRET, 3))], {}),
    "without indexes": (
        [
            created(),
            *[make_event("response.output_text.delta", delta=one) for one in SECRET],
            make_event("response.output_text.done", text=SECRET),
            completed(),
        ],
        {},
    ),
    "under item ids that change": (
        [
            created(),
            *[
                make_event("response.output_text.delta", output_index=0, content_index=0, item_id=f"i{at}", delta=one)
                for at, one in enumerate(SECRET)
            ],
            completed(),
        ],
        {},
    ),
    "twice": (whole_answer(GOOD, SECRET, GOOD, *split_in(SECRET, 2)), {}),
}
