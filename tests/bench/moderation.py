"""What moderation costs: µs of CPU an event, and characters sent to checks.

    python tests/bench/moderation.py [--rounds 5]

Prints the smallest of the rounds for each mode and length, with a check that passes everything at once. Exits 1 where a
bar is not met: `hold` adds at most 15 µs an event; at 32,000 deltas at most 1.3 times what it is at 2,000; characters
sent to checks at most (1 + context / max_chars) times the text; the first text released no later than `first_chars` or
`max_delay`.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from reactivex import Observable
from reactivex.disposable import Disposable

from rxstream.events import StreamingEvent
from rxstream.moderation import Window
from rxstream.operators import debounce_moderation
from rxstream.testing import VirtualClock, answers

WORDS = ["The ", "quick ", "brown ", "fox ", "jumps ", "over ", "3.14 ", "lazy ", "dogs. ", "Then, ", "e.g., ", "it "]
LENGTHS = (2_000, 8_000, 32_000)
MOST_AN_EVENT = 15.0
MOST_GROWTH = 1.3
CONTEXT, MAX_CHARS, FIRST_CHARS, MAX_DELAY = 400, 800, 60, 1.0


def answer(deltas: int) -> Sequence[StreamingEvent]:
    return answers.events_of(answers.text([WORDS[number % len(WORDS)] for number in range(deltas)]))


def played(events: Sequence[StreamingEvent]) -> Observable[StreamingEvent]:
    """A source that costs next to nothing."""

    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        emit = observer.on_next
        for event in events:
            emit(event)
        observer.on_completed()
        return Disposable()

    return Observable(subscribe)


class Counting:
    """Passes everything, and counts what it is sent."""

    def __init__(self) -> None:
        self.windows = self.characters = 0

    def __call__(self, window: Window) -> bool:
        self.windows += 1
        self.characters += len(window.text) + len(window.context)
        return False


def seconds(source: Observable[Any]) -> float:
    """CPU seconds until it has completed, of all threads: a timer may take over what the source began."""
    over = threading.Event()
    began = time.process_time()
    source.subscribe(lambda event: None, on_completed=over.set)
    over.wait(60)
    return time.process_time() - began


def measure(mode: Any, events: Sequence[StreamingEvent], rounds: int) -> tuple[float, Counting]:
    """µs an event that moderation adds, and what the check saw."""
    bare = min(seconds(played(events)) for _ in range(rounds))
    best, check = float("inf"), Counting()
    for _ in range(rounds):
        check = Counting()
        best = min(best, seconds(played(events).pipe(debounce_moderation(check, mode=mode))))
    return (best - bare) / len(events) * 1e6, check


def first_text(gap: float) -> tuple[float, int]:
    """When the first text is released of a stream of words of one character, and how many had come by then."""
    clock = VirtualClock()
    letter = next(event for event in answer(1) if event.type == "response.output_text.delta")
    seen: list[tuple[float, int]] = []
    came: list[float] = []

    def subscribe(observer: Any, scheduler: Any = None) -> Any:
        def say() -> None:
            came.append(clock.now)
            observer.on_next(letter.model_copy(update={"delta": "x" if len(came) % 2 else " "}))

        for number in range(200):
            clock.at(number * gap, say)
        return Disposable()

    options: dict[str, Any] = {"quiet": 60.0, "first_chars": FIRST_CHARS, "max_delay": MAX_DELAY}
    Observable(subscribe).pipe(debounce_moderation(lambda window: False, **options)).subscribe(
        lambda event: seen.append((clock.now, len(came))), scheduler=clock.scheduler
    )
    clock.advance(200 * gap)
    return seen[0]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    failures: list[str] = []
    print(f"{'mode':12}{'deltas':>8}{'µs/event':>10}{'windows':>9}{'sent/text':>11}")
    for mode in ("hold", "bounded", "optimistic"):
        cost: dict[int, float] = {}
        for length in LENGTHS:
            events = answer(length)
            cost[length], check = measure(mode, events, rounds)
            said = sum(len(WORDS[number % len(WORDS)]) for number in range(length))
            ratio = check.characters / said
            print(f"{mode:12}{length:8}{cost[length]:10.2f}{check.windows:9}{ratio:11.4f}")
            if check.characters > (1 + CONTEXT / MAX_CHARS) * said + 2 * CONTEXT:
                failures.append(f"{mode}: {ratio:.4f} characters were sent for each of the text")
        if mode == "hold" and max(cost.values()) > MOST_AN_EVENT:
            failures.append(f"{mode}: more than {MOST_AN_EVENT} µs an event")
        growth = cost[LENGTHS[-1]] / cost[LENGTHS[0]]
        if growth > MOST_GROWTH:
            failures.append(f"{mode}: {growth:.2f} times as dear at {LENGTHS[-1]} deltas as at {LENGTHS[0]}")
    fast, slow = first_text(0.001), first_text(0.2)
    print(f"first text: after {fast[1]} characters of a fast stream, after {slow[0]:.2f} s of a slow one")
    if fast[1] > FIRST_CHARS or slow[0] > MAX_DELAY + 0.001:
        failures.append("the first text came late")
    for failure in failures:
        print("BAR NOT MET:", failure)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
