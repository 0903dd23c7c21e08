"""One line about what happened beside the text: a call of a hosted tool, another item, a source."""

from __future__ import annotations

import json
from typing import Any, cast

from rxstream.errors._redaction import one_line
from rxstream.events import (
    Annotation,
    ApplyPatchCallItem,
    CodeInterpreterCallItem,
    Event,
    FileSearchCallItem,
    ImageGenerationCallItem,
    McpApprovalRequestItem,
    McpCallItem,
    McpListToolsItem,
    OutputItem,
    ShellCallOutputItem,
    WebSearchCallItem,
)
from rxstream.response.calls._tool_call_kinds import ToolCall
from rxstream.response.calls._tool_names import full_name

_LONGEST = 240
"""Bytes of one text in a line: a query, code, an output."""

_NOT_SHOWN = {"type", "id", "status", "call_id", "encrypted_content", "fingerprint", "agent"}


def call_line(call: ToolCall) -> str:
    """The kind of a call, its status, what it was for, and what came out of it."""
    item = call.item
    # a call whose server sends no status has one of ours, which says no more than that the line is there
    status = call.status if item.status or call.status != "completed" else ""
    return _line(item.type, status, _call_texts(item, call.input))


def item_line(item: OutputItem) -> str:
    """The type of an item that is not a call, and its content."""
    return _line(item.type, item.status or "", _item_texts(item))


def source_line(annotation: Annotation) -> str:
    """The type of an annotation, and what it refers to."""
    names = ("title", "filename", "url", "file_id")
    texts = [text for name in names if isinstance(text := getattr(annotation, name, None), str) and text]
    return _line(annotation.type or "annotation", "", [" ".join(texts) or _fields(annotation)])


def is_run_event(event: Event) -> bool:
    """Whether it is an event of a run, live or from a recording, where its class is `UnknownEvent`."""
    return event.type.startswith(("rxstream.tool.", "rxstream.run."))


def run_line(event: Event) -> str:
    """A line for an event of a tool, and for a run that ended without an answer; empty for others."""
    if event.type == "rxstream.run.finished":
        stopped_by = str(event.model_dump(mode="json").get("stopped_by", "answer"))
        # an incomplete response has said so itself
        return "" if stopped_by in ("answer", "incomplete") else _line("run stopped", stopped_by, [])
    step = event.type.removeprefix("rxstream.tool.")
    if step not in ("started", "approval", "progress", "finished"):
        return ""
    fields = event.model_dump(mode="json")
    kind, name = str(fields.get("kind") or "function_call"), str(fields.get("name") or "")
    name = full_name(name, fields.get("namespace"))
    if step == "progress":
        return _line(kind, "in_progress", [name, *_result(_text(fields.get("progress")))])
    if step != "finished":
        status = "in_progress" if step == "started" else "needs approval"
        return _line(kind, status, [f"{name}({fields.get('arguments') or ''})"])
    failed = fields.get("error") is not None
    took = f"{fields.get('seconds') or 0:.2f} s"
    return _line(kind, "failed" if failed else "completed", [name, took, *_result(_text(fields.get("output")))])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _line(kind: str, status: str, texts: list[str]) -> str:
    return " ".join([f"[{' '.join(filter(None, (_short(kind), _short(status))))}]", *map(_short, filter(None, texts))])


def _short(text: str) -> str:
    """`text` in one line, cut if it is long. It may hold a secret that a tool repeated."""
    text = " ".join(text.split())
    line = one_line(text, _LONGEST)
    return line if len(text.encode("utf-8", "replace")) <= _LONGEST else f"{line} ..."


def _call_texts(item: OutputItem, call_input: str) -> list[str]:
    match item:
        case WebSearchCallItem(action=action) if action is not None:
            where = f"in {action.url}" if action.pattern and action.url else ""
            return [call_input, where, _count(action.sources, "source")]
        case FileSearchCallItem():
            return [call_input, _count(item.results, "result")]
        case CodeInterpreterCallItem():
            logs = "\n".join(str(output["logs"]) for output in item.outputs or () if output.get("logs"))
            return [call_input, *_result(logs)]
        case ImageGenerationCallItem():
            made = f"{item.output_format or 'image'}, {len(item.result) * 3 // 4:,} bytes" if item.result else ""
            return [made, item.revised_prompt or "", *_result(_message(item.error))]
        case McpCallItem():
            called = f"{item.server_label}.{item.name}({call_input})"
            return [called, *_result(_message(item.error) or item.output or "")]
        case McpApprovalRequestItem():
            return [f"{item.server_label}.{item.name}({call_input})"]
        case McpListToolsItem():
            names = ", ".join(str(tool.get("name")) for tool in item.tools)
            return [f"{item.server_label}:", names, *_result(_message(item.error))]
        case ApplyPatchCallItem(operation=operation) if operation is not None:
            return [f"{operation.type} {operation.path}"]
        case _:
            return [call_input or _fields(item)]


def _item_texts(item: OutputItem) -> list[str]:
    if isinstance(item, ShellCallOutputItem):
        return [text for output in item.output for text in (output.stdout, output.stderr)]
    for name in ("code", "result", "output", "text"):
        text = getattr(item, name, None)
        if isinstance(text, str) and text:
            return [text]
    return [_fields(item)]


def _fields(model: Any) -> str:
    """The other fields as JSON; empty if there is none."""
    text: str = model.model_dump_json(exclude=_NOT_SHOWN, exclude_none=True)
    return "" if text == "{}" else text


def _count(entries: list[Any] | None, noun: str) -> str:
    return f"({len(entries)} {noun}{'s' * (len(entries) != 1)})" if entries else ""


def _result(text: str) -> list[str]:
    return ["->", text] if text else []


def _message(error: Any) -> str:
    """What an error says; some are a text, some an object."""
    if isinstance(error, dict):
        fields = cast("dict[str, Any]", error)
        return str(fields.get("message") or fields)
    return str(error) if error else ""
