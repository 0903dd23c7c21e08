"""What in an event is structure, and what may be text of the model.

The question is asked closed: a value may leave unverified only if it is on the short list here. That is types, ids,
statuses, indexes, counts of tokens, values that the specification lists, opaque data (images, encrypted content), and
what the response repeats of its request. Everything else is text: each string, each number at a place that the API does
not describe, and each name of an unknown field. `tests/docs/moderation_page.py` puts
these rules into the reference.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, cast, get_args, get_origin

from rxstream.events._base import Model
from rxstream.events._response import Response
from rxstream.moderation.machine._window import LaneKind

JsonFields: TypeAlias = dict[str, Any]

_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
_MODEL: Final = re.compile(r"[A-Za-z0-9_.:/@+-]{0,80}")
_TYPE: Final = re.compile(r"(?=.{1,64}\Z)[a-z0-9_]+(?:[.:-][a-z0-9_]+)*")
_WORD: Final = re.compile(r"[a-z0-9_]{0,40}")
_OPAQUE: Final = re.compile(r"(?:data:[a-z]+/[a-z0-9.+-]+;base64,)?[A-Za-z0-9+/_=-]{128,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_MOST: Final = 10**11
"""Indexes, times and counts are smaller. Larger numbers may be numbers of cards."""

_UNKNOWN: Final = "?"
"""Stands in a path before the name of a field that the API does not describe. No structure is inside of it."""

WORD_NAMES: Final = frozenset(("status", "role", "phase"))
CODE_NAMES: Final = frozenset(("code", "reason", "type"))
"""Names with a word for programs, inside of `error` and `incomplete_details`."""
OPAQUE_NAMES: Final = frozenset(("encrypted_content", "signature", "result", "image_url", "data"))
INDEX_NAMES: Final = frozenset(("sequence_number", "created_at", "completed_at", "expires_at", "annotation_index"))
_NEVER_ECHO: Final = frozenset(
    ("id", "object", "status", "model", "output", "output_text", "error", "incomplete_details", "usage", "moderation")
)
"""Fields of a response that do not repeat the request."""

Target: TypeAlias = Literal["value", "name", "annotation", "logprobs"]


class Leaf(NamedTuple):
    """One text in the JSON of an event, and its place: `holder[key]`."""

    holder: Any
    key: Any
    text: str
    kind: LaneKind
    path: str
    """The names of the fields around it, without the indexes of lists."""
    part_index: int | None = None
    """The number of the part, if this is the text of a lane. None for other texts."""
    target: Target = "value"
    """What is removed if the text is flagged: the value, the field, the annotation, or all log probabilities."""
    drops: bool = False
    """Whether it is removed if it is flagged, and nothing else happens."""
    output_index: int = 0
    """The output index of its item."""

    def write(self, text: str) -> None:
        self.holder[self.key] = text

    def remove(self) -> None:
        holder, key = self.holder, self.key
        if self.target == "name":
            holder.pop(key, None)
        elif self.target == "annotation":
            if key in holder:
                holder.remove(key)
        elif self.target == "logprobs":
            holder[key] = []
        elif isinstance(holder, list) or key in holder:
            holder[key] = "" if isinstance(holder[key], str) else None


def clone(value: Any) -> Any:
    """A copy of a JSON value. A dump may share lists and objects with its event."""
    if isinstance(value, dict):
        return {name: clone(field) for name, field in cast("JsonFields", value).items()}
    if isinstance(value, list):
        return [clone(element) for element in cast("list[object]", value)]
    return value


def fields_of(value: object) -> JsonFields:
    """The fields of an object; none if it is not an object."""
    return cast("JsonFields", value) if isinstance(value, dict) else {}


def objects_in(value: object) -> list[JsonFields]:
    """The objects of a list, `{}` for each other element; none if it is not a list."""
    return [fields_of(element) for element in elements_of(value)]


def elements_of(value: object) -> list[Any]:
    """The list itself; an empty one if it is not a list."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


# ---------------------------------------------------------------------- structure


def is_structure(name: str, value: str, path: str = "") -> bool:
    """Whether a string is structure, in a field of this name and path."""
    if _UNKNOWN in path:
        return False
    if name in ("type", "object"):
        return _TYPE.fullmatch(value) is not None
    if name == "model":
        return _MODEL.fullmatch(value) is not None
    if _is_id(name):
        return _IDENTIFIER.fullmatch(value) is not None
    if name in WORD_NAMES:
        return _WORD.fullmatch(value) is not None
    if name in CODE_NAMES and path.endswith((f"error.{name}", f"incomplete_details.{name}")):
        return _WORD.fullmatch(value) is not None
    if name in OPAQUE_NAMES or name.endswith("_b64"):
        return _OPAQUE.fullmatch(value) is not None
    return value in _vocabulary().values and name in _vocabulary().names


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def is_audio(value: object) -> bool:
    """Whether a value can be the data of audio: Base64."""
    return isinstance(value, str) and _BASE64.fullmatch(value) is not None


