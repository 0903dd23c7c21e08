"""Many seeded schedules of faults in virtual time, as a command.

    python -m tests.proof.fault_schedules [--runs 10000] [--seed 0] [--jobs 2]

A run is one stream, whose connections are cut, slow, silent, refused, repeat events and leave some out. With resuming
its subscriber has to get each event exactly once; without, at most once, and an error. Prints what was wrong, and
exits 1 then.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.chaos._schedules import FaultyServer, at_most_once, exactly_once, heard_of

_SEEDS = 100
"""Streams of one session."""
KINDS = ("resumed", "resumed, with a window that closes", "not resumed")


def wrong(kind: str, first: int, count: int = _SEEDS) -> list[str]:
    """What is wrong with the streams of some seeds."""
    server = FaultyServer(closes=kind == KINDS[1], seconds=2.0)
    resume = kind != KINDS[2]
    heard = heard_of(range(first, first + count), server, resume=resume)
    return [f"{kind}: {found}" for found in (exactly_once if resume else at_most_once)(server, heard)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.fault_schedules", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    begun, found = time.perf_counter(), 0
    with ProcessPoolExecutor(options.jobs, initializer=logging.disable, initargs=(logging.CRITICAL,)) as pool:
        for kind in KINDS:
            firsts = range(options.seed, options.seed + options.runs, _SEEDS)
            for broken in pool.map(wrong, [kind] * len(firsts), firsts):
                found += len(broken)
                for line in broken:
                    print(line, flush=True)
            print(f"{kind}: {options.runs} schedules, {time.perf_counter() - begun:.0f} s", flush=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
