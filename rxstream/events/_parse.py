"""From the data of a Frame to a typed event.

The fast path costs little more than pydantic's own validator: find the type in the text, and validate the text with
the model of that type. It fails for an unknown type, a payload that does not fit, half a surrogate pair, and text that
is not JSON. Then the slow path loads the JSON once, and validates leniently.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, NoReturn, cast, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from rxstream.errors import EventError, ProtocolError
from rxstream.errors._redaction import hide, one_line
from rxstream.events._base import Event, Model
from rxstream.events._item_union import KnownItem, UnknownItem
from rxstream.events._lenient import validate_loosely, wire_type
from rxstream.events._parts import KnownAnnotation, KnownPart, UnknownAnnotation, UnknownPart
from rxstream.events._union import StreamingEvent
from rxstream.events._unknown import UnknownEvent

__all__ = [
    "EventParser",
    "parse_event",
]

_MODELS: dict[str, type[Event]] = {wire_type(model): model for model in get_args(StreamingEvent)[:-1]}
_KNOWN_TYPES: dict[type, set[str]] = {
    UnknownItem: set(map(wire_type, get_args(KnownItem))),
    UnknownPart: set(map(wire_type, get_args(KnownPart))),
    UnknownAnnotation: set(map(wire_type, get_args(KnownAnnotation))),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH_HALF_AT_END = re.compile(r"[\ud800-\udbff]\Z")
_PLACE_FIELDS = ("output_index", "content_index", "summary_index", "command_index")
_MAX_HALVES = 64
_FREQUENT_TYPES = (
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
)


class _Validators(dict[str, Callable[[str], StreamingEvent]]):
    """Type -> validator of its model. A model is built at the first event of its type: most types never occur."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = Lock()
        """Held while a model is built."""

    def __missing__(self, kind: str) -> Callable[[str], StreamingEvent]:
        model = _MODELS.get(kind)
        if model is None:
            return _unknown_type
        with self.lock:
            for part in _not_built(model):
                part.model_rebuild()
            validate = self[kind] = cast("Callable[[str], StreamingEvent]", model.__pydantic_validator__.validate_json)
        return validate


def _not_built(model: type[Model]) -> Iterator[type[Model]]:
    """The models to build: those of the fields first, which is several times as fast as pydantic's own order."""
    if not model.__pydantic_complete__:
        for field in model.model_fields.values():
            for part in _models_in(field.annotation):
                yield from _not_built(part)
        yield model


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def prepare() -> Iterator[None]:
    """Build the models that nearly every stream needs, so that their first events are as fast as the later ones.

    Each step builds one. Take them while the program waits for the server, with the turns of other tasks in between.
    Where all are built, there is no step.
    """
    for kind in _FREQUENT_TYPES:
        for part in _not_built(_MODELS[kind]):
            with _VALIDATORS.lock:
                part.model_rebuild()
            yield
        _VALIDATORS[kind]


def _unknown_type(text: str) -> NoReturn:
    raise ValueError


def _parse_spaced(text: str) -> StreamingEvent:
    # The type of JSON with a space after each colon, as `json.dumps` writes it.
    return _VALIDATORS[text.partition('"type": "')[2].partition('"')[0] or "?"](text)


def _parse_by_type(text: str) -> StreamingEvent:
    # Inside a JSON string every quote is escaped, so this finds a key. If it is the key of an inner object, the type is
    # unknown or does not fit the model, and the slow path reads the event.
    return _VALIDATORS[text.partition('"type":"')[2].partition('"')[0]](text)


_VALIDATORS = _Validators()
_VALIDATORS[""] = _parse_spaced


def _renew_lock() -> None:
    """In a forked process: the thread that builds a model, and holds the lock, is not there."""
    _VALIDATORS.lock = Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


def validator(kind: str) -> Callable[[bytes], StreamingEvent]:
    """What reads the JSON of the events of a type that have no fault. Raises: ValueError: it has one."""
    return cast("Callable[[bytes], StreamingEvent]", _VALIDATORS[kind])  # pydantic reads bytes as well


