"""What the machine tells its subscription to do."""

from typing import NamedTuple, TypeAlias

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
COMMANDS = (StartCheck, CancelCheck, RecordVerdict, Pause, Resume, DropSource, Complete, Fail)
