"""Which item of the stream an item of the terminal response is.

The response of the terminal event repeats the items. Some servers give them other ids there, leave some out, or bring
some that no event told of. So an item is known by its ids; else by what it says; else, where it may have changed since,
by its rank among those of its type. What is left came in no event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from rxstream.events import OutputItem


@dataclass(slots=True)
class StreamedItem:
    """What is known of an item that came in the stream."""

    type: str
    names: set[str]
    """Its ids and call ids, all that it had."""
    content: bytes
    """The digest of what it says."""
    changed: bool = False
    """Whether it may say something else in the terminal response."""


def names_of(item: OutputItem) -> set[str]:
    """The ids that an item has: its own, and its call id, which some servers keep where the other changes."""
    return {name for name in (item.id, getattr(item, "call_id", "")) if name and isinstance(name, str)}


def digest(texts: Iterable[str]) -> bytes:
    """What texts are known by that are not kept any more."""
    state = blake2b(digest_size=16)
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        state.update(len(encoded).to_bytes(8))
        state.update(encoded)
    return state.digest()


def match_output(
    output: Sequence[OutputItem], streamed: Mapping[int, StreamedItem], content: Callable[[OutputItem], bytes]
) -> Iterator[tuple[int, OutputItem, bool]]:
    """Each item of the terminal response: its output index, itself, and whether it came in the stream.

    One that did not has the index of its place, or the next free one where another item has that.
    """
    by_name: dict[tuple[str, str], int | None] = {}
    by_content: dict[tuple[str, bytes], list[int]] = {}
    by_type: dict[str, list[int]] = {}
    for index, known in sorted(streamed.items(), reverse=True):
        for name in known.names:
            by_name[known.type, name] = None if (known.type, name) in by_name else index  # a shared one tells nothing
        by_content.setdefault((known.type, known.content), []).append(index)
        if known.changed:
            by_type.setdefault(known.type, []).append(index)
    found: dict[int, int] = {}
    taken: set[int] = set()

    def take(place: int, candidates: Iterable[int | None]) -> None:
        index = next((index for index in candidates if index is not None and index not in taken), None)
        if index is not None:
            found[place] = index
            taken.add(index)

    def popped(candidates: list[int]) -> Iterator[int]:
        while candidates:
            yield candidates.pop()

    for place, item in enumerate(output):
        take(place, (by_name.get((item.type, name)) for name in names_of(item)))
    left = [place for place in range(len(output)) if place not in found]
    for place in left:
        take(place, popped(by_content.get((output[place].type, content(output[place])), [])))
    for place in left:
        if place not in found:
            take(place, popped(by_type.get(output[place].type, [])))
    free = max(streamed, default=-1) + 1
    for place, item in enumerate(output):
        index = found.get(place)
        if index is None:
            index = place if place not in streamed else free
            free = max(free, index + 1)
        yield index, item, place in found
