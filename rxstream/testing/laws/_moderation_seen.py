"""What one run of a moderated stream shows."""

from dataclasses import dataclass, field

from rxstream.events import Event, StreamingEvent
from rxstream.moderation import ModerationRetractedEvent, Window
from rxstream.testing.laws._moderation_script import ScriptPlace, place_of


@dataclass
class CheckCall:
    """One call of a check. Orders count everything that happens in a run."""

    order: int
    time: float
    window: Window
    tier: int = 0
    """The position of the check in the list of checks."""
    answered: int | None = None
    answered_at: float | None = None
    judged: bool = False
    """Whether the answer was a verdict that does not request a second check."""
    passed: bool = False
    holdback: int = 0
    """How many characters of the window the verdict holds back."""
    suspected: bool = False
    """Whether the verdict requests a second check."""
    cancelled: bool = False
    cancelled_at: float | None = None

    @property
    def place(self) -> ScriptPlace:
        return self.window.output_index, self.window.content_index, str(self.window.kind)

    def under_way(self, time: float) -> bool:
        """Whether the check had been called at `time`, and had not answered."""
        end = self.answered_at if self.answered_at is not None else self.cancelled_at
        return self.time <= time and (end is None or end > time)


@dataclass
class Seen:
    """What one run of a moderated stream shows."""

    emitted: list[tuple[int, float, Event]] = field(default_factory=list[tuple[int, float, Event]])
    calls: list[CheckCall] = field(default_factory=list[CheckCall])
    fed: list[tuple[int, float, StreamingEvent]] = field(default_factory=list[tuple[int, float, StreamingEvent]])
    ended: str = ""
    """`|` completed, `#` failed."""
    ended_at: float | None = None
    error: Exception | None = None
    log: list[str] = field(default_factory=list[str])
    left_open: bool = False
    """Whether a timer was armed or the source subscribed to, long after the end."""
    most_timers: int = 0
    """The most timers that the operator had armed at one time."""

    def texts(self) -> dict[ScriptPlace, str]:
        """The text of the deltas of each lane."""
        texts: dict[ScriptPlace, str] = {}
        for _, _, event in self.emitted:
            place = place_of(event)
            if place is not None:
                texts[place] = texts.get(place, "") + event.delta  # type: ignore[attr-defined]  # only deltas have a place
        return texts

    def passed(self, place: ScriptPlace, tier: int = 0) -> int:
        """How many characters of a lane one check passed, without white space."""
        windows = [call.window for call in self.calls if call.passed and call.tier == tier]
        return sum(
            len("".join(window.text.split()))
            for window in windows
            if (window.output_index, window.content_index, window.kind) == place
        )

    def kept_sizes(self) -> dict[ScriptPlace, int]:
        """How many characters of each lane the subscriber has at the end, without retracted ones."""
        sizes = {place: len(text) for place, text in self.texts().items()}
        for _, _, event in self.emitted:
            if isinstance(event, ModerationRetractedEvent):
                sizes[event.output_index, event.content_index, event.kind] = event.start
        return sizes

    def json(self) -> str:
        """Everything that was emitted or logged, and the error."""
        pieces = [event.model_dump_json() for _, _, event in self.emitted]
        if self.error is not None:
            pieces.append(f"{self.error!r} {self.error} {self.error.__cause__!r}")
        return "\n".join([*pieces, *self.log])
