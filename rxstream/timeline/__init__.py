"""The timeline of a stream: its events on lanes, to scale, and how it is written: as text, JSON and a page.

It is pure: events and their times come in. `rxstream inspect` reads them from tapes.
"""

from rxstream.timeline._build import timelines_of
from rxstream.timeline._model import Inspection, Mark, Silence, TimedEvent, Timeline, TimelineLane

__all__ = ["Inspection", "Mark", "Silence", "TimedEvent", "Timeline", "TimelineLane", "timelines_of"]
