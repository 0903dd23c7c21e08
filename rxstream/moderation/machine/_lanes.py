"""All lanes of a response: the lanes of the API, and lanes that are made to check other text."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, get_args

from rxstream.moderation.machine._commands import Step
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._options import Options
from rxstream.moderation.machine._queue import Fragment
from rxstream.moderation.machine._structure import Leaf
from rxstream.moderation.machine._text import Format, decode_escapes
from rxstream.moderation.machine._window import LaneKind, OtherKind, TextPlace

_SEPARATOR: Final = "\n"
_VARIANTS: Final = 4
"""How often a side text is decoded, plus one."""


class Lanes:
    """The lanes of one response.

    Events after the deltas repeat the text of a lane. If such a text is longer than the deltas, the end of it is
    added to the lane. If it differs, it is a *version*: it gets a lane of its own, and is checked from its beginning.
    """

    def __init__(self, options: Options, step: Step) -> None:
        self._options = options
        self._step = step
        self._side_options = replace(
            options,
            holdback=0,
            context=max(options.context_of(number) for number in range(len(options.checks))),
            first_chars=options.max_chars,
            checks=tuple(replace(check, holdback=0) for check in options.checks),
        )
        """For side texts. A side text is emitted whole or not at all, so nothing of it is held back."""
        self._by_place: dict[TextPlace, Lane] = {}
        """The lanes of the API."""
        self._side_lanes: dict[tuple[TextPlace, str], Lane] = {}
        """Place and a name -> the lane of side texts."""
        self._side_texts: dict[tuple[str, bool], Fragment] = {}
        """Text, and whether it is dropped if it is flagged -> where it is checked."""
        self.all: list[Lane] = []
        """Also the lanes of versions and of side texts."""
        self._of_item: dict[int, list[Lane]] = {}
        """Output index -> its lanes."""
        self.changed: list[Lane] = []
        """Lanes with new text, an end or a verdict. The moderator empties this list."""
        self.busy: dict[Lane, None] = {}
        """Lanes that may have a check to start or to wait for, in order."""

    def __iter__(self) -> Iterator[Lane]:
        """The lanes of the API. Versions and side texts are left out."""
        return iter(self._by_place.values())

    def find_or_add(self, place: TextPlace) -> Lane:
        lane = self._by_place.get(place)
        if lane is None:
            lane = self._by_place[place] = self._add_lane(place)
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

    def close_item(self, output_index: int, kinds: Iterable[LaneKind], item_id: str) -> None:
        """An item of these kinds has ended. Lanes of another item with the same index stay open."""
        for lane in self.of_item(output_index):
            if lane.place.kind in kinds and self.belongs(lane, item_id):
                self.close(lane)

    def of_item(self, output_index: int) -> Iterable[Lane]:
        return self._of_item.get(output_index, ())

    def belongs(self, lane: Lane, item_id: str) -> bool:
        """Whether a lane can be of the item with this id."""
        return not item_id or not lane.item_ids or item_id in lane.item_ids

    def close_all(self) -> None:
        for lane in self.all:
            self.close(lane)

    # ------------------------------------------------------------------ repeated text

    def find_repeated(self, place: TextPlace, text: str) -> tuple[Lane, int]:
        """The lane that has this text, and up to where: the lane at `place`, another one of its kind, or a version."""
        own = self.find_or_add(place)
        own_text = own.text.full_raw()
        if own_text.startswith(text):
            return own, own.text.offset_of_raw(len(text))
        if not own_text or own.versions or not text.startswith(own_text):
            for lane in self:
                if lane.place.kind == place.kind and lane is not own and lane.text.full_raw() == text:
                    return lane, lane.text.length
        if not own.versions and text.startswith(own_text):
            own.append(text[len(own_text) :])
            self.note_change(own)
            return own, own.text.end
        version = own.versions.get(text)
        if version is None:
            version = own.versions[text] = self._add_lane(place)
            version.append(text)
            self.close(version)
        return version, version.text.length

    # ------------------------------------------------------------------ other texts

    def add_side_texts(self, part_index: int, leaves: Iterable[Leaf]) -> list[Fragment]:
        """Have the side texts of an event checked: each once, however often it is repeated.

        Texts of one path are one text: a server may send tokens one by one.
        """
        groups: dict[tuple[int, str, str, bool, int], list[Leaf]] = {}
        for leaf in leaves:
            one = id(leaf.key) if leaf.target == "annotation" else 0
            groups.setdefault((leaf.output_index, leaf.kind, leaf.path, leaf.drops, one), []).append(leaf)
        fragments: list[Fragment] = []
        open_lanes: dict[Lane, None] = {}
        for group in groups.values():
            first = group[0]
            text = "".join(leaf.text for leaf in group)
            checked = self._side_texts.get((text, first.drops))
            if checked is None:
                place = TextPlace(first.output_index, part_index, _side_kind(first.kind))
                lane = self._find_or_add_side_lane(place, "?" if first.drops else "", self._side_options, first.drops)
                start = lane.text.length
                lane.append(_with_decoded(text) + _SEPARATOR)
                checked = self._side_texts[text, first.drops] = Fragment(None, lane, start, lane.text.length)
                open_lanes[lane] = None
            fragments += [checked._replace(leaf=leaf) for leaf in group]
        for lane in open_lanes:
            self.close(lane)
        return fragments

    def side_text_passed(self, text: str) -> bool:
        """Whether a side text passed."""
        checked = (self._side_texts.get((text, drops)) for drops in (False, True))
        return any(fragment is not None and fragment.passed for fragment in checked)

    def add_growing_text(self, part_index: int, name: str, leaf: Leaf) -> Fragment:
        """Have a text of an event checked that the API does not describe. Texts of one name are one lane."""
        place = TextPlace(leaf.output_index, part_index, _side_kind(leaf.kind))
        lane = self._find_or_add_side_lane(place, name, self._options)
        start = lane.text.length
        lane.append(_with_decoded(leaf.text))
        self.note_change(lane)
        return Fragment(leaf, lane, start, lane.text.end)

    def _find_or_add_side_lane(self, place: TextPlace, name: str, options: Options, drops: bool = False) -> Lane:
        lane = self._side_lanes.get((place, name))
        if lane is None:
            lane = Lane(place, options, self._step, Format.PLAIN, drops=drops, side=True)
            self._side_lanes[place, name] = self._note_lane(lane)
        return lane

    def _add_lane(self, place: TextPlace) -> Lane:
        format = Format.JSON if place.kind == "function_args" else Format.UNKNOWN
        return self._note_lane(Lane(place, self._options, self._step, format))

    def _note_lane(self, lane: Lane) -> Lane:
        self.all.append(lane)
        self._of_item.setdefault(lane.place.output_index, []).append(lane)
        return lane


def _side_kind(kind: LaneKind) -> LaneKind:
    """The kind of a side text: `other` if its own kind is that of lanes of the API."""
    return kind if kind in get_args(OtherKind) else "other"


def _with_decoded(text: str) -> str:
    """The text, and after it the text with its JSON escapes decoded: it may be JSON, or JSON inside of JSON."""
    variants = [text]
    while "\\" in variants[-1] and len(variants) < _VARIANTS:
        decoded = decode_escapes(variants[-1])
        if decoded == variants[-1]:
            break
        variants.append(decoded)
    return _SEPARATOR.join(variants)
