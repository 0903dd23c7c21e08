"""What of a conversation is sent: groups, limits, and what is always kept."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rxstream.tools import keep_bytes, keep_tokens, shorten_outputs
from rxstream.tools._context_rules import checked_context, groups, size_of


def message(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": text}


def reasoning(number: int) -> dict[str, Any]:
    return {"type": "reasoning", "id": f"rs_{number}", "summary": []}


def call(number: int, kind: str = "function_call") -> dict[str, Any]:
    return {"type": kind, "id": f"fc_{number}", "call_id": f"call_{number}", "name": "look", "arguments": "{}"}


def output(number: int, value: Any = "out", kind: str = "function_call") -> dict[str, Any]:
    return {"type": f"{kind}_output", "call_id": f"call_{number}", "output": value}


SYSTEM = message("Be brief.", "developer")
ASK = {"role": "user", "content": "Q"}
RUN = [SYSTEM, ASK, reasoning(1), call(1), call(2), output(1), output(2), reasoning(2), call(3), output(3)]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], []),
        (RUN, [[0], [1], [2, 3, 4, 5, 6], [7, 8, 9]]),
        ([ASK, message("A", "assistant"), ASK], [[0], [1], [2]]),
        ([reasoning(1), message("A", "assistant"), call(1), output(1)], [[0, 1, 2, 3]]),
        ([call(1), ASK, output(1)], [[0, 2], [1]]),
        ([call(1), output(1), call(1), output(1)], [[0, 1], [2, 3]]),  # ids that begin anew in each response
        ([call(1, "custom_tool_call"), output(1, kind="custom_tool_call")], [[0, 1]]),
        (
            [
                {"type": "mcp_approval_request", "id": "mcpr_1"},
                {"type": "mcp_approval_response", "approval_request_id": "mcpr_1"},
                {"type": "mcp_call", "id": "mcp_1"},
            ],
            [[0, 1], [2]],
        ),
        (
            [{"type": "local_shell_call", "id": "lsh_1"}, ASK, {"type": "local_shell_call_output", "id": "lsh_1"}],
            [[0, 2], [1]],
        ),
        ([ASK, {"type": "item_reference", "id": "fc_9"}, output(9)], [[0], [1, 2]]),
    ],
)
def test_groups(items: list[Any], expected: list[list[int]]) -> None:
    assert groups(items) == expected


def test_the_newest_items_that_fit() -> None:
    whole = size_of(RUN)
    assert keep_bytes(whole).apply(RUN) == RUN
    assert keep_bytes(whole - 1).apply(RUN) == [SYSTEM, ASK, *RUN[7:]]
    assert keep_bytes(1).apply(RUN) == [SYSTEM, ASK, *RUN[7:]]
    talk = [ASK, message("A", "assistant"), message("B"), message("C", "assistant"), message("D")]
    assert keep_bytes(1).apply(talk) == talk[-1:]
    assert keep_bytes(size_of(talk[2:])).apply(talk) == talk[2:]


def test_a_compaction_stands_for_what_was_before() -> None:
    compaction = {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}
    items = [ASK, compaction, message("B"), message("C", "assistant"), message("D")]
    assert keep_bytes(1).apply(items) == [compaction, items[-1]]


def test_tokens_by_the_rate_of_the_last_turn() -> None:
    rule = keep_tokens(100)
    fits = [ASK, message("x" * 200, "assistant"), message("B")]
    assert rule.apply(fits) == fits  # 4 bytes a token
    assert rule.apply(fits, tokens_per_byte=0.5) == fits[-1:]
    assert keep_tokens(100).apply(RUN, tokens_per_byte=0.001) == RUN


def test_old_outputs_are_shortened() -> None:
    picture = {"type": "input_image", "image_url": "data:..."}
    long = "x" * 100
    items = [ASK, call(1), output(1, long), call(2), output(2, [{"type": "input_text", "text": long}, picture])]
    items += [call(3), output(3, long), message("Done.", "assistant")]
    shortened = shorten_outputs(10).apply(items)
    cut = "x" * 10 + " [90 characters left out]"
    assert [item.get("output") for item in shortened] == [
        *(None, None, cut, None),
        [{"type": "input_text", "text": cut}, {"type": "input_text", "text": "[input_image left out]"}],
        *(None, long, None),
    ]
    assert items[2]["output"] == long
    assert shorten_outputs(10, keep_last=3).apply(items) == items
    assert shorten_outputs(10, keep_last=0).apply(items)[6]["output"] == cut
    assert shorten_outputs(95).apply(items)[2]["output"] == long  # the note would be longer than what it saves


def test_no_rule_splits_what_belongs_together() -> None:
    for seed in range(500):
        chance = random.Random(seed)
        items: list[Any] = [SYSTEM] if chance.random() < 0.5 else []
        for number in range(chance.randint(1, 12)):
            if chance.random() < 0.4:
                items.append(message("x" * chance.randint(0, 50)))
            else:
                names = [number * 10 + i for i in range(chance.randint(0, 3))]
                items += [reasoning(number), message("A", "assistant"), *map(call, names)]
                chance.shuffle(names)
                items += [output(name, "y" * chance.randint(0, 80)) for name in names]
        for rule in (keep_bytes(chance.randint(1, 1500)), keep_tokens(chance.randint(1, 400))):
            kept = rule.apply(items)
            assert kept[-1] == items[-1]
            positions = [next(at for at, item in enumerate(items) if item is each) for each in kept]
            assert positions == sorted(positions)
            checked_context(items, kept, "rule")
            for group in groups(items):
                assert len({at in positions for at in group}) == 1
            if SYSTEM in items:
                assert kept[0] == SYSTEM


def test_a_system_message_may_be_replaced_but_not_left_out() -> None:
    checked_context(RUN, [message("Other.", "system"), *RUN[1:]], "shorten")
    with pytest.raises(ValueError, match=r"shorten\(\) left out the system or developer message"):
        checked_context(RUN, RUN[1:], "shorten")


def test_wrong_arguments_and_names() -> None:
    for make in (keep_bytes, keep_tokens):
        for wrong in (0, True, 2.5):
            with pytest.raises(ValueError, match=f"{make.__name__} expects a number of 1 or more"):
                make(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="shorten_outputs expects a number of 0 or more"):
        shorten_outputs(-1)
    assert (
        repr([keep_bytes(5), keep_tokens(6), shorten_outputs(7)])
        == "[keep_bytes(5), keep_tokens(6), shorten_outputs(7)]"
    )
