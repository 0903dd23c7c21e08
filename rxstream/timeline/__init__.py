"""The timeline of a stream: its events on lanes, to scale, and how it is written: as text, JSON and a page.

It is pure: events and their times come in. `rxstream inspect` reads them from tapes.
"""

from rxstream.timeline._build import timelines_of
from rxstream.timeline._model import Entry, Inspection, Lane, Mark, Silence, Timeline

__all__ = ["Entry", "Inspection", "Lane", "Mark", "Silence", "Timeline", "timelines_of"]