def is_number_structure(name: str, value: float, path: str = "", *, known: bool) -> bool:
    """Whether a number is structure. In an event of an unknown type only indexes and times are."""
    if _UNKNOWN in path or not abs(value) < _MOST:
        return False
    if name in INDEX_NAMES or name == "index" or name.endswith("_index"):
        return True
    return known and name in _vocabulary().numbers and name not in WORD_NAMES


class _Vocabulary(NamedTuple):
    names: frozenset[str]
    """The names of all fields that the API describes."""
    numbers: frozenset[str]
    """Those with numbers."""
    values: frozenset[str]
    """All values that the specification lists for some field."""


@cache
def _vocabulary() -> _Vocabulary:
    names: set[str] = set()
    numbers: set[str] = set()
    values: set[str] = set()
    for model in _models(Model):
        for name, field in model.model_fields.items():
            names.add(field.alias or name)
            for argument in _arguments(field.annotation):
                if isinstance(argument, str):
                    values.add(argument)
                elif argument is int or argument is float:
                    numbers.add(name)
    return _Vocabulary(frozenset(names), frozenset(numbers), frozenset(values))


def _models(base: type[Model]) -> Iterator[type[Model]]:
    for model in base.__subclasses__():
        if model.__module__.startswith("rxstream.events."):
            yield model
        yield from _models(model)


