"""Ask ten times, five at a time, and report how long the first text and the whole answer take.

python examples/latency_report.py            a server on this machine answers: no key, no network
python examples/latency_report.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import statistics
import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.results import Metrics
from rxstream.testing import LocalServer, answers

REQUESTS = 10


def measured(session: rxstream.Session) -> Observable[Metrics]:
    """The figures of one request: emitted once, at its end."""
    return session.response(model="gpt-4o-mini", input="Count to ten, in words.").pipe(rxs.measure(every=None))


def report(name: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    print(f"{name:<12}{statistics.median(ordered) * 1000:>8.0f}{ordered[0] * 1000:>8.0f}{ordered[-1] * 1000:>8.0f}")


def main(session: rxstream.Session) -> None:
    requests = reactivex.from_iterable([measured(session) for _ in range(REQUESTS)])  # cold: nothing is sent yet
    figures = list(rxstream.iterate(requests.pipe(ops.merge(max_concurrent=5))))
    print(f"{'ms':<12}{'median':>8}{'least':>8}{'most':>8}")
    report("first text", [each.first_text for each in figures if each.first_text is not None])
    report("whole", [each.elapsed for each in figures])
    report("longest gap", [each.gaps.longest for each in figures])
    print(f"{len(figures)} requests, {sum(each.characters for each in figures)} characters")


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        said = answers.text("one two three four five six seven eight nine ten")
        with LocalServer([said], pace=60) as server, rxstream.Session("none", base_url=server.base_url) as local:
            main(local)
