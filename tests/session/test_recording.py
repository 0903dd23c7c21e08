"""A session that records: a tape for each of its streams."""

from __future__ import annotations

from pathlib import Path

import pytest

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers


def test_each_stream_has_a_tape_of_its_own(tmp_path: Path) -> None:
    said = ["first answer", "second answer"]
    with (
        LocalServer(said) as server,
        rxstream.Session("sk", base_url=server.base_url, tape=tmp_path / "talk.tape") as session,
    ):
        answer = session.response(model="m", input="a bubbly prompt, kept off the tape").pipe(rxs.text_only())
        for _ in said:
            list(rxstream.iterate(answer))
    tapes = [tmp_path / "talk.tape", tmp_path / "talk-2.tape"]
    with rxstream.Session() as session:
        assert [
            "".join(rxstream.iterate(session.replay(tape, speed=None).pipe(rxs.text_only()))) for tape in tapes
        ] == said
    assert sorted(tmp_path.iterdir()) == sorted(tapes)
    assert not any("bubbly" in tape.read_text("utf-8") for tape in tapes)


def test_a_broken_stream_breaks_again_when_replayed(tmp_path: Path) -> None:
    tape = tmp_path / "broken.tape"
    with (
        LocalServer([answers.disconnect(answers.text("one two three"), after=6)]) as server,
        rxstream.Session("sk", base_url=server.base_url, tape=tape) as session,
    ):
        session.response(model="m", input="Count.").subscribe(on_error=lambda _: None)
    heard: list[str] = []
    with rxstream.Session() as session, pytest.raises(rxstream.TransportError):
        for piece in rxstream.iterate(session.replay(tape, speed=None).pipe(rxs.text_only())):
            heard.append(piece)
    assert heard == ["one", " two"]
