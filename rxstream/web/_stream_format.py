"""A format of a stream for browsers: what an operator makes of events, and how that is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from reactivex import Observable

from rxstream.rx._checks import of_events
from rxstream.rx._lift import lift
from rxstream.typing import Core

_P = TypeVar("_P")


class StreamFormat(Generic[_P]):
    """An operator from events to the parts of a format, and how a part is written as bytes.

    Use it in `.pipe(…)` to see or change the parts, or give it to an `EventStream` or `EventStreamResponse`. Your own
    format is a core (`rxstream.typing.Core`; one with `fail` can say what went wrong) and a function that writes.

    Args:
        name: of the operator, for errors.
        make: makes a core that turns events into parts; called once for each subscription.
        encode: a part as bytes.
        headers: what the answer has beside `content-type: text/event-stream` and the headers for proxies.
        end: bytes behind the last part, also after an error.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Core[Any, _P]],
        encode: Callable[[_P], bytes],
        *,
        headers: Mapping[str, str] | None = None,
        end: bytes = b"",
    ) -> None:
        self._operator = lift(make, of_events(name))
        self.name = name
        self.encode = encode
        self.headers = dict(headers or {})
        self.end = end

    def __call__(self, source: Observable[Any]) -> Observable[_P]:
        """The parts of the events of `source`. Raises: TypeError: it is not an Observable."""
        return self._operator(source)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
