"""A snapshot of a tool call: its status, and its input so far."""

import shlex
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
    ToolSearchCallItem,
    WebSearchCallItem,
)
from rxstream.partial_json._so_far import json_text

_I = TypeVar("_I", bound=Item, covariant=True)
_C = TypeVar("_C", bound=CallItem, covariant=True)

Texts: TypeAlias = dict[int, list[str]]
"""Number of a command of a shell call -> the pieces of its text. Other inputs are one text, with the number 0."""


class AnyToolCall(Generic[_I]):
    """A snapshot of a tool call. It does not change: each change of the call makes another."""

    item_class: ClassVar[type[Any]]

    __slots__ = (
        "_texts",
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
        texts: Texts,
        status: str,
        delta: str = "",
        part: int = 0,
        input_done: bool = False,
        done: bool = False,
    ) -> None:
        self.item: _I = item
        """The item of the last event that had it: as it was added, and once `done` with its results."""
        self.output_index = output_index
        self.item_id: str = item.id
        self.status = status
        """As the API has it: `in_progress`, `searching`, `interpreting`, `generating`, then `completed`, `failed` or
        `incomplete`."""
        self.delta = delta
        """What the input has more than in the snapshot before."""
        self.part = part
        """The part of the input that `delta` belongs to: of a shell call, the number of the command."""
        self.input_done = input_done
        """Whether the input is whole."""
        self.done = done
        """Whether the call has ended and is whole. It stays false for one that was cut (`incomplete`)."""
        self._texts = [(number, pieces, len(pieces)) for number, pieces in texts.items()]
        """Later pieces are appended to the same lists, so each has its length."""

    @classmethod
    def of_item(cls, item: Any, output_index: int, **fields: Any) -> Self:
        """A snapshot of the call of an item."""
        return cls(item, output_index, **fields)

    @property
    def input(self) -> str:
        """The input so far: arguments, code, commands, diff, query. Joined when it is read.

        If a `.done` event has another text than the deltas, the `.done` counts.
        """
        return "\n".join(self._inputs())

    def _inputs(self) -> list[str]:
        return ["".join(pieces[:count]) for _, pieces, count in sorted(self._texts)]

    def __repr__(self) -> str:
        flags = "".join(f", {name}=True" for name in ("input_done", "done") if getattr(self, name))
        return (
            f"{type(self).__name__}(output_index={self.output_index}, status={self.status!r}, delta={self.delta!r}, "
            f"input={self.input!r}{flags})"
        )


class AnsweredToolCall(AnyToolCall[_C]):
    """A call that you answer, with an item that carries its `call_id`."""

    __slots__ = ()

    @property
    def call_id(self) -> str:
        """The id that your answer repeats."""
        return self.item.call_id


def inputs_of(item: OutputItem) -> list[str]:
    """The whole input of a finished item: one text, or for a shell call one for each command."""
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
            return [json_text(actions or [action])]
        case ToolSearchCallItem(arguments=dict() as arguments) if arguments:
            return [json_text(arguments)]
        case _:
            return [""]
