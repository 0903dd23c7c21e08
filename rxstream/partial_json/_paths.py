"""Paths of values in a JSON document, as tuples and as text, and patterns of paths.

A path is a tuple of member names and element indices; `()` is the whole document. As text it follows JSONPath (RFC
9535): `items[2].price`, `["a name"][0]`, and `$` for the whole document.
"""

import json
import re
from collections.abc import Iterator
from typing import TypeAlias

JsonPath: TypeAlias = tuple[str | int, ...]
"""Member names and element indices, outermost first."""

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Any result of `json.loads`."""

_PLAIN_NAME = re.compile(r"[^\W\d]\w*").fullmatch
_STEP = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"'*$][^\s.\[\]"'*]*)   # a name, with a dot unless it is the first step
      | (?P<any>\.?\*|\[\*\])
      | \[(?P<index>0|[1-9][0-9]*)\]
      | \[(?P<quoted>"(?:[^"\\]|\\.)*")\]
      | \['(?P<single>[^'\\]*)'\]""",
    re.VERBOSE,
)


def format_path(path: JsonPath) -> str:
    """The path as JSONPath, without the leading `$`: `("items", 2, "price")` is `items[2].price`.

    The empty path is `$`. A name that is not an identifier is quoted: `["unit price"]`.
    """
    steps: list[str] = []
    for part in path:
        if isinstance(part, int):
            steps.append(f"[{part}]")
        elif _PLAIN_NAME(part):
            steps.append(f".{part}" if steps else part)
        else:
            steps.append(f"[{json.dumps(part, ensure_ascii=False)}]")
    return "".join(steps) or "$"


class PathPattern:
    """A path in which a step may be a wildcard.

    The child segments of JSONPath (RFC 9535): `a.b`, `["a name"]`, `[0]`, `[*]` and `.*`, with or without the leading
    `$`. Both wildcards match the elements of an array and the members of an object. `..`, slices, filters and negative
    indices need values that are later in the text, and are not supported.

    Raises: ValueError if `text` is not such a path.
    """

    __slots__ = ("_fixed_steps", "steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps: tuple[str | int | None, ...] = tuple(_parse_steps(text))
        """One for each level; None is a wildcard."""
        self._fixed_steps = tuple((level, step) for level, step in enumerate(self.steps) if step is not None)

    def matches(self, path: JsonPath) -> bool:
        """Whether the pattern selects `path` itself, not a value around it or inside it."""
        if len(path) != len(self.steps):
            return False
        return all(path[level] == step for level, step in self._fixed_steps)

    def __repr__(self) -> str:
        return f"PathPattern({self.text!r})"


def _parse_steps(text: str) -> Iterator[str | int | None]:
    at = 1 if text.startswith("$") else 0
    if not text:
        raise ValueError("expected a path pattern, got an empty text; the whole document is '$'")
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (match["name"] and at > 0 and text[at] != ".") or (at == 0 and text[0] == "."):
            raise ValueError(
                f"expected a path pattern such as items[*].price, got {text!r} (not valid from {text[at:]!r})"
            )
        if match["name"]:
            yield match["name"]
        elif match["index"]:
            yield int(match["index"])
        elif match["quoted"]:
            yield _unquote(match["quoted"], text)
        else:
            yield match["single"]
        at = match.end()


def _unquote(quoted: str, text: str) -> str:
    try:
        return str(json.loads(quoted))
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected a path pattern such as items[*].price, got {text!r} ({quoted} is not a JSON string)"
        ) from error


def child(value: JsonValue, step: str | int | None) -> JsonValue:
    """The member or element of `value` at a step of a path.

    Raises: LookupError if there is none.
    """
    if isinstance(value, dict) and isinstance(step, str):
        return value[step]
    if isinstance(value, list) and isinstance(step, int) and step >= 0:
        return value[step]
    raise LookupError(step)


def finished_paths(value: JsonValue, open_path: JsonPath | None) -> Iterator[JsonPath]:
    """The paths of all finished values of `value`, parents before children.

    A JSON document is written in order: a value that is neither open nor around the open value is whole. So the value
    and its open path (`IncrementalJson.snapshot()` and `.open_path`) are enough to compute the paths.
    """
    stack: list[tuple[JsonPath, JsonValue]] = [((), value)]
    while stack:
        path, value = stack.pop()
        if open_path is None or open_path[: len(path)] != path:
            yield path
        if isinstance(value, dict):
            stack += [((*path, name), member) for name, member in reversed(value.items())]
        elif isinstance(value, list):
            stack += [((*path, index), value[index]) for index in reversed(range(len(value)))]
