"""The events of a gateway as they are sent: without those of rxstream itself, and with numbers that only rise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rxstream.events import Event
from rxstream.gateway._metrics import GatewayMetrics


class OutgoingEvents:
    """Pass the events of the API, each with a `sequence_number` above the one before.

    A client that was cut asks for what comes behind a number, so each event has to have one, in order. Numbers that
    rise are left as they came; a moderator that holds text back, and servers that send none, make others necessary.
    Memory: one number.

    Args:
        renumbers: False: numbers stay as they came, because the server itself is asked for what comes behind one.
    """

    def __init__(self, metrics: GatewayMetrics, *, renumbers: bool) -> None:
        self._metrics = metrics
        self._renumbers = renumbers
        self._last = -1

    def feed(self, event: Event) -> Iterable[Event]:
        if event.type.startswith("rxstream."):
            return ()
        self._metrics.events += 1
        if not self._renumbers:
            return (event,)
        number = event.sequence_number
        if number is None or number <= self._last:
            number = self._last + 1
            event = event.model_copy(update={"sequence_number": number})
        self._last = number
        return (event,)

    def finish(self) -> Iterable[Any]:
        self._metrics.ended["completed"] += 1
        return ()

    def fail(self, error: Exception) -> Iterable[Any]:
        self._metrics.ended[type(error).__name__] += 1
        return ()
