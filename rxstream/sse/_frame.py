"""One dispatched event of an event stream, before anybody reads its data."""

from typing import NamedTuple


class Frame(NamedTuple):
    """What one block of an event stream says.

    A named tuple, because it is made for every event and costs a third of a frozen dataclass.
    """

    event: str = "message"
    """The event's name; `"message"` where the block named none."""
    data: str = ""
    """The data lines, joined by LF."""
    id: str = ""
    """The last event id when the frame was dispatched: it persists from earlier blocks. Empty: none."""
    retry: int | None = None
    """The reconnection time in milliseconds, if this very block set one."""
