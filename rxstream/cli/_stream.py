"""`rxstream stream`, `rxstream record` and `rxstream replay`."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import IO

from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.cli._output import show
from rxstream.cli._stopwatch import Stopwatch
from rxstream.session import Session
from rxstream.sinks import result


def stream(prompt: str, *, model: str, base_url: str | None, as_json: bool, save: str | None) -> int:
    """Send one request and print the answer while it arrives."""
    with Session(base_url=base_url, tape=save) as session:
        answer = session.response(model=model, input=_input(prompt))
        return show(answer, as_json=as_json, to_the_end=save is not None)


def record(prompt: str, *, model: str, base_url: str | None, tape: str) -> int:
    """Send one request, write its stream to a tape, and print one line about it."""
    watch = Stopwatch()
    with Session(base_url=base_url, tape=tape) as session:
        answer = session.response(model=model, input=_input(prompt))
        result(answer.pipe(watch.events(), rxs.text_only(), watch.text(), ops.count())).wait()
    print(f"{tape}: {watch.summary()}")
    return 0


def replay(file: str, *, speed: float | None, as_json: bool) -> int:
    """Print the stream of a tape, at `speed` times its own speed, or without waiting."""
    with Session() as session:
        return show(session.replay(stdin() if file == "-" else file, speed=speed), as_json=as_json)


def stdin() -> IO[bytes]:
    """Raises: ValueError: it is closed."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]  # as where it was closed by `<&-`
        raise ValueError("expected input on stdin, which is closed: pipe something in, or name it instead of -")
    return sys.stdin.buffer


def _input(prompt: str) -> str:
    """The prompt; `-` is what comes from stdin, in UTF-8 or else in the encoding of the locale."""
    if prompt != "-":
        return prompt
    data = stdin().read()
    for encoding in ("utf-8", sys.stdin.encoding):
        with suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise ValueError(f"expected the prompt on stdin as text in UTF-8, got other bytes: {data[:20]!r}")
