"""From the data of a frame to a typed event.

The fast way costs hardly more than pydantic's own validator: find the type, hand the text to the validator of its
model. Everything odd - an unknown type, a payload that does not fit, half a surrogate pair, garbage - makes that fail
and goes the patient way: read the JSON once, then see what can be made of it.
"""

import json
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
from rxstream.events._parts import KnownAnnotation, KnownPart, UnknownAnnotation, UnknownPart
from rxstream.events._patience import nulls, wire_type, without
from rxstream.events._union import StreamingEvent
from rxstream.events._unknown import UnknownEvent

__all__ = [
    "EventParser",
    "parse_event",
]

_MODELS: dict[str, type[Event]] = {wire_type(model): model for model in get_args(StreamingEvent)[:-1]}
_MISTAKEN: dict[type, set[str]] = {
    UnknownItem: set(map(wire_type, get_args(KnownItem))),
    UnknownPart: set(map(wire_type, get_args(KnownPart))),
    UnknownAnnotation: set(map(wire_type, get_args(KnownAnnotation))),
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIGH = re.compile(r"[\ud800-\udbff]\Z")
_PLACE = ("output_index", "content_index", "summary_index", "command_index")
_MAX_HELD = 64
_USUAL = (
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
    """Type -> validator of its model. A model is built when its type first comes: most types never do."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()

    def __missing__(self, kind: str) -> Callable[[str], StreamingEvent]:
        model = _MODELS.get(kind)
        if model is None:
            return _unknown_type
        with self._lock:
            _build(model)
            validate = self[kind] = cast("Callable[[str], StreamingEvent]", model.__pydantic_validator__.validate_json)
        return validate


def _build(model: type[Model]) -> None:
    """Build the model after all that it holds: pydantic then takes the parts as they are, several times as fast."""
    if not model.__pydantic_complete__:
        for field in model.model_fields.values():
            for part in _models_in(field.annotation):
                _build(part)
        model.model_rebuild()


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def prepare() -> None:
    """Build the models that nearly every stream needs, which otherwise happens as their first events come.

    To be called while there is nothing else to do, such as waiting for the server. Calling it again costs nothing.
    """
    for kind in _USUAL:
        _VALIDATORS[kind]


def _unknown_type(text: str) -> NoReturn:
    raise ValueError


def _spaced(text: str) -> StreamingEvent:
    return _VALIDATORS[text.partition('"type": "')[2].partition('"')[0] or "?"](text)


def _by_content(text: str) -> StreamingEvent:
    # Inside a JSON string every quote is escaped, so this finds a key. It may be the key of an inner object; then the
    # type is unknown, or the `type` of the model does not fit, and the patient way decides.
    return _VALIDATORS[text.partition('"type":"')[2].partition('"')[0]](text)


_VALIDATORS = _Validators()
_VALIDATORS[""] = _spaced


def parse_event(data: str | bytes, *, strict: bool = False) -> StreamingEvent:
    """The event that `data`, the JSON of one frame, stands for.

    The type is read from the JSON, never from the frame's event line. An unknown type becomes an `UnknownEvent`, and
    so does a known type whose payload does not fit, with `error` set; an item, part or annotation that does not fit
    becomes an `UnknownItem`, `UnknownPart`, `UnknownAnnotation`. Bytes that are no UTF-8, and halves of surrogate
    pairs, become U+FFFD; `EventParser` joins pairs that were split over two deltas.

    Raises:
        ProtocolError: `data` is no JSON, is no object, or nests more than 200 levels deep.
        EventError: only with `strict=True`: the type is known, and something in the payload does not fit.
    """
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    if strict:
        return _read_strictly(_load(text), text)
    try:
        return _by_content(text)
    except ValueError:
        pass
    return _read(_load(text))


class EventParser:
    """`parse_event` for the frames of one stream, in order.

    Servers that cut text by UTF-16 units may split a surrogate pair over two deltas. The first half is held back, and
    the joined character stands in front of the next delta of the same lane (type, output index, content index).
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._held: dict[tuple[str, ...], str] = {}

    def parse(self, data: str | bytes, hint: str = "") -> StreamingEvent:
        """The event that `data` stands for. Raises what `parse_event` raises.

        `hint` may be the frame's event field, which saves looking for the type. It decides nothing: a model fits only
        data of its own type, and where the hint is wrong, the data says what it is.
        """
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        if not self._held and not self._strict:
            try:
                return (_VALIDATORS[hint] if hint else _by_content)(text)
            except ValueError:
                pass
            if hint:
                try:
                    return _by_content(text)
                except ValueError:
                    pass
        value = _load(text, self._join)
        return _read_strictly(value, text) if self._strict else _read(value)

    def usual(self, kind: str, data: bytes) -> StreamingEvent | None:
        """The event that `data` stands for if it is one of type `kind` with nothing odd about it; else None."""
        if self._held or self._strict:
            return None
        try:
            return _VALIDATORS[kind](data)  # pyright: ignore[reportArgumentType]  # pydantic reads bytes as well
        except ValueError:
            return None

    def _join(self, value: dict[str, Any]) -> None:
        """Put the half that is held in front of the delta; hold back the half it ends with."""
        kind, delta = value.get("type"), value.get("delta")
        if not isinstance(kind, str):
            return
        name, _, step = kind.rpartition(".")
        place = [value.get(key) for key in _PLACE] if "output_index" in value else [value.get("item_id")]
        lane = (name, *map(repr, place))
        if step == "done":
            self._held.pop(lane, None)  # the text of the lane comes whole with this event
        if step != "delta" or not isinstance(delta, str):
            return
        delta = self._held.pop(lane, "") + delta
        if _HIGH.search(delta) and len(self._held) < _MAX_HELD:
            self._held[lane] = delta[-1]
            delta = delta[:-1]
        value["delta"] = delta


def _load(text: str, change: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """The JSON object, changed by `change`, and without any half of a surrogate pair."""
    problem = "JSON, but no object"
    try:
        try:
            value = from_json(text)
            halves = False
        except (ValueError, TypeError):
            # pydantic refuses halves of surrogate pairs (escaped or not), the standard library reads them.
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
        value, problem = None, f"not JSON ({reason})"
    if not isinstance(value, dict):  # not raised in the handler, because the exception there holds the whole text
        raise ProtocolError(f"the data of a frame is {problem}: {_excerpt(text)}")
    return cast("dict[str, Any]", value)


def _read(value: dict[str, Any]) -> StreamingEvent:
    """The event, whatever is odd about it."""
    kind = value.get("type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return _unknown(value, None)
    try:
        return cast(StreamingEvent, model.model_validate(value))
    except ValidationError as error:
        problem = _say(error)
    try:
        return cast(StreamingEvent, without(model.model_validate, value, nulls(value)))
    except ValidationError:
        return _unknown(value, problem)


def _read_strictly(value: dict[str, Any], text: str) -> StreamingEvent:
    """The event, and all of it fits; an unknown type is nothing odd."""
    kind = value.get("type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return _unknown(value, None)
    try:
        event = model.model_validate(value)
        problem = _oddity(event)
    except ValidationError as error:
        event, problem = None, _say(error)
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


def _oddity(value: Any, path: str = "") -> str:
    """Where something known was taken for unknown, or a field was set aside; empty where nothing was."""
    if isinstance(value, list):
        places = enumerate(cast("list[Any]", value))
        return next((odd for at, entry in places if (odd := _oddity(entry, f"{path}[{at}]"))), "")
    if not isinstance(value, Model):
        return ""
    fields = type(value).model_fields
    extra = value.__pydantic_extra__ or {}
    for name, field in fields.items():
        if (field.alias or name) in extra:
            return f"{path}.{name}".lstrip(".")
    if getattr(value, "type", None) in _MISTAKEN.get(type(value), ()):
        return path.lstrip(".")
    entries = ((name, getattr(value, name)) for name in fields)
    return next((odd for name, entry in entries if (odd := _oddity(entry, f"{path}.{name}"))), "")


def _say(error: ValidationError) -> str:
    """What did not fit and where, without what came: that may be long, and somebody's text."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    said = [f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in problems[:3]]
    return one_line("; ".join(said), 500)


def _excerpt(text: str) -> str:
    return repr(hide(text)[:100]) + (f" … ({len(text)} characters)" if len(text) > 100 else "")
