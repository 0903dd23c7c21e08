"""A connection breaks in the middle of an answer, and the program does not notice: nothing is lost or comes twice.

python examples/resume_after_drop.py            a server on this machine answers: no key, no network
python examples/resume_after_drop.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers


def main(session: rxstream.Session) -> None:
    # the server keeps a background response, so that it can be read on from any event
    answer = session.response(model="gpt-4o-mini", input="Count to ten.", background=True, resume=True)
    for piece in rxstream.iterate(answer.pipe(rxs.text_only())):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        counted = answers.text("one two three four five six seven eight nine ten")
        with (
            LocalServer([answers.disconnect(counted, after=8)], pace=30) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local)
        for request in server.log:
            print(request.method, request.path, request.query)
