"""Trials of an operator for the laws: its inputs, its runs, and how outputs are compared."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias, cast

from reactivex import Observable
from reactivex.disposable import CompositeDisposable

from rxstream.testing._clock import VirtualClock
from rxstream.testing.answers._answer import Answer, JsonDict, ReceivedRequest, compact, frame_bytes, numbered
from rxstream.testing.answers._build import function_calls, reasoning_summary, refusal, text, together
from rxstream.testing.marbles._sources import MarbleSource, Recording
from rxstream.typing import Operator

InputKind: TypeAlias = Literal["events", "frames", "bytes", "texts"]
"""What an operator takes."""

_ANSWERS = (
    together(
        reasoning_summary("Two places, two calls."),
        text("I look it up: “5 °C”, e.g. 3.14 (π).\nOne moment, please."),
        function_calls([("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"})]),
        interleaved=True,
    ),
    refusal("I'm sorry, I can't assist with that."),
)
_DELTA = re.compile(r"\.delta$")
_STEP = 10_000
_SERVER_ONLY = {"sequence_number", "logprobs", "obfuscation", "usage"}


class TrialRun:
    """One subscription to a result, and its recording."""

    def __init__(self, clock: VirtualClock, result: Observable[Any]) -> None:
        self._clock = clock
        self._result = result
        self._recording = Recording(clock)
        self._subscriptions = CompositeDisposable()
        self._begun = 0

    def subscribe(self, *, guarded: bool = True) -> None:
        """Subscribe. With `guarded=False`, Rx does not check for notifications after the end."""
        self._begun = round(self._clock.now * 1e6)
        if guarded:
            subscription = self._result.subscribe(self._recording, scheduler=self._clock.scheduler)
        else:
            subscription = MarbleSource.subscribe_unguarded(self._result, self._recording, self._clock.scheduler)
        self._subscriptions.add(subscription)

    def dispose(self) -> None:
        """Dispose the subscription, and the subscriptions to the Observables that were emitted."""
        self._subscriptions.dispose()
        self._recording.dispose_inner()

    @property
    def seen(self) -> list[tuple[int, str, Any]]:
        return self._recording.seen

    @property
    def ended(self) -> str:
        """`|`, `#`, or "" before the end."""
        return next((sign for _, sign, _ in self.seen if sign), "")

    @property
    def error(self) -> object:
        return next((value for _, sign, value in self.seen if sign == "#"), None)

    @property
    def described_end(self) -> str:
        return {"|": "completed", "#": f"failed with {self.error!r}", "": "did not end"}[self.ended]

    @property
    def seconds(self) -> float:
        """The time of the last notification, since the subscription."""
        return (self.seen[-1][0] - self._begun) / 1e6 if self.seen else 0.0

    def values(self) -> list[Any]:
        """The values. In place of an Observable its values, as `Inner`."""
        return _values(self._recording)

    def timed(self) -> list[Any]:
        """All notifications with their time since the subscription, in a form that compares by content."""
        return [(time - self._begun, sign, plain(value)) for time, sign, value in _all_notifications(self._recording)]


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    """The values of an Observable that was emitted."""

    key: object
    values: list[Any]
    ended: str


class Trial:
    """An operator and its inputs."""

    def __init__(
        self,
        make: Callable[[], Operator[Any, Any]],
        *,
        of: InputKind = "events",
        answers: Iterable[Answer] | None = None,
        joined: Callable[[Sequence[Any]], object] | None = None,
    ) -> None:
        self.make = make
        self.of: InputKind = of
        self._join = joined or _joined
        self._answers = tuple(answers) if answers is not None else _ANSWERS

    def joined(self, values: Sequence[Any]) -> object:
        return self._join(values)

    def events(self) -> Iterator[list[JsonDict]]:
        """The events of each answer, as JSON objects."""
        for answer in self._answers:
            yield list(islice(answer.events(ReceivedRequest()), answer.after))

    def inputs(self) -> Iterator[list[Any]]:
        """The inputs of each answer."""
        return map(self.as_inputs, self.events())

    def as_inputs(self, events: Iterable[JsonDict]) -> list[Any]:
        """Events as the operator's kind of input."""
        from rxstream.events import parse_event
        from rxstream.sse import Frame

        if self.of == "events":
            return [parse_event(json.dumps(event)) for event in events]
        if self.of == "frames":
            return [Frame(event["type"], compact(event)) for event in events]
        if self.of == "bytes":
            return list(map(frame_bytes, events))
        return [event["delta"] for event in events if event["type"] in _TEXT_DELTAS]

    def resplit(self, events: Sequence[JsonDict]) -> Iterator[tuple[str, list[Any]]]:
        """How the input is split, and the input."""
        if self.of == "bytes":
            stream = b"".join(map(frame_bytes, events))
            yield "byte by byte", [bytes([byte]) for byte in stream]
            yield "at once", [stream]
            return
        ways: dict[str, Callable[[str], list[str]]] = {
            "character by character": list,
            "in pieces of 7 characters": lambda text: [text[start : start + 7] for start in range(0, len(text), 7)],
            "in one piece": lambda text: [text],
            "with empty deltas between": lambda text: ["", *text[:3], "", text[3:], ""],
        }
        for name, cut in ways.items():
            yield name, self.as_inputs(_recut(events, cut))

    def source(
        self, clock: VirtualClock, inputs: Sequence[Any], *, end: str = "|", error: Exception | None = None
    ) -> "MarbleSource":
        """A cold source of the inputs, one every 10 ms."""
        notifications = [(number * _STEP, "", value) for number, value in enumerate(inputs, 1)]
        sign = "#" if error is not None else end
        if sign:
            notifications.append(((len(notifications) + 1) * _STEP, sign, error))
        return MarbleSource(clock, notifications, hot=False)

    def run(self, inputs: Sequence[Any], *, error: Exception | None = None, guarded: bool = True) -> TrialRun:
        """Run the operator over the inputs, and 10 s longer."""
        clock = VirtualClock()
        run = TrialRun(clock, self.make()(self.source(clock, inputs, error=error)))
        run.subscribe(guarded=guarded)
        clock.advance((len(inputs) + 1) * _STEP / 1e6 + 10)
        run.dispose()
        return run


_TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")


def joined(values: Sequence[Any]) -> object:
    """One value for a sequence of values: texts joined, deltas joined by place, and of other values the last."""
    return _joined(values)


def plain(value: Any) -> Any:
    """A value in a form that compares by content and prints in one line."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast(Sequence[Any], value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast(dict[Any, Any], value).items()}
    if isinstance(value, Observable):
        return "Observable"
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    if type(value).__repr__ is object.__repr__:
        return {"": type(value).__name__, **{name: plain(item) for name, item in vars(value).items()}}
    return value if isinstance(value, str | bytes | int | float | bool | None) else repr(value)


def unknowns_between(events: Sequence[JsonDict]) -> list[JsonDict]:
    """The events with unknown events between them, some of the current item."""
    unknown: list[JsonDict] = [
        {"type": "response.brand_new.delta", "delta": {"x": 1}},
        {"type": "acme:trace_event", "note": "a vendor's own"},
        {"type": "keepalive"},
    ]
    mixed: list[JsonDict] = []
    for number, event in enumerate(events):
        of_item = "output_index" in event and event["type"] != "response.output_item.done"
        place = {"output_index": event["output_index"]} if of_item and number % 3 == 0 else {}
        mixed += [event, {**unknown[number % 3], **place}]
    return _renumbered(mixed[:-1])


def _joined(values: Sequence[Any]) -> object:
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        return "".join(texts)
    pieces = [value for value in values if isinstance(value, bytes)]
    if pieces:
        return b"".join(pieces)
    texts_by_place: dict[str, str] = {}
    others: list[Any] = []
    last: Any = None
    for value in values:
        event = _event(value)
        if isinstance(value, Inner):
            others.append({"key": plain(value.key), "ended": value.ended, "values": _joined(value.values)})
        elif event is None:
            last = plain(value)
        elif _DELTA.search(event["type"]) and isinstance(event.get("delta"), str):
            places = ("output_index", "content_index", "summary_index")
            where = f"{event['type']} {[event.get(place) for place in places]}"
            texts_by_place[where] = texts_by_place.get(where, "") + event["delta"]
        elif event["type"].startswith("response.") and "brand_new" not in event["type"]:
            others.append(_without_server(event))
    return {"deltas": texts_by_place, "others": others, "last": _without_server(last)}


def _event(value: Any) -> JsonDict | None:
    """The JSON of an event, or of the event in a Frame. None for other values."""
    from rxstream.events import Event
    from rxstream.sse import Frame

    if isinstance(value, Frame):
        return json.loads(value.data)
    return value.model_dump(mode="json") if isinstance(value, Event) else None


def _without_server(value: Any) -> Any:
    """Without the fields that depend on how the server splits the text."""
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        return {name: _without_server(item) for name, item in fields.items() if name not in _SERVER_ONLY}
    if isinstance(value, list):
        return [_without_server(item) for item in cast(list[Any], value)]
    return value


def _recut(events: Iterable[JsonDict], cut: Callable[[str], list[str]]) -> list[JsonDict]:
    """The events with other deltas: each text is joined, cut again, and put in the place of its first delta."""
    texts: dict[tuple[Any, ...], str] = {}
    old = list(events)
    for event in old:
        if _DELTA.search(event["type"]):
            texts[_text_place(event)] = texts.get(_text_place(event), "") + event["delta"]
    new: list[JsonDict] = []
    for event in old:
        if not _DELTA.search(event["type"]):
            new.append(event)
        elif whole := texts.pop(_text_place(event), None):
            new += [{**event, "delta": piece} for piece in cut(whole)]
    return _renumbered(new)


def _text_place(event: JsonDict) -> tuple[Any, ...]:
    return (event["type"], *(event.get(name) for name in ("output_index", "content_index", "summary_index")))


def _renumbered(events: Iterable[JsonDict]) -> list[JsonDict]:
    unnumbered = ({name: value for name, value in event.items() if name != "sequence_number"} for event in events)
    return list(numbered(unnumbered))


def _values(recording: Recording) -> list[Any]:
    values: list[Any] = []
    for _, sign, value in recording.seen:
        inner = recording.inner.get(id(value))
        if inner is not None:
            ended = next((sign for _, sign, _ in inner.seen if sign), "")
            values.append(Inner(getattr(value, "key", None), _values(inner), ended))
        elif not sign:
            values.append(value)
    return values


def _all_notifications(recording: Recording) -> Iterator[tuple[int, str, Any]]:
    """All notifications. After an emitted Observable come its own."""
    for time, sign, value in recording.seen:
        yield time, sign, value
        if inner := recording.inner.get(id(value)):
            yield from _all_notifications(inner)
