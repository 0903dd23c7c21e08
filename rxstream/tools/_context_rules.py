"""What of a conversation a turn is sent: `context=` of `session.run`.

A conversation is cut between groups only: a message is one, and so are the items of one response with the outputs of
its calls. The API refuses an output without its call, a call without its output, and reasoning without what follows it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

ContextFunction: TypeAlias = Callable[[list[Any]], Sequence[Any] | Awaitable[Sequence[Any]]]
"""Takes the conversation as JSON, and returns what is sent of it."""

_TOKENS_PER_BYTE = 0.25
"""Before a server has said how many tokens something was: the usual estimate for English."""
_INPUT_ROLES = ("user", "system", "developer")


class ContextRule:
    """A rule for `context=` of `session.run`. It shortens what is sent, never what the run keeps."""

    def __init__(self, name: str, shorten: Callable[[list[Any], float], list[Any]]) -> None:
        self.name = name
        self._shorten = shorten

    def apply(self, items: Sequence[Any], tokens_per_byte: float | None = None) -> list[Any]:
        """The items to send.

        Args:
            items: the conversation, as JSON.
            tokens_per_byte: of what was sent before, by its usage; None: 0.25.
        """
        return self._shorten([*items], tokens_per_byte or _TOKENS_PER_BYTE)

    def __repr__(self) -> str:
        return self.name


def keep_bytes(count: int) -> ContextRule:
    """Send the newest items whose JSON has at most this number of bytes, and leave out older ones.

    Items are left out in groups: a message, or all items of one response with the outputs of its calls. Always sent,
    even if they alone are more: the system and developer messages at the begin, the last message of the user, what
    comes after it in the last group, and a `compaction` item, which stands for what was before it.

    Raises: ValueError: it is less than 1.
    """
    limit = _at_least("keep_bytes", count, 1)
    return ContextRule(f"keep_bytes({limit})", lambda items, _: _newest(items, limit))


def keep_tokens(count: int) -> ContextRule:
    """Send the newest items that are at most this number of tokens, and leave out older ones, as `keep_bytes`.

    Tokens are estimated by the usage of the turn before: its `input_tokens` by the bytes that were sent. Instructions
    and tools are counted in them, so that rather too little is sent. The first turn counts 4 bytes as a token.

    Raises: ValueError: it is less than 1.
    """
    limit = _at_least("keep_tokens", count, 1)
    return ContextRule(f"keep_tokens({limit})", lambda items, rate: _newest(items, limit / rate))


def shorten_outputs(characters: int, *, keep_last: int = 1) -> ContextRule:
    """Send old outputs of tools up to this number of characters, and say how many were left out.

    Those of the last `keep_last` turns with outputs are sent whole. Images and files of older ones are left out.

    Raises: ValueError: less than 0.
    """
    limit, recent = _at_least("shorten_outputs", characters, 0), _at_least("keep_last", keep_last, 0)

    def shorten(items: list[Any], _: float) -> list[Any]:
        with_output = [group for group in groups(items) if any("output" in items[index] for index in group)]
        old = {index for group in with_output[: len(with_output) - recent] for index in group}
        return [_shortened(item, limit) if index in old else item for index, item in enumerate(items)]

    return ContextRule(f"shorten_outputs({limit})", shorten)


def as_context_rules(context: Any) -> tuple[ContextRule | ContextFunction, ...]:
    """The rules and functions of `context=`.

    Raises: TypeError: it is none of them.
    """
    rules: Sequence[Any] = () if context is None else (context,)
    if isinstance(context, list | tuple):
        rules = cast("Sequence[Any]", context)
    for rule in rules:
        if not isinstance(rule, ContextRule) and (isinstance(rule, type) or not callable(rule)):
            raise TypeError(
                f"context expects a rule such as keep_tokens(50_000), a function of the items, or a list of them, "
                f"got {rule!r}"
            )
    return tuple(rules)


def checked_context(before: Sequence[Any], after: Any, name: str) -> list[Any]:
    """What a function of `context=` has returned.

    Raises:
        TypeError: it is not a list of items.
        ValueError: there is nothing in it, a call lost its output or an output its call, an output occurs twice or
            before its call, or the system or developer message is gone.
    """
    if not isinstance(after, list | tuple):
        raise TypeError(f"context: expected a list of items from {name}(), got {type(after).__name__}")
    items = [*cast("Sequence[Any]", after)]
    for item in items:
        if not isinstance(item, Mapping):
            raise TypeError(f"context: expected items as dicts from {name}(), got {type(item).__name__}")
    if not items:
        raise ValueError(f"context: expected items from {name}(), got an empty list")
    left = _pairs(items)
    for call_id, (calls, outputs) in _pairs(before).items():
        calls_left, outputs_left = left.get(call_id, (0, 0))
        if calls == outputs and outputs_left > outputs:
            raise ValueError(f"context: {name}() repeated the output of {call_id}: keep a call and its output once")
        if calls == outputs and calls_left != outputs_left:
            missing = "call" if calls_left < outputs_left else "output"
            raise ValueError(
                f"context: {name}() left out only the {missing} of {call_id}: keep a call and its output, or neither"
            )
    for call_id in _early_outputs(items) - _early_outputs(before):
        raise ValueError(f"context: {name}() has put the output of {call_id} before its call: keep their order")
    if any(map(_is_instruction, before)) and not any(map(_is_instruction, items)):
        raise ValueError(
            f"context: {name}() left out the system or developer message: keep it, or put one in its place"
        )
    return items


def size_of(value: Any) -> int:
    """The bytes of an item, or of a list of items, as JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))


