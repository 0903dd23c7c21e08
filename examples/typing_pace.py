"""An answer that comes in bursts, shown as if it were typed: an even number of words a second.

python examples/typing_pace.py            a server on this machine answers: no key, no network
python examples/typing_pace.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
import time

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers

BURSTS = [
    "A river begins as a spring, ",
    "and for a long time nobody would call it a river at all. ",
    "Then it meets others, ",
    "and they agree on one name and one bed.",
]


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="What is a river?")
    began = time.monotonic()
    # 12 words a second, but at most two seconds behind the model; after its end what waits keeps that rate too
    paced = answer.pipe(rxs.text_only(), rxs.pace("word", rate=12, max_lag=2, at_end="keep"))
    for word in rxstream.iterate(paced):
        print(word, end="", flush=True)
    print(f"\n[{time.monotonic() - began:.1f} s]")


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        with (
            LocalServer([answers.text(BURSTS)], pace=8) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local)
