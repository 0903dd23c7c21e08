"""`rxstream stream --tool FILE.py:function`: tools of files, and the person who allows their calls."""

from __future__ import annotations

import asyncio
import copy
from argparse import ArgumentTypeError
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from reactivex.subject import Subject

from rxstream.cli._files import load_file
from rxstream.errors._redaction import one_line
from rxstream.response.calls._tool_names import full_name
from rxstream.tools import ClientTool, Denial
from rxstream.tools._tool import as_tool

_FORM = "--tool: expected FILE.py:function"


def tools_of(names: Sequence[str], *, asks: bool) -> list[ClientTool[..., Any]]:
    """The tools that are named. With `asks` each that is not pure needs approval.

    Raises: ArgumentTypeError: one cannot be loaded, is not a tool, or two have one name.
    """
    modules: dict[Path, ModuleType] = {}
    tools: list[ClientTool[..., Any]] = []
    for name in names:
        file, colon, function = name.rpartition(":")
        if not (colon and file and function):
            raise ArgumentTypeError(f"{_FORM}, got {name!r}")
        path = Path(file).resolve()
        if path not in modules:
            modules[path] = load_file(file, _FORM, f"rxstream_tools_{len(modules)}")
        try:
            tool = copy.copy(as_tool(_member(modules[path], file, function)))  # a copy: the file may use its own
        except (TypeError, ValueError) as error:
            raise ArgumentTypeError(f"{name}: {error}") from error
        if any(other.name == tool.name for other in tools):
            raise ArgumentTypeError(f"{name}: expected tools of different names, got two of the name {tool.name!r}")
        tool.needs_approval = tool.needs_approval or (asks and not tool.pure)
        tools.append(tool)
    return tools


def _member(module: ModuleType, file: str, name: str) -> Any:
    if hasattr(module, name):
        return getattr(module, name)
    own = [key for key, value in vars(module).items() if key[0] != "_" and _is_of(module, value)]
    raise ArgumentTypeError(f"{file} has no function {name!r}; it has {', '.join(own) or 'none'}")


def _is_of(module: ModuleType, value: Any) -> bool:
    """Whether it is a tool, or a function of this module."""
    is_tool: bool = isinstance(value, ClientTool)
    return is_tool or (isinstance(value, FunctionType) and value.__module__ == module.__name__)


@dataclass(frozen=True, slots=True)
class ToolQuestion:
    """Whether a call may run. `text` has its whole arguments; `answer` is awaited on the loop."""

    name: str
    text: str
    answer: Future[bool | Denial] = field(default_factory=Future[bool | Denial])


class Approvals:
    """The `approve=` of a run. What it asks comes out of `questions`, for the code that writes to the terminal."""

    def __init__(self, *, yes: bool) -> None:
        self.questions: Subject[ToolQuestion] = Subject()
        self._yes = yes

    async def approve(self, call: Any) -> bool | Denial:
        """True, or what the question was answered with."""
        if self._yes:
            return True
        name = full_name(getattr(call, "name", "") or call.item.type, getattr(call, "namespace", None))
        # one line: arguments must not draw a question of their own
        arguments = str(call.input).replace("\r", "\\r").replace("\n", "\\n")
        question = ToolQuestion(one_line(name, 100), f"{one_line(name, 100)}({arguments})")
        self.questions.on_next(question)
        return await asyncio.wrap_future(question.answer)
