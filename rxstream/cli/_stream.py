"""`rxstream stream`, `rxstream record` and `rxstream replay`."""

from __future__ import annotations

import sys

from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._output import show
from rxstream.cli._stopwatch import Stopwatch
from rxstream.session import Session
from rxstream.sinks import result


def stream(prompt: str, *, model: str, base_url: str | None, as_json: bool, save: str | None) -> int:
    """Send one request and print the answer while it arrives."""
    with Session(base_url=base_url, tape=save) as session:
        return show(session.response(model=model, input=_input(prompt)), as_json=as_json)


def record(prompt: str, *, model: str, base_url: str | None, tape: str) -> int:
    """Send one request, write its stream to a tape, and print one line about it."""
    watch = Stopwatch()
    with Session(base_url=base_url, tape=tape) as session:
        answer = session.response(model=model, input=_input(prompt))
        result(answer.pipe(watch.events(), rxs.text_only(), watch.text(), ops.count())).wait()
    print(f"{tape}: {watch.summary()}")
    return 0


def _input(prompt: str) -> str:
    return sys.stdin.read() if prompt == "-" else prompt


def replay(file: str, *, speed: float | None, as_json: bool) -> int:
    """Print the stream of a tape, at `speed` times its own speed, or without waiting."""
    with Session() as session:
        return show(session.replay(sys.stdin.buffer if file == "-" else file, speed=speed), as_json=as_json)
