"""Writes docs/reference/moderation.md from the tables of the moderator.

python -m tests.docs.moderation_page
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from rxstream.events._fields import TEXTS
from rxstream.events._lenient import wire_type
from rxstream.moderation.machine._routes import ITEM_KINDS, KINDS_OF_EVENTS
from rxstream.moderation.machine._structure import CODE_NAMES, INDEX_NAMES, OPAQUE_NAMES, WORD_NAMES
from rxstream.moderation.machine._window import KINDS, OtherKind

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "moderation.md"

_WHAT = {
    "text": "the text of a message",
    "refusal": "a refusal",
    "reasoning_summary": "summaries of reasoning",
    "reasoning": "reasoning",
    "function_args": "arguments of functions and MCP tools, names of tools that were not declared",
    "custom_input": "inputs of custom tools",
    "code": "code, shell commands, patches and their paths",
    "audio_transcript": "transcripts of audio; the audio waits for its end",
    "query": "what a hosted tool searches, and where",
    "action": "what a computer or a local shell is to do",
    "tool_output": "what a tool returned",
    "agent_message": "what agents tell each other",
    "image_prompt": "the prompt of an image as the model rewrote it",
    "other": "everything that the API does not describe; messages of errors. Always moderated",
}


def page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Moderation: kinds and fields"
    yield ""
    yield "Made from the code by `python -m tests.docs.moderation_page`; a test compares it."
    yield ""
    yield "## Kinds"
    yield ""
    yield '`debounce_moderation(include=…)` takes these; `"all"`, the default, is all of them. Texts that grow are'
    yield "judged in windows as they arrive. All other texts are judged whole, and their events wait for that."
    yield ""
    yield "| kind | what it is | grows in | also in |"
    yield "|---|---|---|---|"
    for kind in (*KINDS, "other"):
        grows = sorted({f"`{wire_type(event)}`" for text in TEXTS if text.kind == kind for event in text.deltas})
        if kind == "audio_transcript":
            grows = ["`response.audio.transcript.delta`"]
        items = [f"`{item}`" for item, item_kind in ITEM_KINDS.items() if item_kind == kind]
        items += [f"`{start}…`" for start, event_kind in KINDS_OF_EVENTS if event_kind == kind]
        yield f"| `{kind}` | {_WHAT[kind]} | {' '.join(grows) or '–'} | {' '.join(items) or '–'} |"
    yield ""
    kept = ", ".join(f"`{kind}`" for kind in get_args(OtherKind))
    yield "A text of a growing kind at a place where no delta grows it (the title of an annotation, a name of a"
    yield f"function) is a window of kind `other`. Windows of {kept} keep their kind."
    yield ""
    yield "## Structure"
    yield ""
    yield "Only this leaves without a verdict. A value that does not look as the last column says is text."
    yield ""
    yield "| fields | what may stand there |"
    yield "|---|---|"
    for names, what in structure_rules():
        yield f"| {names} | {what} |"
    yield ""
    yield "Each string, each number and each name of a field that is not in this table is checked: in known events and"
    yield "unknown ones, at any depth. In a field that the API does not describe, everything is."


def structure_rules() -> list[tuple[str, str]]:
    """The rules in words, for the documentation: fields, and what may stand there."""

    def names(fields: Iterable[str]) -> str:
        return " ".join(f"`{name}`" for name in sorted(fields))

    return [
        ("`type` `object`", "words of small letters, digits and `_` with `.` `:` `-` between; at most 64 characters"),
        (
            "`id`, fields that the API describes and that end in `_id`",
            "letters, digits, `_` `.` `:` `-`; at most 64 characters",
        ),
        ("`model`", "the same, and `/` `@` `+`; at most 80 characters"),
        (names(WORD_NAMES), "small letters, digits and `_`; at most 40 characters"),
        (f"{names(CODE_NAMES)} of `error` and `incomplete_details`", "the same"),
        (
            "all of these in events of unknown types",
            "a `type` as above; an id that an earlier event of a known type had; a value that the specification lists",
        ),
        ("fields that the API describes", "a value that the specification lists, such as `auto` or `high`"),
        ("`name` `server_label` `namespace`", "a name that the request declared for a tool"),
        (f"{names(OPAQUE_NAMES)}, fields that end in `_b64`", "Base64 of at least 128 characters, `data:` URLs of it"),
        (f"{names(INDEX_NAMES)} `index`, fields that end in `_index`", "a number below 10^11"),
        ("fields with numbers that the API describes", "a number below 10^11, in events of known types"),
        ("`usage`", "numbers, in events of known types"),
        ("fields of the response that repeat the request", "what they held before the output began"),
        ("any", "`true`, `false`, `null`"),
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
