"""An operator on trial: what it is fed, how it is run, and how what it says is compared."""

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias, cast

from reactivex import Observable
from reactivex.disposable import CompositeDisposable

from rxstream.testing._clock import VirtualClock
from rxstream.testing.answers._answer import Answer, JsonObject, ReceivedRequest, compact, frame_bytes, numbered
from rxstream.testing.answers._build import function_calls, reasoning_summary, refusal, text, together
from rxstream.testing.marbles._sources import Recording, Script
from rxstream.typing import Operator

Kind: TypeAlias = Literal["events", "frames", "bytes", "texts"]
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


class Run:
    """One subscription to a result, and what it saw."""

    def __init__(self, clock: VirtualClock, result: Observable[Any]) -> None:
        self._clock = clock
        self._result = result
        self._recording = Recording(clock)
        self._subscriptions = CompositeDisposable()
        self._begun = 0

    def subscribe(self, *, guarded: bool = True) -> None:
        """Subscribe; with `guarded=False` without Rx's own guard against what comes after the end."""
        self._begun = round(self._clock.now * 1e6)
        if guarded:
            subscription = self._result.subscribe(self._recording, scheduler=self._clock.scheduler)
        else:
            subscribe = self._result._subscribe_core  # pyright: ignore[reportPrivateUsage]
            subscription = subscribe(self._recording, self._clock.scheduler)
        self._subscriptions.add(subscription)

    def dispose(self) -> None:
        """Dispose the subscription, and those to every Observable that was emitted."""
        self._subscriptions.dispose()
        self._recording.dispose_inner()

    @property
    def seen(self) -> list[tuple[int, str, Any]]:
        return self._recording.seen

    @property
    def ended(self) -> str:
        """`|`, `#`, or "" where it goes on."""
        return next((sign for _, sign, _ in self.seen if sign), "")

    @property
    def error(self) -> object:
        return next((value for _, sign, value in self.seen if sign == "#"), None)

    @property
    def described_end(self) -> str:
        return {"|": "completed", "#": f"failed with {self.error!r}", "": "did not end"}[self.ended]

    @property
    def seconds(self) -> float:
        """How long it went on, at least."""
        return (self.seen[-1][0] - self._begun) / 1e6 if self.seen else 0.0

    def values(self) -> list[Any]:
        """The values; for an Observable what it emitted, as `Inner`."""
        return _values(self._recording)

    def timed(self) -> list[Any]:
        """Everything with its time since the subscription, in a form that compares by content."""
        return [(at - self._begun, sign, plain(value)) for at, sign, value in _deep(self._recording)]


@dataclasses.dataclass(frozen=True, slots=True)
class Inner:
    """What an emitted Observable emitted itself."""

    key: object
    values: list[Any]
    ended: str


class Trial:
    """An operator and its inputs."""

    def __init__(
        self,
        make: Callable[[], Operator[Any, Any]],
        *,
        of: Kind = "events",
        answers: Iterable[Answer] | None = None,
        joined: Callable[[Sequence[Any]], object] | None = None,
    ) -> None:
        self.make = make
        self.of: Kind = of
        self._join = joined or _joined
        self._answers = tuple(answers) if answers is not None else _ANSWERS

    def joined(self, values: Sequence[Any]) -> object:
        return self._join(values)

    def events(self) -> Iterator[list[JsonObject]]:
        """The events of each answer, as JSON objects."""
        for answer in self._answers:
            yield list(islice(answer.events(ReceivedRequest()), answer.after))

    def inputs(self) -> Iterator[list[Any]]:
        """Each answer as the operator takes it."""
        return map(self.as_inputs, self.events())

    def as_inputs(self, events: Iterable[JsonObject]) -> list[Any]:
        """Events as the operator takes them."""
        from rxstream.events import parse_event
        from rxstream.sse import Frame

        if self.of == "events":
            return [parse_event(json.dumps(event)) for event in events]
        if self.of == "frames":
            return [Frame(event["type"], compact(event)) for event in events]
        if self.of == "bytes":
            return list(map(frame_bytes, events))
        return [event["delta"] for event in events if event["type"] in _TEXT_DELTAS]

    def resplit(self, events: Sequence[JsonObject]) -> Iterator[tuple[str, list[Any]]]:
        """The same input, split otherwise; with how it was split."""
        if self.of == "bytes":
            stream = b"".join(map(frame_bytes, events))
            yield "byte by byte", [stream[at : at + 1] for at in range(len(stream))]
            yield "at once", [stream]
            return
        ways: dict[str, Callable[[str], list[str]]] = {
            "character by character": list,
            "in pieces of 7 characters": lambda said: [said[at : at + 7] for at in range(0, len(said), 7)],
            "in one piece": lambda said: [said],
            "with empty deltas between": lambda said: ["", *said[:3], "", said[3:], ""],
        }
        for how, cut in ways.items():
            yield how, self.as_inputs(_recut(events, cut))

    def source(
        self, clock: VirtualClock, inputs: Sequence[Any], *, end: str = "|", error: Exception | None = None
    ) -> "Script":
        """A cold source of them, one every 10 ms."""
        notes = [(number * _STEP, "", value) for number, value in enumerate(inputs, 1)]
        sign = "#" if error is not None else end
        if sign:
            notes.append(((len(notes) + 1) * _STEP, sign, error))
        return Script(clock, notes, hot=False)

    def run(self, inputs: Sequence[Any], *, error: Exception | None = None, guarded: bool = True) -> Run:
        """Run the operator over the inputs, and 10 s longer."""
        clock = VirtualClock()
        run = Run(clock, self.make()(self.source(clock, inputs, error=error)))
        run.subscribe(guarded=guarded)
        clock.advance((len(inputs) + 1) * _STEP / 1e6 + 10)
        run.dispose()
        return run


