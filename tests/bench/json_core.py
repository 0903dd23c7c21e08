"""Incremental JSON: the price of a delta, with the value so far looked at after each.

    python tests/bench/json_core.py [--rounds 5]

Prints µs of CPU a delta of four characters, the smallest of the rounds, and the ratios. Exits 1 where a bar is not met:
6 µs a delta whatever the document; at 32,000 deltas at most 1.3 times what it is at 2,000; on 50 KB at least 15 times
cheaper than `pydantic_core.from_json(text_so_far, allow_partial="trailing-strings")` after each delta.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable

from pydantic_core import from_json

from rxstream.partial_json._elements import JsonItems
from rxstream.partial_json._incremental import IncrementalJson

DELTA = 4
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "seventeen", "engineers", "while", "a", "dog", "measures"]


def catalogue(size: int) -> str:
    """What a model writes for a schema: objects of short strings, numbers, flags, and a paragraph each."""
    some = random.Random(1)
    items: list[object] = []
    written = 0
    while written < size:
        item = {
            "name": " ".join(some.choices(WORDS, k=3)),
            "price": round(some.random() * 100, 2),
            "count": some.randrange(1000),
            "in_stock": some.random() < 0.5,
            "note": None,
            "tags": some.choices(WORDS, k=3),
            "description": " ".join(some.choices(WORDS, k=25)),
        }
        written += len(json.dumps(item)) + 2
        items.append(item)
    return json.dumps({"items": items})


def essay(size: int) -> str:
    """One string that is the whole document."""
    return json.dumps({"essay": "lorem ipsum " * (size // 12)})


def escapes(size: int) -> str:
    """A string where every delta has an escape, half of them surrogate pairs cut in two."""
    return json.dumps({"code": 'é\n"😀x ' * (size // 27)})


def numbers(size: int) -> str:
    some = random.Random(2)
    return json.dumps([round(some.random() * 1000, 3) for _ in range(size // 9)])


def nested(size: int) -> str:
    """Hardly anything but brackets."""
    return json.dumps([[[[[{"k": [1, {"l": []}]}]]]]] * (size // 36))


def deltas(text: str) -> list[str]:
    return [text[at : at + DELTA] for at in range(0, len(text), DELTA)]


def live(pieces: list[str]) -> None:
    document = IncrementalJson()
    for piece in pieces:
        document.feed(piece)
        document.value, document.changed, document.finished


def snapshots(pieces: list[str]) -> None:
    document = IncrementalJson()
    for piece in pieces:
        document.feed(piece)
        document.snapshot()


def kept(pieces: list[str]) -> None:
    """The consumer holds the string of the time before, so that none can grow in place."""
    document = IncrementalJson()
    held: object = None
    for piece in pieces:
        document.feed(piece)
        value = document.value
        held = list(value.values()) if isinstance(value, dict) else None
    del held


def items(pieces: list[str]) -> None:
    picked = JsonItems("items[*]")
    for piece in pieces:
        picked.feed(piece)
    picked.finish()


def reparsed(pieces: list[str]) -> None:
    text = ""
    for piece in pieces:
        text += piece
        from_json(text, allow_partial="trailing-strings")


def price(work: Callable[[list[str]], None], pieces: list[str], rounds: int, *, times: int = 1) -> float:
    """µs a delta: the cheapest of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            work(pieces)
        best = min(best, time.process_time() - start)
    return best / times / len(pieces) * 1e6


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    missed = 0

    def row(name: str, figure: float, bar: float, unit: str, *, at_least: bool = False) -> None:
        nonlocal missed
        good = figure >= bar if at_least else figure <= bar
        missed += not good
        sign = "≥" if at_least else "≤"
        print(f"{'ok ' if good else 'BAD'}  {name:<58} {figure:8.2f} {unit:<8} (bar {sign} {bar:g})")

    print(f"deltas of {DELTA} characters, 50 KB")
    for make in (catalogue, essay, escapes, numbers, nested):
        pieces = deltas(make(50_000))
        row(f"{make.__name__}: value, changed, finished after each", price(live, pieces, rounds), 6, "µs")
    fifty = deltas(catalogue(50_000))
    row("catalogue: a snapshot after each", price(snapshots, fifty, rounds), 6, "µs")
    row("catalogue: items[*] as they become whole", price(items, fifty, rounds), 6, "µs")
    row("essay: the string of the time before is kept", price(kept, deltas(essay(50_000)), rounds), 6, "µs")

    print("linear: 32,000 deltas over 2,000")
    for make in (catalogue, essay, escapes, numbers, nested):
        many = deltas(make(140_000))[:32_000]
        few = many[:2_000]
        cheap, dear = price(live, few, rounds, times=16), price(live, many, rounds)
        row(f"{make.__name__}: {cheap:.2f} -> {dear:.2f} µs", dear / cheap, 1.3, "times")

    for make, work in ((essay, kept), (catalogue, snapshots), (numbers, snapshots)):
        many = deltas(make(140_000))[:32_000]
        cheap, dear = price(work, many[:2_000], rounds, times=16), price(work, many, 1)
        print(f"     {make.__name__}, {work.__name__}: {cheap:.2f} -> {dear:.2f} µs (a copy each; no bar)")

    print("against pydantic_core.from_json(text so far), 50 KB")
    ours, theirs = price(live, fifty, rounds), price(reparsed, fifty, 1)
    row(f"catalogue: {theirs:.1f} µs / {ours:.2f} µs", theirs / ours, 15, "times", at_least=True)
    string = deltas(essay(50_000))
    ours, theirs = price(live, string, rounds), price(reparsed, string, 1)
    print(f"     essay, a memcpy to them: {theirs:.1f} µs / {ours:.2f} µs = {theirs / ours:.1f} times (no bar)")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
