"""Where a value stands in a JSON document: paths, how they are written, and patterns of them.

A path is a tuple of member names and element indices; `()` is the whole document. Written out it follows JSONPath
(RFC 9535): `items[2].price`, `["a name"][0]`, and `$` for the whole.
"""

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

JsonPath: TypeAlias = tuple[str | int, ...]
"""Member names and element indices, outermost first."""

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""What `json.loads` may return."""

_PLAIN_NAME = re.compile(r"[^\W\d]\w*").fullmatch
_STEP = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"'*$][^\s.\[\]"'*]*)   # a name, with its dot unless it is the first
      | (?P<any>\.?\*|\[\*\])
      | \[(?P<index>0|[1-9][0-9]*)\]
      | \[(?P<quoted>"(?:[^"\\]|\\.)*")\]
      | \['(?P<single>[^'\\]*)'\]""",
    re.VERBOSE,
)


def format_path(path: JsonPath) -> str:
    """Write a path as JSONPath does, without the leading `$`: `("items", 2, "price")` is `items[2].price`.

    The empty path is `$`. A name that is no identifier is quoted: `["unit price"]`.
    """
    written: list[str] = []
    for part in path:
        if isinstance(part, int):
            written.append(f"[{part}]")
        elif _PLAIN_NAME(part):
            written.append(f".{part}" if written else part)
        else:
            written.append(f"[{json.dumps(part, ensure_ascii=False)}]")
    return "".join(written) or "$"


class PathPattern:
    """A path in which a step may stand for any member or element.

    The part of JSONPath (RFC 9535) that picks children: `a.b`, `["a name"]`, `[0]`, `[*]` and `.*`, with or without
    the leading `$`. As there, both wildcards match the elements of an array and the members of an object. Whatever
    else JSONPath knows (`..`, slices, filters, negative indices) needs values that have not come yet: `ValueError`.
    """

    __slots__ = ("_fixed", "steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps: tuple[str | int | None, ...] = tuple(_steps(text))
        """One for each level; `None` stands for any."""
        self._fixed = tuple((level, step) for level, step in enumerate(self.steps) if step is not None)

    def matches(self, path: JsonPath) -> bool:
        """Whether `path` is one of those meant, neither above nor below it."""
        if len(path) != len(self.steps):
            return False
        return all(path[level] == step for level, step in self._fixed)

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"


def _steps(text: str) -> Iterator[str | int | None]:
    at = 1 if text.startswith("$") else 0
    if not text:
        raise ValueError("an empty path pattern; the whole document is '$'")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (found["name"] and at > 0 and text[at] != ".") or (at == 0 and text[0] == "."):
            raise ValueError(f"not a path pattern: {text!r} (at {text[at:]!r}); write it as items[*].price")
        if found["name"]:
            yield found["name"]
        elif found["index"]:
            yield int(found["index"])
        elif found["quoted"]:
            yield _unquoted(found["quoted"], text)
        else:
            yield found["single"]
        at = found.end()


def _unquoted(quoted: str, text: str) -> str:
    try:
        return str(json.loads(quoted))
    except json.JSONDecodeError as error:
        raise ValueError(f"not a path pattern: {text!r} ({quoted} is no JSON string)") from error


def child(value: JsonValue, step: str | int | None) -> JsonValue:
    """The member or element of `value` that a step of a path names.

    Raises: LookupError where there is none.
    """
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int) and step >= 0:
        return value[step]
    raise LookupError(step)


def finished_paths(value: JsonValue, open_path: JsonPath | None) -> Iterator[JsonPath]:
    """Every path of `value` that is finished, parents before children, told from the one that is still open.

    A JSON document is written in order, so whatever is neither the open value nor around it is whole. A value and its
    open path (`IncrementalJson.snapshot()` and `.open_path`) thus say all there is to know, and cost nothing to keep.
    """
    waiting: list[tuple[JsonPath, JsonValue]] = [((), value)]
    while waiting:
        path, value = waiting.pop()
        if open_path is None or open_path[: len(path)] != path:
            yield path
        if isinstance(value, dict):
            waiting += [((*path, name), member) for name, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [((*path, index), value[index]) for index in reversed(range(len(value)))]
