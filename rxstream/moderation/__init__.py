"""Moderation: checks, their windows and verdicts, and the events that say what was flagged or retracted.

The operators are `rxstream.operators.debounce_moderation` and `debounce_moderation_text`.
"""

from rxstream.moderation.checks._blocklist import Blocklist
from rxstream.moderation.checks._calling import ModerationCheck
from rxstream.moderation.checks._openai import OpenAIModeration
from rxstream.moderation.machine._events import ModerationFlaggedEvent, ModerationRetractedEvent
from rxstream.moderation.machine._window import Verdict, VerdictRecord, Window

__all__ = [
    "Blocklist",
    "ModerationCheck",
    "ModerationFlaggedEvent",
    "ModerationRetractedEvent",
    "OpenAIModeration",
    "Verdict",
    "VerdictRecord",
    "Window",
]