def parse_event(data: str | bytes, *, strict: bool = False) -> StreamingEvent:
    """The event of `data`, the JSON of one Frame.

    The type is read from the JSON, not from the Frame's event field. An unknown type becomes an `UnknownEvent`, and
    so does a known type whose payload does not fit, with `error` set; an item, part or annotation that does not fit
    becomes an `UnknownItem`, `UnknownPart`, `UnknownAnnotation`. Invalid UTF-8, and halves of surrogate pairs,
    become U+FFFD; `EventParser` joins pairs that were split over two deltas.

    Raises:
        ProtocolError: `data` is not a JSON object, or nests more than 200 levels deep.
        EventError: with `strict=True`, a field of a known type does not fit.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    if strict:
        return _read_strictly(_load(text), text)
    try:
        return _parse_by_type(text)
    except ValueError:
        pass
    return read_fields(_load(text))


class EventParser:
    """`parse_event` for the Frames of one stream, in order.

    Servers that cut text by UTF-16 units may split a surrogate pair over two deltas. The first half is kept, and the
    joined character is put before the next delta of the same lane (type, output index, content index).
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self.halves: dict[tuple[str, ...], str] = {}
        """Lane -> the first half of a pair that its last delta ended with. While it is empty, each event can be read
        alone."""

    def parse(self, data: str | bytes, hint: str = "") -> StreamingEvent:
        """The event of `data`. Raises: as `parse_event`.

        `hint` is the expected type, such as the Frame's event field; it saves the search for the type. If it is wrong,
        the type is read from the data.
        """
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if not self.halves and not self._strict:
            try:
                return (_VALIDATORS[hint] if hint else _parse_by_type)(text)
            except ValueError:
                pass
            if hint:
                try:
                    return _parse_by_type(text)
                except ValueError:
                    pass
        value = _load(text, self._join)
        return _read_strictly(value, text) if self._strict else read_fields(value)

    def _join(self, value: dict[str, Any]) -> None:
        """Put the half of the lane before the delta, and keep the half at its end."""
        kind, delta = value.get("type"), value.get("delta")
        if not isinstance(kind, str):
            return
        name, _, step = kind.rpartition(".")
        place = [value.get(key) for key in _PLACE_FIELDS] if "output_index" in value else [value.get("item_id")]
        lane = (name, *map(repr, place))
        if step == "done":
            self.halves.pop(lane, None)  # this event has the whole text of the lane
        if step != "delta" or not isinstance(delta, str):
            return
        delta = self.halves.pop(lane, "") + delta
        if _HIGH_HALF_AT_END.search(delta) and len(self.halves) < _MAX_HALVES:
            self.halves[lane] = delta[-1]
            delta = delta[:-1]
        value["delta"] = delta


def _load(text: str, change: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """The JSON object, changed by `change`, with U+FFFD for halves of surrogate pairs."""
    problem = "other JSON"
    try:
        try:
            value = from_json(text)
            halves = False
        except (ValueError, TypeError):
            # pydantic rejects halves of surrogate pairs (escaped or not), the standard library reads them.
            value = json.loads(text)
            halves = True
        if isinstance(value, dict) and change is not None:
            change(cast("dict[str, Any]", value))
            halves = True
        if halves:
            dumped = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
            value = from_json(_SURROGATE.sub("\ufffd", dumped.decode("utf-16-le", "surrogatepass")))
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error).splitlines()[0][:200]
        value, problem = None, f"text that is not JSON ({reason})"
    if not isinstance(value, dict):  # not raised in the handler, because the exception there holds the whole text
        raise ProtocolError(f"expected a JSON object as the data of a Frame, got {problem}: {_excerpt(text)}")
    return cast("dict[str, Any]", value)


def read_fields(value: dict[str, Any]) -> StreamingEvent:
    """The event. If it does not fit its type, it is read as it is meant, or else is an `UnknownEvent`."""
    kind = value.get("type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return _unknown(value, None)
    try:
        return cast(StreamingEvent, model.model_validate(value))
    except ValidationError as error:
        problem = _description(error)
    try:
        return cast(StreamingEvent, validate_loosely(model.model_validate, value))
    except ValidationError:
        return _unknown(value, problem)


def _read_strictly(value: dict[str, Any], text: str) -> StreamingEvent:
    """The event. An unknown type is allowed.

    Raises: `EventError` if a field of a known type does not fit.
    """
    kind = value.get("type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return _unknown(value, None)
    try:
        event = model.model_validate(value)
        problem = _first_misfit(event)
    except ValidationError as error:
        event, problem = None, _description(error)
    if event is None or problem:
        raise EventError(f"{kind} does not fit its type: {problem}", event_type=str(kind), data=one_line(text, 1024))
    return cast(StreamingEvent, event)


def _unknown(value: dict[str, Any], error: str | None) -> UnknownEvent:
    kind, number = value.get("type"), value.get("sequence_number")
    return UnknownEvent.model_construct(
        type=kind if isinstance(kind, str) else "",
        sequence_number=number if type(number) is int else None,
        data=value,
        error=error,
    )


def _first_misfit(value: Any, path: str = "") -> str:
    """The path of the first field that does not fit, or of a known type that is an unknown model; empty if all fit."""
    if isinstance(value, list):
        places = enumerate(cast("list[Any]", value))
        return next((misfit for at, entry in places if (misfit := _first_misfit(entry, f"{path}[{at}]"))), "")
    if not isinstance(value, Model):
        return ""
    fields = type(value).model_fields
    extra = value.__pydantic_extra__ or {}
    for name, field in fields.items():
        if (field.alias or name) in extra:
            return f"{path}.{name}".lstrip(".")
    if getattr(value, "type", None) in _KNOWN_TYPES.get(type(value), ()):
        return path.lstrip(".")
    entries = ((name, getattr(value, name)) for name in fields)
    return next((misfit for name, entry in entries if (misfit := _first_misfit(entry, f"{path}.{name}"))), "")


def _description(error: ValidationError) -> str:
    """The fields that do not fit, and why; without their values, which may be long, or private text."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    fields = [f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in problems[:3]]
    return one_line("; ".join(fields), 500)


def _excerpt(text: str) -> str:
    return repr(hide(text)[:100]) + (f" … ({len(text)} characters)" if len(text) > 100 else "")
