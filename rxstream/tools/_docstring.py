"""What a docstring says to the model: its text, and the `Args:` of Google's style."""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

_SECTION = re.compile(
    r"((?:keyword )?(?:args|arguments)|(?:other )?parameters|returns|raises|yields|attributes|examples?|notes?"
    r"|see also|todo|warnings?)\s*:\s*$",
    re.IGNORECASE,
)
_ARGUMENTS = ("args", "arguments", "parameters")
"""The last word of the name of a section of arguments."""
_PARAMETER = re.compile(r"(?P<indent>\s+)\*{0,2}(?P<name>\w+)\s*(?:\(.*?\))?\s*:\s*(?P<text>.*)")


class Docstring(NamedTuple):
    text: str
    """What stands before the first section."""
    parameters: dict[str, str]
    """The description of each parameter, on one line."""


def read_docstring(docstring: str | None) -> Docstring:
    """The parts of a docstring in Google's style. Another style is all text."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    starts = [i for i, line in enumerate(lines) if _SECTION.match(line)]
    text = "\n".join(lines[: starts[0]] if starts else lines).strip()
    parameters: dict[str, str] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        if lines[start].partition(":")[0].lower().split()[-1] in _ARGUMENTS:
            parameters |= _parameters(lines[start + 1 : end])
    return Docstring(text, parameters)


def _parameters(lines: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    indent, name = None, ""
    for line in lines:
        if line.strip() and not line[0].isspace():  # the section has ended
            break
        found = _PARAMETER.match(line)
        if found and len(found["indent"]) <= (indent or len(found["indent"])):
            indent, name = len(found["indent"]), found["name"]
            parameters[name] = found["text"].strip()
        elif name:
            parameters[name] = f"{parameters[name]} {line.strip()}".strip()
    return parameters