_TEXT_DELTAS = ("response.output_text.delta", "response.refusal.delta")


def joined(values: Sequence[Any]) -> object:
    """What a sequence of values says in all: texts joined, deltas joined lane by lane, of other values the last."""
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


def unknowns_between(events: Sequence[JsonObject]) -> list[JsonObject]:
    """The events with ones that nobody knows between them, some of the item that is being told."""
    strange: list[JsonObject] = [
        {"type": "response.brand_new.delta", "delta": {"x": 1}},
        {"type": "acme:trace_event", "note": "a vendor's own"},
        {"type": "keepalive"},
    ]
    mixed: list[JsonObject] = []
    for number, event in enumerate(events):
        of_item = "output_index" in event and event["type"] != "response.output_item.done"
        place = {"output_index": event["output_index"]} if of_item and number % 3 == 0 else {}
        mixed += [event, {**strange[number % 3], **place}]
    return _renumbered(mixed[:-1])


def _joined(values: Sequence[Any]) -> object:
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        return "".join(texts)
    pieces = [value for value in values if isinstance(value, bytes)]
    if pieces:
        return b"".join(pieces)
    lanes: dict[str, str] = {}
    rest: list[Any] = []
    last: Any = None
    for value in values:
        event = _event(value)
        if isinstance(value, Inner):
            rest.append({"key": plain(value.key), "ended": value.ended, "said": _joined(value.values)})
        elif event is None:
            last = plain(value)
        elif _DELTA.search(event["type"]) and isinstance(event.get("delta"), str):
            places = ("output_index", "content_index", "summary_index")
            lane = f"{event['type']} {[event.get(place) for place in places]}"
            lanes[lane] = lanes.get(lane, "") + event["delta"]
        elif event["type"].startswith("response.") and "brand_new" not in event["type"]:
            rest.append(_without_server(event))
    return {"deltas": lanes, "rest": rest, "last": _without_server(last)}


def _event(value: Any) -> JsonObject | None:
    """A value as an event's JSON, where it is an event or a frame of one."""
    from rxstream.events import Event
    from rxstream.sse import Frame

    if isinstance(value, Frame):
        return json.loads(value.data)
    return value.model_dump(mode="json") if isinstance(value, Event) else None


def _without_server(value: Any) -> Any:
    """Without what a server that splits otherwise would count otherwise."""
    if isinstance(value, dict):
        known = cast(dict[str, Any], value)
        return {name: _without_server(item) for name, item in known.items() if name not in _SERVER_ONLY}
    if isinstance(value, list):
        return [_without_server(item) for item in cast(list[Any], value)]
    return value


def _recut(events: Iterable[JsonObject], cut: Callable[[str], list[str]]) -> list[JsonObject]:
    """The same events with every lane's deltas cut anew, in the place of its first."""
    said: dict[tuple[Any, ...], str] = {}
    found = list(events)
    for event in found:
        if _DELTA.search(event["type"]):
            said[_lane(event)] = said.get(_lane(event), "") + event["delta"]
    again: list[JsonObject] = []
    for event in found:
        if not _DELTA.search(event["type"]):
            again.append(event)
        elif whole := said.pop(_lane(event), None):
            again += [{**event, "delta": piece} for piece in cut(whole)]
    return _renumbered(again)


def _lane(event: JsonObject) -> tuple[Any, ...]:
    return (event["type"], *(event.get(name) for name in ("output_index", "content_index", "summary_index")))


def _renumbered(events: Iterable[JsonObject]) -> list[JsonObject]:
    bare = ({name: value for name, value in event.items() if name != "sequence_number"} for event in events)
    return list(numbered(bare))


def _values(recording: Recording) -> list[Any]:
    found: list[Any] = []
    for _, sign, value in recording.seen:
        inner = recording.inner.get(id(value))
        if inner is not None:
            ended = next((sign for _, sign, _ in inner.seen if sign), "")
            found.append(Inner(getattr(value, "key", None), _values(inner), ended))
        elif not sign:
            found.append(value)
    return found


def _deep(recording: Recording) -> Iterator[tuple[int, str, Any]]:
    """All notifications, those of emitted Observables after the one that emitted them."""
    for at, sign, value in recording.seen:
        yield at, sign, value
        if inner := recording.inner.get(id(value)):
            yield from _deep(inner)