def groups(items: Sequence[Any]) -> list[list[int]]:
    """The positions of the items that are kept or left out together, in the order of the first of each."""
    found: list[list[int]] = []
    by_call: dict[str, list[int]] = {}
    after_output = True
    """Whether the next item of a response begins a group."""
    for index, item in enumerate(items):
        if _role(item) in _INPUT_ROLES:
            found.append([index])
            after_output = True
            continue
        call_id, is_output = _call_id(item), _is_output(item)
        if is_output and call_id in by_call:
            group = by_call[call_id]
        elif found and (is_output or not after_output):
            group = found[-1]
        else:
            group = list[int]()
            found.append(group)
        group.append(index)
        if not is_output:  # some servers count the calls of each response anew
            by_call |= dict.fromkeys(filter(None, (call_id, item.get("id"))), group)
        after_output = is_output
    return found


def _newest(items: list[Any], limit: float) -> list[Any]:
    sizes = [size_of(item) + 1 for item in items]  # with the comma or bracket behind it
    if 1 + sum(sizes) <= limit:
        return items
    parts = groups(items)
    kept = always = {*_always(items, parts)}
    room = limit - 1 - sum(sizes[index] for number in always for index in parts[number])
    for number in reversed(range(len(parts))):
        if number not in always:
            room -= sum(sizes[index] for index in parts[number])
            if room < 0:
                break
            kept = kept | {number}
    return [items[index] for index in sorted(index for number in kept for index in parts[number])]


def _always(items: Sequence[Any], parts: Sequence[Sequence[int]]) -> Iterator[int]:
    """The numbers of the groups that are always sent."""
    yield len(parts) - 1
    yield from (number for number, part in enumerate(parts) if any(_type(items[at]) == "compaction" for at in part))
    yield from (number for number, part in enumerate(parts) if _is_instruction(items[part[0]]))
    of_user = [number for number, part in enumerate(parts) if _role(items[part[0]]) == "user"]
    yield from of_user[-1:]


def _shortened(item: Any, limit: int) -> Any:
    output: Any = item.get("output")
    if not _is_output(item):
        return item
    if isinstance(output, str):
        return {**item, "output": _cut(output, limit)}
    if isinstance(output, list):
        parts = cast("list[Any]", output)
        return {**item, "output": [_shortened_part(part, limit) for part in parts]}
    return item


def _shortened_part(part: Any, limit: int) -> Any:
    if _type(part) == "input_text":
        return {**part, "text": _cut(str(part.get("text", "")), limit)}
    return {"type": "input_text", "text": f"[{_type(part)} left out]"} if "type" in part else part


def _cut(text: str, limit: int) -> str:
    note = f" [{len(text) - limit} characters left out]"
    return text if len(text) <= limit + len(note) else text[:limit] + note


def _pairs(items: Sequence[Any]) -> dict[str, tuple[int, int]]:
    """Of each call id: how many calls and how many outputs there are."""
    found: dict[str, tuple[int, int]] = {}
    for item in items:
        call_id = _call_id(item)
        if call_id is not None:
            calls, outputs = found.get(call_id, (0, 0))
            found[call_id] = (calls, outputs + 1) if _is_output(item) else (calls + 1, outputs)
    return found


def _early_outputs(items: Sequence[Any]) -> set[str]:
    """The call ids whose output comes before its call."""
    calls = {call_id for item in items if not _is_output(item) and (call_id := _call_id(item)) is not None}
    early: set[str] = set()
    for item in items:
        call_id = _call_id(item)
        if call_id is not None and _is_output(item) and call_id in calls:
            early.add(call_id)
        elif call_id is not None and not _is_output(item):
            calls.discard(call_id)
    return early


def _call_id(item: Any) -> str | None:
    kind = _type(item)
    names = {"mcp_approval_response": "approval_request_id", "mcp_approval_request": "id"}
    call_id = item.get(names.get(kind, "call_id"))
    if call_id is None and kind == "local_shell_call_output":  # it has the id of the call as its own
        call_id = item.get("id")
    return call_id if isinstance(call_id, str) and call_id else None


def _is_output(item: Any) -> bool:
    return _type(item).endswith("_output") or _type(item) == "mcp_approval_response"


def _is_instruction(item: Any) -> bool:
    return _role(item) in ("system", "developer")


def _role(item: Any) -> str:
    return str(item.get("role") or "") if _type(item) == "message" else ""


def _type(item: Any) -> str:
    return str(item.get("type") or "message")


def _at_least(what: str, count: Any, least: int) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < least:
        raise ValueError(f"{what} expects a number of {least} or more, got {count!r}")
    return count
