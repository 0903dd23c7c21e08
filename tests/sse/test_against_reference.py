"""The decoder gives what the slow reference gives, on bytes that are rich in trouble, however they are split."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.sse import Decoder, Frame
from tests.sse._reference import interpret
from tests.thinned import tries

TROUBLE = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b":", b" ", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xbf", b"\0"),
    *(b"data", b"data:", b"data: ", b"event", b"event: ", b"id", b"id: ", b"retry:", b"retry: ", b"7", b"12", b"x"),
    *("\u2028".encode(), "\x85".encode(), b"\x0b", b"\x0c", b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\x80"),
    *("é".encode(), "😀".encode(), b"\xed\xa0\x80", b"event: a\ndata: {}\n\n", b"data: {}\r\n\r\n"),
]
soup = st.lists(st.sampled_from(TROUBLE) | st.binary(max_size=4), max_size=40).map(b"".join)


def check(data: bytes, cuts: list[int]) -> None:
    comments: list[str] = []
    decoder = Decoder(on_comment=comments.append)
    frames: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        frames += decoder.feed(data[start:end])
    expected = interpret(data)
    assert frames == expected.frames
    assert comments == expected.comments
    assert decoder.last_event_id == expected.last_event_id
    assert decoder.retry == expected.retry


@settings(max_examples=tries(150, 500), deadline=None)
@given(st.data(), soup)
def test_byte_soup(data: st.DataObject, stream: bytes) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6).map(sorted))
    check(stream, cuts)
    check(stream, list(range(1, len(stream))))


def test_much_byte_soup() -> None:
    """Quicker to make than hypothesis' and so more of it; a failure prints its bytes."""
    chance = random.Random(20261123)
    for _ in range(4000):
        data = b"".join(chance.choices(TROUBLE, k=chance.randrange(30)))
        check(data, sorted(chance.randint(0, len(data)) for _ in range(chance.randrange(5))))
