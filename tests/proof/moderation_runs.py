"""The laws of `debounce_moderation` over many seeded runs, as a command.

    python -m tests.proof.moderation_runs [--runs 100000] [--seed 0] [--jobs 2]

A run is one subscription to a moderated stream. Each seed makes a stream, a check or a list of checks, options and
delays, and tries all laws with them. Prints what was broken, and exits 1 then.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count

from rxstream.testing import ModerationTrial, moderation_laws

_SEEDS = 25
"""Seeds in one piece of work."""


def try_seeds(first: int, *, seed: int) -> tuple[int, list[str]]:
    """The number of runs of some seeds, and what they broke."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("error")
    runs = 0
    run = ModerationTrial.run

    def counted(trial: ModerationTrial, **options: object) -> object:
        nonlocal runs
        runs += 1
        return run(trial, **options)  # type: ignore[arg-type]

    broken: list[str] = []
    ModerationTrial.run = counted  # type: ignore[assignment,method-assign]
    try:
        for number in range(first, first + _SEEDS):
            try:
                moderation_laws(runs=1, seed=seed * 1_000_000 + number)
            except Exception as error:
                broken.append(f"{type(error).__name__}: {error}")
    finally:
        ModerationTrial.run = run  # type: ignore[method-assign]
    return runs, broken


def pieces(jobs: int, seed: int) -> Iterator[tuple[int, list[str]]]:
    work = partial(try_seeds, seed=seed)
    with ProcessPoolExecutor(jobs) as pool:
        for round_number in count():
            yield from pool.map(work, [(round_number * jobs + job) * _SEEDS for job in range(jobs)])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    began, runs, broken = time.monotonic(), 0, 0
    for more, problems in pieces(options.jobs, options.seed):
        runs += more
        broken += len(problems)
        for problem in problems:
            print(problem)
        if runs >= options.runs:
            break
    print(f"{runs} runs in {time.monotonic() - began:.0f} s, {broken} seeds broke a law")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
