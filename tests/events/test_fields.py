"""The table of texts: a new row is known to all that read it."""

import subprocess
import sys

_INVENTED_TYPE = """
from typing import Literal

import rxstream.events._fields as fields
from rxstream.events._base import Model, PartEvent
from rxstream.events import MessageItem

class PoemPart(Model, frozen=True):
    type: Literal["poem"]
    verse: str = ""

class PoemDelta(PartEvent, frozen=True):
    type: Literal["response.poem.delta"]
    delta: str

class PoemDone(PartEvent, frozen=True):
    type: Literal["response.poem.done"]
    verse: str

POEM = fields.GrowingText(
    "text", (PoemDelta,), (PoemDone,), "verse", MessageItem, "content", "content_index", PoemPart
)
fields.TEXTS.append(POEM)

def delta(text):
    return PoemDelta(type="response.poem.delta", item_id="m", output_index=0, content_index=0, delta=text)

def done(text):
    return PoemDone(type="response.poem.done", item_id="m", output_index=0, content_index=0, verse=text)
"""

_TEXT = """
from rxstream.response._part_texts import TextOnly
core = TextOnly(POEM)
assert [text for event in (delta("ro"), done("rose")) for text in core.feed(event)] == ["ro", "se"]
"""

_SNAPSHOT = """
from rxstream.response.history._history import History
history = History()
for text in ("ro", "se"):
    assert history.feed(delta(text))
[(index, item)] = history.output()
assert (index, item.id, item.content) == (0, "m", [PoemPart(type="poem", verse="rose")]), item
"""

_CLOSING = """
from rxstream.response.history._closing import Closing
closing = Closing()
closing.feed(delta("ro"))
poem, item, response = closing.end("cut")
assert poem == done("ro").model_copy(update={"synthetic": True}), poem
assert item.item.content == response.response.output[0].content == [PoemPart(type="poem", verse="ro")]
"""

_MODERATION = """
import reactivex as rx
from rxstream.moderation import Verdict
from rxstream.operators import debounce_moderation
windows = []
def check(window):
    windows.append(window.text)
    return Verdict(flagged="thorn" in window.text, spans=((0, 5),))
moderated = rx.of(delta("tho"), delta("rns"), done("thorns")).pipe(debounce_moderation(check, on_flag="replace"))
events = []
moderated.subscribe(events.append)
assert windows == ["thorns"], windows
shown = "".join(event.delta for event in events if event.type == "response.poem.delta")
assert shown and "thorn" not in shown, events
assert [event.verse for event in events if event.type == "response.poem.done"] == [shown], events
"""

_MATCHING = """
from rxstream.response.decoding._normalize import Normalize
nowhere = delta("ro").model_copy()
nowhere.model_fields_set.discard("output_index")
added, placed = Normalize().feed(nowhere)
assert (added.type, added.item.type, placed.output_index) == ("response.output_item.added", "message", 0)
"""


def _run(code: str) -> None:
    run = subprocess.run([sys.executable, "-c", _INVENTED_TYPE + code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_text_operators_read_a_new_row() -> None:
    _run(_TEXT)


def test_snapshots_hold_a_new_row() -> None:
    _run(_SNAPSHOT)


def test_a_stream_that_is_cut_off_closes_a_new_row() -> None:
    _run(_CLOSING)


def test_a_new_row_is_moderated() -> None:
    _run(_MODERATION)


def test_an_event_of_a_new_row_finds_its_item() -> None:
    _run(_MATCHING)
