"""What a moderated stream says of itself, between the events of the API."""

from typing import Any, Literal

from rxstream.events import Event
from rxstream.moderation.machine._terms import LaneKind, Verdict


class _ModerationEvent(Event, frozen=True):
    output_index: int = 0
    content_index: int = 0
    kind: LaneKind = "text"
    synthetic: bool = True

    def model_dump(self, *, exclude_unset: bool = False, **options: Any) -> dict[str, Any]:
        return super().model_dump(exclude_unset=exclude_unset, **options)

    def model_dump_json(self, *, exclude_unset: bool = False, **options: Any) -> str:
        return super().model_dump_json(exclude_unset=exclude_unset, **options)


class ModerationFlaggedEvent(_ModerationEvent, frozen=True):
    """A check flagged what the model wrote. It never holds the text itself.

    `released` is how many characters of the lane the subscriber has had, or keeps where some were retracted.
    `action` is what was done: `cut`, `error`, `replace`, `annotate`, or `drop` for text beside the lanes (the title of
    an annotation, a field nobody knows) that is simply not shown. `cause` is `flag`; or `check_error` where no check
    gave a verdict, `overflow` where more than `max_buffer` was held, and the verdict is then rxstream's own.
    """

    type: Literal["rxstream.moderation.flagged"] = "rxstream.moderation.flagged"
    verdict: Verdict
    released: int = 0
    action: Literal["cut", "error", "replace", "annotate", "drop"] = "cut"
    cause: Literal["flag", "check_error", "overflow"] = "flag"


class ModerationRetractedEvent(_ModerationEvent, frozen=True):
    """Take back the characters from `start` to `end` of this text: they were shown before they were judged.

    The offsets count what was shown of it: the deltas of this `output_index`, `content_index` and `kind`, joined.
    """

    type: Literal["rxstream.moderation.retracted"] = "rxstream.moderation.retracted"
    start: int = 0
    end: int = 0
