"""One dispatched event of an event stream, its data not yet parsed."""

from typing import NamedTuple


class Frame(NamedTuple):
    """One block of an event stream.

    A named tuple, because one is made for every event, and it costs a third of a frozen dataclass.
    """

    event: str = "message"
    """The event's name; `"message"` where the block has no `event` field."""
    data: str = ""
    """The data lines, joined by LF."""
    id: str = ""
    """The last event id when the frame was dispatched: it persists from earlier blocks. Empty: none."""
    retry: int | None = None
    """The reconnection time in milliseconds; None where this block has no `retry` field."""
