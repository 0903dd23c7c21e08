"""Tests of a program that streams: a good answer, a cut one, a server that falls silent. No network, no mocks.

python -m pytest examples/test_your_app.py     the fixture `rxstream_server` comes with rxstream
python examples/test_your_app.py               the same
"""

import subprocess
import sys

import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.errors import RxStreamError
from rxstream.testing import LocalServer, answers


def shout(session: rxstream.Session, question: str) -> str:
    """Your program: the answer in capitals, and `…` at its end where it was cut off."""
    text = ""
    try:
        for piece in rxstream.iterate(session.response(model="gpt-4o-mini", input=question).pipe(rxs.text_only())):
            text += piece
    except RxStreamError:
        text += "…"
    return text.upper()


def ask(server: LocalServer) -> str:
    with rxstream.Session("none", base_url=server.base_url, idle_timeout=0.5, max_retries=0) as session:
        return shout(session, "Say hello.")


def test_the_answer_is_shouted(rxstream_server: LocalServer) -> None:
    rxstream_server.say("Hello there.")
    assert ask(rxstream_server) == "HELLO THERE."
    assert rxstream_server.log[0].json["input"] == "Say hello."


@pytest.mark.parametrize(
    "trouble",
    [
        answers.disconnect(answers.text("one two"), after=5),
        answers.hang(answers.text("one two"), after=5),
        answers.failed(partial_text="one"),
    ],
    ids=["cut", "silent", "failed"],
)
def test_an_answer_that_breaks_off_says_so(rxstream_server: LocalServer, trouble: answers.Answer) -> None:
    rxstream_server.say(trouble)
    assert ask(rxstream_server) == "ONE…"


if __name__ == "__main__":
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    done.check_returncode()
