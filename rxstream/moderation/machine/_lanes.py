"""All lanes of a stream: whose text a redundant copy repeats, and who judges what stands beside the lanes."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rxstream.events import Logprob
from rxstream.moderation.machine._gate import Aside, Need
from rxstream.moderation.machine._lane import Lane
from rxstream.moderation.machine._terms import Place, Terms

_ASIDE_END = "\n"


class Lanes:
    """The lanes of one stream.

    A *copy* that says what a lane says belongs to that lane. One that says more brings text that the deltas left out;
    the rest of it is judged as the lane's own. One that says something else is a *version*: a text of its own, judged
    from its beginning, because nothing of it has been judged yet.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._aside_terms = replace(terms, holdback=0, context=terms.shown, first_chars=terms.max_chars)
        """An aside is shown whole or not at all, so nothing of it is held back; but it may be longer than a window."""
        self._main: dict[Place, Lane] = {}
        self._versions: dict[Place, dict[str, Lane]] = {}
        self._beside: dict[tuple[Place, str], Lane] = {}
        self._asides: dict[tuple[str, bool], Aside] = {}
        self.all: list[Lane] = []
        self._of_item: dict[int, list[Lane]] = {}
        self.touched: list[Lane] = []
        """Lanes that were given text, an end or an answer, for whoever works on them to empty."""
        self.busy: dict[Lane, None] = {}
        """Lanes that may have something left to ask or to wait for."""

    def __iter__(self) -> Iterator[tuple[Place, Lane]]:
        """The lanes that have deltas or could have."""
        return iter(self._main.items())

    def at(self, place: Place) -> Lane:
        lane = self._main.get(place)
        if lane is None:
            lane = self._main[place] = self._new(place, self._terms)
        return lane

    def find(self, place: Place) -> Lane | None:
        return self._main.get(place)

    def touch(self, lane: Lane) -> None:
        """Note that something happened to a lane."""
        self.touched.append(lane)
        self.busy[lane] = None

    # ------------------------------------------------------------------ ends

    def close(self, lane: Lane) -> None:
        lane.close()
        self.touch(lane)

    def close_item(self, output_index: int) -> None:
        for lane in self._of_item.get(output_index, ()):
            self.close(lane)

    def close_all(self) -> None:
        for lane in self.all:
            self.close(lane)

    # ------------------------------------------------------------------ copies

    def copy(self, place: Place, text: str, now: float) -> Need:
        """Whose text this is, and up to where: the lane at `place`, another of its kind, or a version of its own."""
        main = self.at(place)
        whole = main.text.whole()
        if whole.startswith(text):
            return Need(main, len(text))
        versions = self._versions.setdefault(place, {})
        if not whole or versions or not text.startswith(whole):
            for other, lane in self._main.items():
                if other.kind == place.kind and lane.text.length == len(text) and lane.text.whole() == text:
                    return Need(lane, len(text))
        if not versions and text.startswith(whole):
            main.append(text[len(whole) :], now)
            self.touch(main)
            return Need(main, len(text))
        version = versions.get(text)
        if version is None:
            version = versions[text] = self._new(place, self._terms)
            version.append(text, now)
            self.close(version)
        return Need(version, len(text))

    # ------------------------------------------------------------------ asides

    def aside(self, place: Place, text: str, now: float, *, droppable: bool = False) -> Aside:
        """Have a text judged that stands beside the lanes; once, however often it comes."""
        known = self._asides.get((text, droppable))
        if known is not None:
            return known
        lane = self._at_side(place, "?" if droppable else "", self._aside_terms)
        lane.droppable = droppable
        start = lane.text.length
        lane.append(text + _ASIDE_END, now)
        self.close(lane)
        aside = self._asides[text, droppable] = Aside(lane, start, lane.text.length, text)
        return aside

    def passed(self, text: str) -> bool:
        """Whether a text beside the lanes was judged, and may be shown."""
        return any(
            aside.lane.safe >= aside.end and not aside.lane.edits.touch(aside.start, aside.end)
            for droppable in (False, True)
            if (aside := self._asides.get((text, droppable))) is not None
        )

    def unknown(self, place: Place, name: str, text: str, now: float) -> Aside:
        """A text out of an event that nobody knows. Texts of one name go on where the last one stopped."""
        lane = self._at_side(place, name, self._terms)
        start = lane.text.length
        lane.append(text, now)
        self.touch(lane)
        return Aside(lane, start, lane.text.length, text)

    def _at_side(self, place: Place, name: str, terms: Terms) -> Lane:
        lane = self._beside.get((place, name))
        if lane is None:
            lane = self._beside[place, name] = self._new(place, terms)
        return lane

    def _new(self, place: Place, terms: Terms) -> Lane:
        lane = Lane(place, terms)
        self.all.append(lane)
        self._of_item.setdefault(place.output_index, []).append(lane)
        return lane


def logprob_texts(entries: Iterable[Logprob], text: str) -> Iterator[str]:
    """What log probabilities say beyond `text`: the tokens, where they are not its own, and those not taken."""
    tokens = "".join(entry.token for entry in entries)
    if tokens != text:
        yield tokens
    spelled = b"".join(_bytes(entry.bytes) or entry.token.encode("utf-8", "replace") for entry in entries)
    if (said := spelled.decode("utf-8", "replace")) not in (text, tokens):
        yield said
    others: dict[str, None] = {}
    for entry in entries:
        for other in entry.top_logprobs or ():
            others[other.token] = None
            others[_bytes(other.bytes).decode("utf-8", "replace")] = None
    for entry in entries:
        others.pop(entry.token, None)
    others.pop("", None)
    if others:
        yield " ".join(others)


def _bytes(numbers: list[int] | None) -> bytes:
    return bytes(number & 0xFF for number in numbers or ())
