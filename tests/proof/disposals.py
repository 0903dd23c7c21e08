"""Streams that are disposed at random moments, and many cycles of subscribing and ending, as a command.

    python -X dev -m tests.proof.disposals [--moments 200] [--cycles 1000] [--seed 0]

In each mode, over each HTTP client and over WebSockets. Prints how long it took, at most, until the server saw the
close, and by how much the process grew. Exits 1 where something was notified after `dispose()`, warned, or left.
"""

from __future__ import annotations

import argparse
import logging
import sys
from importlib.util import find_spec

from tests.chaos._disposals import cycles, disposed_at_random
from tests.chaos._environments import ENVIRONMENTS

SOCKETS = ["with websocket", "asyncio websocket", "trio websocket"]
_DESCRIPTORS = 2
"""A connection that is closing."""
_BYTES = 5_000_000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--cycles", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    broken = 0
    for environment in ENVIRONMENTS + SOCKETS:
        if "aiohttp" in environment and find_spec("httpx_aiohttp") is None:
            continue
        wrong, slowest = disposed_at_random(environment, options.moments, options.seed)
        warned, descriptors, grown = cycles(environment, options.cycles)
        if descriptors > _DESCRIPTORS or grown > _BYTES:
            warned.append(f"{options.cycles} cycles left {descriptors} descriptors and {grown} bytes")
        print(
            f"{environment}: {options.moments} moments, seen after {slowest * 1000:.0f} ms at most; "
            f"{options.cycles} cycles, {descriptors:+} descriptors, {grown / 1e6:+.1f} MB",
            flush=True,
        )
        for problem in wrong + warned:
            broken += 1
            print(f"  {problem}", flush=True)
    return bool(broken)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # faults are reported
    sys.exit(main())
