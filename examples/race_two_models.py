"""Two models get one question. The first that writes text is shown; the request of the other is closed.

python examples/race_two_models.py            a server on this machine answers: no key, no network
python examples/race_two_models.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys

import reactivex
from reactivex import Observable
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers


def text_of(session: rxstream.Session, model: str) -> Observable[str]:
    """The text of one model, and before it the model's name. Errors decide the race too: see `rxs.retry_transient`."""
    pieces = session.response(model=model, input="Count to five, in words.").pipe(rxs.text_only())
    return pieces.pipe(ops.map_indexed(lambda piece, index: piece if index else f"{model}: {piece}"))


def main(session: rxstream.Session, models: list[str]) -> None:
    first = reactivex.amb(*(text_of(session, model) for model in models))  # disposes the others
    for piece in rxstream.iterate(first):
        print(piece, end="", flush=True)
    print()


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live, ["gpt-4o-mini", "gpt-4o"])
    else:
        counted = answers.text("one two three four five")
        said = {"slow": answers.hang(counted, after=2), "quick": counted}  # the slow one never gets to its first text
        with (
            LocalServer([lambda request: said[request["model"]]], pace=20) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local, list(said))
            server.wait_closed(1)
            print("The server has seen that the slow request was closed.")
