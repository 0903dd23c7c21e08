"""Sources that play a row of a picture, and an observer that records a result."""

import ast
import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from reactivex import Observable, abc
from reactivex.disposable import CompositeDisposable, Disposable

from rxstream.testing._clock import VirtualClock
from rxstream.testing.answers._answer import JsonDict, compact, frame_bytes
from rxstream.testing.marbles._alphabet import unquoted
from rxstream.testing.marbles._encoder import RowEncoder
from rxstream.testing.marbles._legend import Pattern
from rxstream.testing.marbles._picture import Picture, Row


class SourceError(Exception):
    """The error of `#` in a source, unless a legend defines it."""


KINDS = ("source", "hot", "texts", "bytes", "wire", "frames", "values")
"""The labels of a source row."""


class MarbleSource(Observable[Any]):
    """An Observable that plays notifications at their times."""

    def __init__(self, clock: VirtualClock, notifications: list[tuple[int, str, Any]], *, hot: bool) -> None:
        super().__init__()
        self._clock = clock
        self._notifications = notifications
        self._hot = hot
        self._observers: list[abc.ObserverBase[Any]] = []
        self.subscriptions: list[tuple[int, int | None]] = []
        """When each subscription began and ended, in microseconds. The end is None until then."""
        self.schedulers: list[abc.SchedulerBase | None] = []
        """The scheduler of each subscription."""
        if hot:
            self._play(lambda: list(self._observers))

    @property
    def error(self) -> BaseException | None:
        """The error that it ends with, if it does."""
        return next((value for _, sign, value in self._notifications if sign == "#"), None)

    @staticmethod
    def subscribe_unguarded(
        source: Observable[Any], observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase
    ) -> abc.DisposableBase:
        """Subscribe without the check of `Observable.subscribe`, which drops notifications after the end."""
        return source._subscribe_core(observer, scheduler)

    def _subscribe_core(
        self, observer: abc.ObserverBase[Any], scheduler: abc.SchedulerBase | None = None
    ) -> abc.DisposableBase:
        number = len(self.subscriptions)
        self.subscriptions.append((_now(self._clock), None))
        self.schedulers.append(scheduler)
        self._observers.append(observer)
        player = Disposable() if self._hot else self._play(lambda: [observer])

        def leave() -> None:
            self._observers.remove(observer)
            self.subscriptions[number] = (self.subscriptions[number][0], _now(self._clock))
            player.dispose()

        return Disposable(leave)

    def _play(self, observers: Callable[[], list[abc.ObserverBase[Any]]]) -> abc.DisposableBase:
        def action_for(sign: str, value: Any) -> abc.ScheduledAction[Any]:
            def action(scheduler: abc.SchedulerBase, state: object = None) -> None:
                for observer in observers():
                    notify(observer, sign, value)

            return action

        schedule = self._clock.scheduler.schedule_relative
        return CompositeDisposable(
            [schedule(time / 1e6, action_for(sign, value)) for time, sign, value in self._notifications]
        )


def notify(observer: abc.ObserverBase[Any], sign: str, value: Any) -> None:
    """Send one notification to an observer."""
    if sign == "|":
        observer.on_completed()
    elif sign == "#":
        observer.on_error(value)
    else:
        observer.on_next(value)


def source_of(row: Row, picture: Picture, clock: VirtualClock, names: Mapping[str, object]) -> MarbleSource:
    """The source that a row describes."""
    kind = row.label if row.label in KINDS else "source"
    encoder = RowEncoder()
    legend = {name: Pattern(expression, names) for name, expression in picture.where.items()}
    notifications: list[tuple[int, str, Any]] = []
    for symbol in row.symbols:
        if symbol.text == "|":
            notifications.append((symbol.time, "|", None))
        elif symbol.text == "#":
            notifications.append(
                (symbol.time, "#", legend["#"].value() if "#" in legend else SourceError("the source failed"))
            )
        elif symbol.text in legend:
            notifications.append((symbol.time, "", _legend_value(legend[symbol.text].value(), kind, encoder)))
        else:
            notifications.append((symbol.time, "", _read(symbol.text, kind, encoder)))
    return MarbleSource(clock, notifications, hot=kind == "hot")


class Recording(abc.ObserverBase[Any]):
    """The notifications of an Observable: time (in microseconds), sign or "", value or error."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.seen: list[tuple[int, str, Any]] = []
        self.inner: dict[int, Recording] = {}
        """The recordings of the Observables that were emitted, by their `id`."""
        self._inner_subscriptions = CompositeDisposable()

    def dispose_inner(self) -> None:
        """Dispose the subscriptions to the Observables that were emitted."""
        self._inner_subscriptions.dispose()

    def on_next(self, value: Any) -> None:
        self._record("", value)
        if isinstance(value, Observable):
            inner = cast(Observable[Any], value)
            recording = self.inner[id(inner)] = Recording(self._clock)
            self._inner_subscriptions.add(inner.subscribe(recording, scheduler=self._clock.scheduler))

    def on_error(self, error: Exception) -> None:
        self._record("#", error)

    def on_completed(self) -> None:
        self._record("|", None)

    def _record(self, sign: str, value: Any) -> None:
        self.seen.append((_now(self._clock), sign, value))


def _now(clock: VirtualClock) -> int:
    return round(clock.now * 1e6)


def _read(text: str, kind: str, encoder: RowEncoder) -> Any:
    if kind == "texts":
        return unquoted(text)
    if kind == "bytes":
        return unquoted(text).encode()
    if kind == "values":
        try:
            return ast.literal_eval(unquoted(text))
        except (ValueError, SyntaxError):
            return unquoted(text)
    return _typed(encoder.encode(text), kind)


def _legend_value(value: Any, kind: str, encoder: RowEncoder) -> Any:
    """A value of the legend; for a source of events, a mapping becomes an event."""
    if kind in ("source", "hot", "frames", "wire") and type(value) is dict:
        return _typed(encoder.number(cast(JsonDict, value)), kind)
    return value


def _typed(event: JsonDict, kind: str) -> Any:
    if kind == "wire":
        return frame_bytes(event)
    if kind == "frames":
        from rxstream.sse import Frame

        return Frame(event["type"], compact(event))
    from rxstream.events import parse_event

    return parse_event(json.dumps(event))
