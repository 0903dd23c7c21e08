"""Bytes to events in one step: the same as decoder, parser and normalize one after the other, whatever the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.errors import RxStreamError
from rxstream.events import StreamingEvent
from rxstream.response.decoding._frames_to_events import BytesToEvents, FramesToNormalEvents
from rxstream.sse import Decoder
from rxstream.testing import answers

PIECES = [
    b"event: response.output_text.delta\n",
    b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"item_id":"m","delta":"a"}\n',
    b'data: {"type":"response.output_text.delta","delta":"\xff\xc3"}\n',
    b'data: {"type":"response.output_text.delta","delta":"\\ud83d"}\n',
    b'data: {"type":"response.output_text.delta","delta":"\\ude00"}\n',
    b'data: {"type":"response.output_text.delta",\n',
    b'data: "delta":"two lines"}\n',
    b'data: {"type":"keepalive"}\n',
    b"event: keepalive\n",
    b"event: message\n",
    b"data: [DONE]\n",
    b"data: \n",
    b"data\n",
    b": comment\n",
    b"retry: 10\n",
    b"id: 7\n",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r",
    b"\xef\xbb\xbf",
    b"data: nonsense\n\n",
    b"data: 5\n\n",
]


def one_by_one(pieces: Iterable[bytes], ceiling: int) -> tuple[list[StreamingEvent], str | None]:
    decoder, reading = Decoder(max_frame_bytes=ceiling, at_eof="whole_json"), FramesToNormalEvents()
    events: list[StreamingEvent] = []
    try:
        for piece in pieces:
            for frame in decoder.feed(piece):
                events += reading.feed(frame)
        for frame in decoder.close():
            events += reading.feed(frame)
    except RxStreamError as error:
        return events, str(error)
    return events, None


def in_one_step(pieces: Iterable[bytes], ceiling: int) -> tuple[list[StreamingEvent], str | None]:
    reading = BytesToEvents(ceiling, normalize=True)
    events: list[StreamingEvent] = []
    try:
        for piece in pieces:
            for event in reading.feed(piece):
                events.append(event)
        for event in reading.finish():
            events.append(event)
    except RxStreamError as error:
        return events, str(error)
    return events, None


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.lists(st.integers(0, 400), max_size=5))
def test_the_same_events_and_the_same_error(parts: list[bytes], cuts: list[int]) -> None:
    data = b"".join(parts)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert in_one_step(pieces, 10_000) == one_by_one(pieces, 10_000)


@pytest.mark.parametrize("ceiling", [60, 200, 1000])
def test_the_ceiling_holds_all_the_same(ceiling: int) -> None:
    data = answers.sse_bytes_of(answers.text("Hello there"))
    for step in (1, 50, len(data)):
        pieces = [data[start : start + step] for start in range(0, len(data), step)]
        assert in_one_step(pieces, ceiling) == one_by_one(pieces, ceiling)


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_wire_cut_inside_a_frame_brings_neither_an_event_nor_an_error(cut: int) -> None:
    whole = answers.sse_bytes_of(answers.text("Hello there"))
    events, error = in_one_step([whole[:-cut]], 10_000)
    assert error is None
    assert len(events) in (9, 10)
