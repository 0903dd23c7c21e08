"""What the machine tells its subscription to do."""

from typing import Any, Final, NamedTuple, TypeAlias, get_args

from rxstream.moderation.machine._window import VerdictRecord, Window


class StartCheck(NamedTuple):
    """Call the check number `tier` with `window`, and pass its verdict to `check_ended` with this `id`."""

    id: int
    tier: int
    window: Window


class CancelCheck(NamedTuple):
    """Dispose the check with this id: its verdict is not needed."""

    id: int


class RecordVerdict(NamedTuple):
    """Give this record to `on_verdict`."""

    record: VerdictRecord


class Pause(NamedTuple):
    """More than `max_buffer` is held: pause the source, if it can be paused."""


class Resume(NamedTuple):
    """Let the source go on."""


class DropSource(NamedTuple):
    """Dispose the source."""


class Complete(NamedTuple):
    """Complete."""


class Fail(NamedTuple):
    """End with this error."""

    error: Exception


Command: TypeAlias = StartCheck | CancelCheck | RecordVerdict | Pause | Resume | DropSource | Complete | Fail
COMMANDS = get_args(Command)


EARLY: Final = 1e-6
"""Seconds. Clocks are read in microseconds, so a timer may fire this much too early."""


class Step:
    """The step that the machine takes: one object, which all its parts have."""

    def __init__(self) -> None:
        self.now = 0.0
        """When its input came, in seconds."""
        self.outputs: list[Any] = []
        """What it returns: events and commands, in order."""
        self.held = 0
        """How much is held by now: the characters of text, and one for each event."""

    def has_come(self, time: float) -> bool:
        return time <= self.now + EARLY
