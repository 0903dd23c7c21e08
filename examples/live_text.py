"""Print an answer while it arrives: the text, and how it went.

python examples/live_text.py            a server on this machine answers: no key, no network
python examples/live_text.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.results import Metrics
from rxstream.testing import LocalServer, answers

ANSWER = " ".join(["Double bubble bath,"] * 9 + ["double bubble bath!"])


def text_then_figures(events: Observable[StreamingEvent]) -> Observable[str | Metrics]:
    """One subscription, two readers: each piece of text as it comes, and the figures at the end."""
    return reactivex.merge(events.pipe(rxs.text_only()), events.pipe(rxs.measure(every=None)))


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="Say 'double bubble bath' ten times fast.")
    for said in rxstream.iterate(answer.pipe(ops.publish(text_then_figures))):
        if isinstance(said, str):
            print(said, end="", flush=True)
        else:
            print(f"\n\n{said.events} events, {said.characters} characters, first text after {said.first_text:.2f} s")


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        with (
            LocalServer([answers.text(ANSWER)], pace=40) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local)
