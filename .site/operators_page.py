"""The page of operators: signature, marbles and docstring of each, taken from the code when the site is built."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_overloads

from marble_svg import drawings

from rxstream import operators

PAGE = "reference/operators.md"
_HEADING = re.compile(r"^### (?P<name>\w+)\n", re.MULTILINE)
_WORDS = ("Emits", "Completes", "Errors", "Disposing", "Memory", "Raises", "Requests", "Time")
_WORD = re.compile(rf"(?:^|(?<=\. )|(?<=\.\n))({'|'.join(_WORDS)}): ", re.MULTILINE)
_WIDE = 88


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Called for each page."""
    return with_code(markdown) if page.file.src_uri == PAGE else markdown


def with_code(markdown: str) -> str:
    """The page with what the code says of each operator."""
    pieces = _HEADING.split(markdown)  # text, name, text, name, text
    done = [pieces[0]]
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        function = getattr(operators, name)
        heading = re.search(r"^## ", text, re.MULTILINE)
        here, after = (text[: heading.start()], text[heading.start() :]) if heading else (text, "")
        whole = "\n".join(f"    {line}" if line else "" for line in docstring(function).splitlines())
        done.append(
            f"### {name}\n\n{signatures(function)}\n\n{chr(10).join(drawings(function.__doc__ or ''))}\n\n"
            f'{here.strip()}\n\n??? info "`{name}`: what it promises"\n\n{whole}\n\n{after}'
        )
    return "".join(done)


def signatures(function: Any) -> str:
    """How it is called: each overload."""
    shown = [signature(function.__name__, each) for each in get_overloads(function) or [function]]
    return "```python\n" + "\n".join(shown) + "\n```"


def signature(name: str, function: Any) -> str:
    """One way to call it; each parameter on a line of its own if they do not fit into one."""
    made = inspect.signature(function)
    parameters = [*_parameters(made)]
    returns = made.return_annotation
    one_line = f"{name}({', '.join(parameters)}) -> {returns}"
    if len(one_line) <= _WIDE:
        return one_line
    return "\n".join([f"{name}(", *(f"    {parameter}," for parameter in parameters), f") -> {returns}"])


def _parameters(made: inspect.Signature) -> Iterator[str]:
    starred = False
    for parameter in made.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not starred:
            starred = True
            yield "*"
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        starred = starred or stars == "*"
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield f"{stars}{parameter.name}: {parameter.annotation}{default}"


def docstring(function: Any) -> str:
    """A docstring as Markdown. The drawings stand elsewhere."""
    return "\n\n".join(_blocks(inspect.getdoc(function) or ""))


def _blocks(text: str) -> Iterator[str]:
    """Its paragraphs, lists, code and parameters."""
    blocks = text.split("\n\n")
    number = 0
    while number < len(blocks):
        block = blocks[number]
        number += 1
        follows = number < len(blocks) and blocks[number].startswith("    ")
        if block.startswith("Marbles") and block.endswith("::"):
            number += 1
        elif block.endswith("::") and follows:
            code = inspect.cleandoc(blocks[number])
            number += 1
            yield block.removesuffix(":")
            yield f"```python\n{code}\n```"
        elif block.startswith(("Args:\n", "Raises:\n")):
            title, _, rest = block.partition("\n")
            yield f"**{title.removesuffix(':').replace('Args', 'Parameters')}**"
            yield "\n".join(_items(rest))
        else:
            yield _WORD.sub(r"\n\n**\1**: ", block).strip()


def _items(text: str) -> Iterator[str]:
    """The entries of a section as a list: `name: what it is`."""
    for line in inspect.cleandoc("\n" + text).splitlines():
        if line.startswith(" "):
            yield f"    {line.strip()}"
        else:
            names, colon, rest = line.partition(": ")
            yield f"- `{names}`: {rest}" if colon else f"- {line}"
