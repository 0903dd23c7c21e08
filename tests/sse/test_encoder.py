"""The encoder is the exact inverse of the decoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rxstream.sse import Decoder, Encoder, Frame, encode

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))
one_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))
frames = st.builds(
    Frame,
    event=one_line.filter(bool),
    data=text,
    id=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")),
    retry=st.none() | st.integers(0, 10**15 - 1),
)


@given(frames)
def test_decoding_gives_back_what_was_encoded(frame: Frame) -> None:
    assert Decoder().feed(encode(frame)) == [frame]


@given(st.lists(frames))
def test_a_stream_of_frames_comes_back(many: list[Frame]) -> None:
    encoder = Encoder()
    assert Decoder().feed(b"".join(encoder.encode(frame) for frame in many)) == many


@given(st.lists(st.binary() | st.sampled_from([b"data: a\n\n", b"id: 1\n", b"event: e\r", b"retry: 5\n", b"\n\n"])))
def test_what_was_decoded_can_be_encoded(parts: list[bytes]) -> None:
    decoded = Decoder().feed(b"".join(parts))
    encoder = Encoder()
    assert Decoder().feed(b"".join(encoder.encode(frame) for frame in decoded)) == decoded


def test_the_usual_frame_looks_as_usual() -> None:
    assert encode(Frame("response.created", "{}")) == b"event: response.created\ndata: {}\n\n"
    assert encode(Frame(data="a\nb")) == b"data: a\ndata: b\n\n"
    assert encode(Frame("e", "", "7", 10)) == b"event: e\nid: 7\nretry: 10\ndata: \n\n"


def test_an_id_is_taken_back() -> None:
    encoder = Encoder()
    stream = [Frame(data="a", id="1"), Frame(data="b"), Frame(data="c")]
    assert [encoder.encode(frame) for frame in stream] == [b"id: 1\ndata: a\n\n", b"id: \ndata: b\n\n", b"data: c\n\n"]


ILLEGAL: list[tuple[Frame, str]] = [
    (Frame("a\nb"), "event must not hold a line end, got .*: remove it"),
    (Frame("a\rb"), "event must not hold a line end, got .*: remove it"),
    (Frame(""), "use 'message'"),
    (Frame(id="a\nb"), "id must not hold a line end or NUL, got .*: remove it"),
    (Frame(id="a\rb"), "id must not hold a line end or NUL, got .*: remove it"),
    (Frame(id="a\0b"), "id must not hold a line end or NUL, got .*: remove it"),
    (Frame(data="a\r\nb"), "replace CRLF and CR by LF"),
    (Frame(data="\ud800"), "replace it by U\\+FFFD"),
    (Frame(retry=-1), "retry must be between 0"),
    (Frame(retry=10**15), "retry must be between 0"),
]


@pytest.mark.parametrize(("frame", "advice"), ILLEGAL)
def test_a_frame_that_the_format_cannot_hold_is_refused_with_advice(frame: Frame, advice: str) -> None:
    with pytest.raises(ValueError, match=advice):
        encode(frame)
