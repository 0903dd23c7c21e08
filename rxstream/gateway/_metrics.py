"""Numbers of a gateway, as Prometheus reads them: https://prometheus.io/docs/instrumenting/exposition_formats/."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class GatewayMetrics:
    """The counters since the start. They have no prompt, no text and no caller. Memory: one number for each label."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        """By route and status."""
        self.open_streams = 0
        self.events = 0
        self.ended: Counter[str] = Counter()
        """Streams by `completed`, or the class of their error."""
        self._first_event = [0] * (len(_BOUNDS) + 1)
        self._first_event_sum = 0.0

    def first_event(self, seconds: float) -> None:
        """The first event of a stream came after so many seconds."""
        self._first_event[bisect_left(_BOUNDS, seconds)] += 1
        self._first_event_sum += seconds

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = "rxstream_gateway"
        yield from _head(f"{name}_requests_total", "counter", "Requests by route and status.")
        for (route, status), count in sorted(self.requests.items()):
            yield f'{name}_requests_total{{route="{route}",status="{status}"}} {count}'
        yield from _head(f"{name}_open_streams", "gauge", "Streams that run or are sent now.")
        yield f"{name}_open_streams {self.open_streams}"
        yield from _head(f"{name}_events_total", "counter", "Events of all streams.")
        yield f"{name}_events_total {self.events}"
        yield from _head(
            f"{name}_streams_ended_total", "counter", "Ends of streams: completed, or the class of an error."
        )
        for end, count in sorted(self.ended.items()):
            yield f'{name}_streams_ended_total{{end="{end}"}} {count}'
        yield from _head(f"{name}_first_event_seconds", "histogram", "From a request to the first event of its stream.")
        total = 0
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self._first_event, strict=True):
            total += count
            yield f'{name}_first_event_seconds_bucket{{le="{bound}"}} {total}'
        yield f"{name}_first_event_seconds_sum {self._first_event_sum:.6f}"
        yield f"{name}_first_event_seconds_count {total}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
