"""All lanes of a stream: the lanes of the API, and lanes that are made to check other text."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rxstream.events import Logprob
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queues import LanePrefix, SideText
from rxstream.moderation.machine._window import TextPlace

_SEPARATOR = "\n"


class Lanes:
    """The lanes of one stream.

    Events after the deltas repeat the text of a lane. If such a text is longer than the deltas, the end of it is
    added to the lane. If it differs, it is a *version*: it gets a lane of its own, and is checked from its beginning.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._side_options = replace(options, holdback=0, context=options.max_context, first_chars=options.max_chars)
        """For side texts. A side text is emitted whole or not at all, so nothing of it is held back."""
        self._by_place: dict[TextPlace, Lane] = {}
        """The lanes of the API."""
        self._versions: dict[TextPlace, dict[str, Lane]] = {}
        """Place -> the text of each version -> its lane."""
        self._side_lanes: dict[tuple[TextPlace, str], Lane] = {}
        """Place and a name -> the lane of side texts."""
        self._side_texts: dict[tuple[str, bool], SideText] = {}
        """Text and `drop_flagged` -> the side text that is checked."""
        self.all: list[Lane] = []
        """Also the lanes of versions and of side texts."""
        self._of_item: dict[int, list[Lane]] = {}
        """Output index -> its lanes."""
        self.changed: list[Lane] = []
        """Lanes with new text, an end or a verdict. The moderator empties this list."""
        self.busy: dict[Lane, None] = {}
        """Lanes that may have a check to start or to wait for, in order."""

    def __iter__(self) -> Iterator[tuple[TextPlace, Lane]]:
        """The lanes of the API and their places. Versions and side texts are left out."""
        return iter(self._by_place.items())

    def find_or_add(self, place: TextPlace) -> Lane:
        lane = self._by_place.get(place)
        if lane is None:
            lane = self._by_place[place] = self._add_lane(place, self._options)
        return lane

    def find(self, place: TextPlace) -> Lane | None:
        return self._by_place.get(place)

    def note_change(self, lane: Lane) -> None:
        """Note that a lane has new text, an end or a verdict."""
        self.changed.append(lane)
        self.busy[lane] = None

    # ------------------------------------------------------------------ ends

    def close(self, lane: Lane) -> None:
        lane.close()
        self.note_change(lane)

    def close_item(self, output_index: int) -> None:
        for lane in self._of_item.get(output_index, ()):
            self.close(lane)

    def close_all(self) -> None:
        for lane in self.all:
            self.close(lane)

    # ------------------------------------------------------------------ repeated text

    def find_repeated(self, place: TextPlace, text: str, now: float) -> LanePrefix:
        """The lane that has this text, and up to where: the lane at `place`, another one of its kind, or a version."""
        own = self.find_or_add(place)
        own_text = own.text.full_text()
        if own_text.startswith(text):
            return LanePrefix(own, len(text))
        versions = self._versions.setdefault(place, {})
        if not own_text or versions or not text.startswith(own_text):
            for other, lane in self._by_place.items():
                if other.kind == place.kind and lane.text.length == len(text) and lane.text.full_text() == text:
                    return LanePrefix(lane, len(text))
        if not versions and text.startswith(own_text):
            own.append(text[len(own_text) :], now)
            self.note_change(own)
            return LanePrefix(own, len(text))
        version = versions.get(text)
        if version is None:
            version = versions[text] = self._add_lane(place, self._options)
            version.append(text, now)
            self.close(version)
        return LanePrefix(version, len(text))

    # ------------------------------------------------------------------ side texts

    def add_side_text(self, place: TextPlace, text: str, now: float, *, drop_flagged: bool = False) -> SideText:
        """Have a side text checked: once, however often it is repeated."""
        known = self._side_texts.get((text, drop_flagged))
        if known is not None:
            return known
        lane = self._find_or_add_side_lane(place, "?" if drop_flagged else "", self._side_options)
        lane.drop_flagged = drop_flagged
        start = lane.text.length
        lane.append(text + _SEPARATOR, now)
        self.close(lane)
        side_text = self._side_texts[text, drop_flagged] = SideText(lane, start, lane.text.length, text)
        return side_text

    def side_text_passed(self, text: str) -> bool:
        """Whether a side text passed."""
        return any(
            side_text.safe and not side_text.edited
            for drop_flagged in (False, True)
            if (side_text := self._side_texts.get((text, drop_flagged))) is not None
        )

    def add_unknown_text(self, place: TextPlace, name: str, text: str, now: float) -> SideText:
        """Have a text of an unknown event checked. Texts of one name are one lane."""
        lane = self._find_or_add_side_lane(place, name, self._options)
        start = lane.text.length
        lane.append(text, now)
        self.note_change(lane)
        return SideText(lane, start, lane.text.length, text)

    def _find_or_add_side_lane(self, place: TextPlace, name: str, options: Options) -> Lane:
        lane = self._side_lanes.get((place, name))
        if lane is None:
            lane = self._side_lanes[place, name] = self._add_lane(place, options)
        return lane

    def _add_lane(self, place: TextPlace, options: Options) -> Lane:
        lane = Lane(place, options)
        self.all.append(lane)
        self._of_item.setdefault(place.output_index, []).append(lane)
        return lane


def logprob_texts(entries: Iterable[Logprob], text: str) -> Iterator[str]:
    """What log probabilities have beyond `text`: tokens or bytes that differ from it, and alternative tokens."""
    tokens = "".join(entry.token for entry in entries)
    if tokens != text:
        yield tokens
    from_bytes = b"".join(_bytes(entry.bytes) or entry.token.encode("utf-8", "replace") for entry in entries)
    if (decoded := from_bytes.decode("utf-8", "replace")) not in (text, tokens):
        yield decoded
    alternatives: dict[str, None] = {}
    for entry in entries:
        for alternative in entry.top_logprobs or ():
            alternatives[alternative.token] = None
            alternatives[_bytes(alternative.bytes).decode("utf-8", "replace")] = None
    for entry in entries:
        alternatives.pop(entry.token, None)
    alternatives.pop("", None)
    if alternatives:
        yield " ".join(alternatives)


def _bytes(numbers: list[int] | None) -> bytes:
    return bytes(number & 0xFF for number in numbers or ())
