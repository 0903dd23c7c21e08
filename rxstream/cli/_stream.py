"""`rxstream stream` and `rxstream replay`."""

from __future__ import annotations

import sys

from rxstream.cli._output import show
from rxstream.source import Session


def stream(prompt: str, *, model: str, base_url: str | None, as_json: bool, save: str | None) -> int:
    """Send one request and print the answer while it arrives."""
    if prompt == "-":
        prompt = sys.stdin.read()
    with Session(base_url=base_url, tape=save) as session:
        return show(session.response(model=model, input=prompt), as_json=as_json)


def replay(file: str, *, speed: float | None, as_json: bool) -> int:
    """Print what a tape holds, at its own speed or at once."""
    with Session() as session:
        return show(session.replay(sys.stdin.buffer if file == "-" else file, speed=speed), as_json=as_json)