def _arguments(annotation: object) -> Iterator[object]:
    """The types and listed values that an annotation is made of."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    yield annotation
    for argument in get_args(annotation):
        yield from _arguments(argument)


# ---------------------------------------------------------------------- texts


class LeafReader:
    """Finds the texts in the JSON of events. Those in `taken` are left out: they are the texts of lanes.

    `names` are those of tools that the request declared, as the response repeated them, and the identifiers of earlier
    events. Identifiers that are read in events of known types are added.
    """

    def __init__(self, names: set[str], known: bool = True, output_index: int = 0) -> None:
        self.taken: set[tuple[int, Any]] = set()
        self.output_index = output_index
        """Of the item that is read."""
        self._names = names
        self._known = known

    def leaf(self, *fields: Any, **more: Any) -> Leaf:
        """A text of the item that is read."""
        return Leaf(*fields, **more, output_index=self.output_index)

    def leaves(
        self, holder: Any, key: Any, name: str, path: str, kind: LaneKind, drops: bool = False
    ) -> Iterator[Leaf]:
        """The texts in `holder[key]`, a field of this name."""
        value = holder[key]
        if (id(holder), key) in self.taken or value is None or isinstance(value, bool):
            return
        if isinstance(value, str):
            if value and not self._is_structure(name, value, path):
                yield self.leaf(holder, key, value, kind, path, drops=drops)
        elif isinstance(value, int | float):
            if not is_number_structure(name.removesuffix("[]"), value, path, known=self._known):
                yield self.leaf(holder, key, repr(value), kind, path, drops=drops)
        elif isinstance(value, dict):
            yield from self.fields(cast("JsonFields", value), path, kind, drops)
        elif isinstance(value, list):
            elements = cast("list[object]", value)
            for index, element in enumerate(elements):
                # The elements of a list are no identifiers, whatever the name of the list.
                for leaf in self.leaves(elements, index, f"{name}[]", path, kind, drops):
                    if name == "annotations" and isinstance(element, dict):
                        leaf = leaf._replace(holder=elements, key=element, target="annotation")
                    yield leaf

    def _is_structure(self, name: str, value: str, path: str) -> bool:
        if name in ("name", "server_label", "namespace") and value in self._names:
            return True
        structure = is_structure(name, value, path)
        if self._known:
            if structure and _is_id(name):
                self._names.add(value)
            return structure
        return structure and (name == "type" or value in self._names or value in _vocabulary().values)

    def fields(self, fields: JsonFields, path: str, kind: LaneKind, drops: bool = False) -> Iterator[Leaf]:
        """The texts in the fields of an object."""
        for name in fields:
            yield from self.field(fields, name, path, kind, drops)

    def field(self, fields: JsonFields, name: str, path: str, kind: LaneKind, drops: bool = False) -> Iterator[Leaf]:
        """The texts in one field of an object, with its name if that is unknown."""
        unknown = name not in _vocabulary().names or not (self._known or not path)
        inner = f"{path}.{_UNKNOWN if unknown else ''}{name}".removeprefix(".")
        value = fields[name]
        if kind != "other" and name in _TOOL_OUTPUT:
            kind = "tool_output"
        if name not in _vocabulary().names and (id(fields), name) not in self.taken:
            yield self.leaf(fields, name, name, kind, f"{inner}#", target="name", drops=drops)
        if name == "logprobs" and isinstance(value, list):
            text = fields.get("text")
            beyond = text_beyond(cast("list[object]", value), text if isinstance(text, str) else "")
            if beyond:
                yield self.leaf(fields, name, beyond, kind, inner, target="logprobs", drops=True)
        elif name == "usage" and self._known and isinstance(value, dict):
            # The numbers in it are counts, whatever their names.
            for leaf in self.fields(cast("JsonFields", value), inner, kind, drops):
                if leaf.target == "name" or isinstance(leaf.holder[leaf.key], str):
                    yield leaf
        else:
            yield from self.leaves(fields, name, name, inner, kind, drops)

    def response(
        self, response: JsonFields, echo: JsonFields, item_leaves: Callable[[list[Any], int], Iterable[Leaf]]
    ) -> Iterator[Leaf]:
        """The texts in a response. What it repeats of the request is structure if it is equal to `echo`."""
        for name, value in response.items():
            if name == "output" and isinstance(value, list):
                output = cast("list[object]", value)
                for position in range(len(output)):
                    yield from item_leaves(output, position)
            elif name == "output_text" and isinstance(value, str):
                if value:
                    yield self.leaf(response, name, value, "text", "response.output_text", drops=True)
            elif name in _NEVER_ECHO or name not in echo or echo[name] != value:
                yield from self.field(response, name, "response", "other", drops=True)


_TOOL_OUTPUT: Final = frozenset(("outputs", "output", "results", "stdout", "stderr", "logs"))
"""Fields of items with what a tool returned."""


def echo_of(response: JsonFields) -> JsonFields:
    """What a response repeats of its request: the fields that the API describes."""
    names = Response.model_fields.keys() - _NEVER_ECHO
    return {name: value for name, value in response.items() if name in names}


def declared_names(response: JsonFields) -> Iterator[str]:
    """The names of the tools and servers that the request declared."""
    for tool in objects_in(response.get("tools")):
        for holder in (tool, fields_of(tool.get("function")), *objects_in(tool.get("tools"))):
            for key in ("name", "server_label"):
                if isinstance(holder.get(key), str):
                    yield holder[key]


def text_beyond(entries: object, text: str) -> str:
    """What log probabilities hold beyond `text`: other tokens, alternatives, bytes that differ, unknown fields."""
    if not isinstance(entries, list):
        return "\n".join(_strings(entries))
    tokens: list[str] = []
    decoded: list[bytes] = []
    others: dict[str, None] = {}
    for entry in cast("list[object]", entries):
        if not isinstance(entry, dict):
            others |= dict.fromkeys(_strings(entry))
            continue
        token, own_bytes, rest = _token_of(cast("JsonFields", entry))
        tokens.append(token)
        decoded.append(own_bytes or token.encode("utf-8", "replace"))
        others |= dict.fromkeys(rest)
    for token in (*tokens, ""):
        others.pop(token, None)
    found: list[str] = []
    joined, from_bytes = "".join(tokens), b"".join(decoded).decode("utf-8", "replace")
    if joined != text:
        found.append(joined)
    if from_bytes not in (text, joined):
        found.append(from_bytes)
    if others:
        # Alternatives are single words; an unknown list may hold a text in pieces.
        found += [" ".join(others), "".join(others)]
    return "\n".join(found)


def _token_of(entry: JsonFields) -> tuple[str, bytes, list[str]]:
    """The token of one entry, its bytes, and all other texts of it, also of its alternatives."""
    token = entry.get("token")
    own_bytes = b""
    rest: list[str] = []
    for name, value in entry.items():
        if name == "token" and isinstance(value, str):
            continue
        if (
            name == "bytes"
            and isinstance(value, list)
            and all(isinstance(byte, int) for byte in cast("list[object]", value))
        ):
            own_bytes = bytes(byte & 0xFF for byte in cast("list[int]", value))
        elif name == "top_logprobs" and isinstance(value, list):
            for alternative in cast("list[object]", value):
                if isinstance(alternative, dict):
                    other, other_bytes, texts = _token_of(cast("JsonFields", alternative))
                    rest += [other, other_bytes.decode("utf-8", "replace"), *texts]
                else:
                    rest += _strings(alternative)
        elif not (name == "logprob" and isinstance(value, int | float)):
            rest += [*([] if name in _LOGPROB_NAMES else [name]), *_strings(cast("object", value))]
    return token if isinstance(token, str) else "", own_bytes, rest


_LOGPROB_NAMES: Final = ("token", "bytes", "top_logprobs", "logprob")


def _strings(value: object) -> Iterator[str]:
    """The strings, numbers and names at any depth of a JSON value."""
    if isinstance(value, dict):
        for name, field in cast("JsonFields", value).items():
            yield name
            yield from _strings(field)
    elif isinstance(value, list):
        for element in cast("list[object]", value):
            yield from _strings(element)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
