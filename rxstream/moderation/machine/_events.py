"""The events that moderation adds to the events of the API."""

from typing import Any, Final, Literal

from rxstream.errors import ModerationError
from rxstream.events import OwnEvent
from rxstream.moderation.machine._window import LaneKind, Verdict

NO_VERDICT: Final = Verdict(flagged=True, categories=("rxstream/check_error",))
OVERFLOW: Final = Verdict(flagged=True, categories=("rxstream/overflow",))


class _ModerationEvent(OwnEvent, frozen=True):
    output_index: int = 0
    content_index: int = 0
    kind: LaneKind = "text"
    response_id: str | None = None
    """Of the response whose text it is."""


class ModerationFlaggedEvent(_ModerationEvent, frozen=True):
    """A check flagged text of the model. The event never holds the text itself.

    `released` is the number of characters of the lane that the subscriber has, without those that were retracted.
    `action` is what was done: `cut`, `error`, `refuse`, `replace`, `annotate`; or `drop` if a text that no delta has
    (the title of an annotation, an unknown field) was left out. `cause` is `flag`; `check_error` if no check returned a
    verdict; `overflow` if more than `max_buffer` was held. With the last two the verdict is rxstream's own. `check` is
    the name of the check.
    """

    type: Literal["rxstream.moderation.flagged"] = "rxstream.moderation.flagged"
    verdict: Verdict
    released: int = 0
    action: Literal["cut", "error", "refuse", "replace", "annotate", "drop"] = "cut"
    cause: Literal["flag", "check_error", "overflow"] = "flag"
    check: str = ""


class ModerationRetractedEvent(_ModerationEvent, frozen=True):
    """Remove the characters from `start` to `end` of this text: they were released before they were checked.

    The offsets count in the emitted deltas of this `output_index`, `content_index` and `kind`, joined.
    """

    type: Literal["rxstream.moderation.retracted"] = "rxstream.moderation.retracted"
    start: int = 0
    end: int = 0


def moderation_error(text: str, cause: str, verdict: Verdict, **known: Any) -> ModerationError:
    """The error that ends a stream, with the categories of a flag in its message."""
    categories = f" ({', '.join(verdict.categories)})" if cause == "flag" and verdict.categories else ""
    return ModerationError(text + categories, verdict=verdict, **known)
