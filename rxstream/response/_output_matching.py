"""Matches the items of the terminal response with those of the stream.

The response of the terminal event repeats the items. Some servers give them other ids there, leave some out, or add
some. So an item is matched by its ids; else by its content; else, if that may have changed, by its rank among those of
its type. An item without a match was in no event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rxstream.events import OutputItem


@dataclass(slots=True)
class StreamedItem:
    """What is known of an item of the stream."""

    type: str
    ids: set[str]
    """All its ids and call ids."""
    content: bytes
    """The digest of its text or input."""
    changed: bool = False
    """Whether it may have another content in the terminal response."""


def ids_of(item: OutputItem) -> set[str]:
    """The id and the call id of an item. Some servers keep the second where the first changes."""
    return {item_id for item_id in (item.id, getattr(item, "call_id", "")) if item_id and isinstance(item_id, str)}


def digest(texts: Iterable[str]) -> bytes:
    """A digest to compare texts with that are not kept."""
    state = blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        state.update(len(encoded).to_bytes(8))
        state.update(encoded)
    return state.digest()


def match_output(
    output: Sequence[OutputItem], streamed: Mapping[int, StreamedItem], content: Callable[[OutputItem], bytes]
) -> Iterator[tuple[int, OutputItem, bool]]:
    """For each item of the terminal response: its output index, the item, and whether the stream had it.

    One that the stream did not have gets the index of its place, or the next free one if another item has that.
    """
    by_id: dict[tuple[str, str], int | None] = {}
    by_content: dict[tuple[str, bytes], list[int]] = {}
    by_type: dict[str, list[int]] = {}
    for index, item_before in sorted(streamed.items(), reverse=True):
        for item_id in item_before.ids:
            by_id[item_before.type, item_id] = (
                None if (item_before.type, item_id) in by_id else index
            )  # an id of two items decides nothing
        by_content.setdefault((item_before.type, item_before.content), []).append(index)
        if item_before.changed:
            by_type.setdefault(item_before.type, []).append(index)
    matched: dict[int, int] = {}
    used: set[int] = set()

    def match(place: int, candidates: Iterable[int | None]) -> None:
        index = next((index for index in candidates if index is not None and index not in used), None)
        if index is not None:
            matched[place] = index
            used.add(index)

    def popped(candidates: list[int]) -> Iterator[int]:
        while candidates:
            yield candidates.pop()

    for place, item in enumerate(output):
        match(place, (by_id.get((item.type, item_id)) for item_id in ids_of(item)))
    left = [place for place in range(len(output)) if place not in matched]
    for place in left:
        match(place, popped(by_content.get((output[place].type, content(output[place])), [])))
    for place in left:
        if place not in matched:
            match(place, popped(by_type.get(output[place].type, [])))
    free = max(streamed, default=-1) + 1
    for place, item in enumerate(output):
        index = matched.get(place)
        if index is None:
            index = place if place not in streamed else free
            free = max(free, index + 1)
        yield index, item, place in matched
