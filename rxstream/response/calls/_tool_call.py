"""A tool call at one moment: how far it is, and its input as far as it has come."""

import json
import shlex
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar

from rxstream.events import (
    ApplyPatchCallItem,
    CallItem,
    CodeInterpreterCallItem,
    ComputerCallItem,
    CustomToolCallItem,
    FileSearchCallItem,
    FunctionCallItem,
    Item,
    LocalShellCallItem,
    McpApprovalRequestItem,
    McpCallItem,
    OutputItem,
    ShellCallItem,
    WebSearchCallItem,
)

_I = TypeVar("_I", bound=Item, covariant=True)
_C = TypeVar("_C", bound=CallItem, covariant=True)

Pieces: TypeAlias = list[tuple[int, str, bool]]
"""The pieces of an input, in order: of which command, the text, and whether it takes the place of all before it."""


class AnyToolCall(Generic[_I]):
    """What is known of a tool call at one moment; the next moment is another object, and this one never changes."""

    item_class: ClassVar[type[Any]]

    __slots__ = (
        "_count",
        "_pieces",
        "delta",
        "done",
        "input_done",
        "item",
        "item_id",
        "output_index",
        "part",
        "status",
    )

    def __init__(
        self,
        item: _I,
        output_index: int,
        *,
        pieces: Pieces,
        status: str,
        delta: str = "",
        part: int = 0,
        input_done: bool = False,
        done: bool = False,
    ) -> None:
        self.item: _I = item
        """The item as last seen: as it was added, and once `done`, with its results."""
        self.output_index = output_index
        self.item_id: str = item.id
        self.status = status
        """How far it is, in the API's words: `in_progress`, `searching`, `interpreting`, `generating`, then
        `completed`, `failed` or `incomplete`."""
        self.delta = delta
        """What has been added to the input since the one before."""
        self.part = part
        """Of which part of the input `delta` is: of a shell call, the number of the command."""
        self.input_done = input_done
        """Whether the input is whole."""
        self.done = done
        """Whether the call is over and whole. It stays false where it was cut (`incomplete`)."""
        self._pieces = pieces
        self._count = len(pieces)

    @classmethod
    def of_item(cls, item: Any, output_index: int, **known: Any) -> Self:
        """The call of an item at one moment."""
        return cls(item, output_index, **known)

    @property
    def input(self) -> str:
        """The input so far: arguments, code, commands, diff, query. Joined when it is asked for.

        Where `.done` says something else than the deltas did, it is what `.done` says.
        """
        return "\n".join(self._inputs())

    def _inputs(self) -> list[str]:
        return inputs(self._pieces[: self._count])

    def __repr__(self) -> str:
        flags = "".join(f", {name}=True" for name in ("input_done", "done") if getattr(self, name))
        return (
            f"{type(self).__name__}(output_index={self.output_index}, status={self.status!r}, delta={self.delta!r}, "
            f"input={self.input!r}{flags})"
        )


def inputs(pieces: Sequence[tuple[int, str, bool]]) -> list[str]:
    """The texts that the pieces make: one, or for a shell call one a command."""
    texts: dict[int, list[str]] = {}
    for part, text, instead in pieces:
        joined = texts.setdefault(part, [])
        if instead:
            joined.clear()
        joined.append(text)
    return ["".join(texts[part]) for part in sorted(texts)]


class AnsweredToolCall(AnyToolCall[_C]):
    """A call that you answer, with an item that carries its `call_id`."""

    __slots__ = ()

    @property
    def call_id(self) -> str:
        """What ties the answer to it."""
        return self.item.call_id


def inputs_of(item: OutputItem) -> list[str]:
    """The whole input, as a finished item tells it: one text, for a shell call one a command."""
    match item:
        case FunctionCallItem(arguments=text) | McpCallItem(arguments=text) | McpApprovalRequestItem(arguments=text):
            return [text]
        case CustomToolCallItem(input=text):
            return [text]
        case CodeInterpreterCallItem(code=str(text)):
            return [text]
        case ShellCallItem(action=action) if action is not None:
            return action.commands
        case ApplyPatchCallItem(operation=operation) if operation is not None:
            return [operation.diff or ""]
        case WebSearchCallItem(action=action) if action is not None:
            return [action.pattern or action.url or action.query or "\n".join(action.queries or ())]
        case FileSearchCallItem(queries=queries):
            return ["\n".join(queries)]
        case LocalShellCallItem(action={"command": list(command)}):
            return [shlex.join(map(str, command))]
        case ComputerCallItem(action=action, actions=actions) if actions or action:
            return [json.dumps(actions or [action], ensure_ascii=False)]
        case _:
            return [""]
