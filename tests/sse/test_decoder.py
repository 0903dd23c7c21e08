"""The decoder against the examples of the standard, and against every split of tricky documents."""

import pytest

from rxstream.sse import Decoder, Frame
from tests.sse._reference import interpret

LONGEST = 10**15 - 1

# (what it shows, the bytes, the frames)
VECTORS: list[tuple[str, bytes, list[Frame]]] = [
    ("three messages and a comment", b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\n"
     b"data:  third event\n\n",
     [Frame(data="first event", id="1"), Frame(data="second event"), Frame(data=" third event")]),
    ("stock ticker", b"data: YHOO\ndata: +2\ndata: 10\n\n", [Frame(data="YHOO\n+2\n10")]),
    ("empty data dispatches, unfinished does not", b"data\n\ndata\ndata\n\ndata:", [Frame(), Frame(data="\n")]),
    ("one leading space, and only one", b"data:test\n\ndata: test\n\ndata:  test\n\n",
     [Frame(data="test"), Frame(data="test"), Frame(data=" test")]),
    ("named events", b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
     [Frame("add", "73857293"), Frame("remove", "2153")]),
    ("no data, no dispatch, and the name resets", b"event: lost\n\ndata: x\n\n", [Frame(data="x")]),
    ("the last name counts, an empty one is none", b"event: a\nevent: b\ndata: x\n\nevent: a\nevent:\ndata: y\n\n",
     [Frame("b", "x"), Frame(data="y")]),
    ("names may follow the data", b"data: x\nevent: late\n\n", [Frame("late", "x")]),
    ("id persists, and an empty one takes it back", b"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
     [Frame(data="a", id="7"), Frame(data="b", id="7"), Frame(data="c")]),
    ("id without data counts", b"id: 7\n\ndata: a\n\n", [Frame(data="a", id="7")]),
    ("id with NUL is ignored", b"id: 1\nid: a\0b\ndata: a\n\n", [Frame(data="a", id="1")]),
    ("retry", b"retry: 3000\ndata: a\n\ndata: b\n\n", [Frame(data="a", retry=3000), Frame(data="b")]),
    ("retry takes ASCII digits only",
     "retry: +1\nretry: 1_0\nretry: -1\nretry: 1.5\nretry: \nretry:  1\nretry: ١\ndata: a\n\n".encode(),
     [Frame(data="a")]),
    ("retry with leading zeros",
     b"retry: 0007\ndata: a\n\nretry:00\ndata: b\n\n", [Frame(data="a", retry=7), Frame(data="b", retry=0)]),
    ("an absurd retry", b"retry: " + b"9" * 10_000 + b"\ndata: a\n\n", [Frame(data="a", retry=LONGEST)]),
    ("an absurd retry that is none", b"retry: " + b"0" * 10_000 + b"5\ndata: a\n\n", [Frame(data="a", retry=5)]),
    ("unknown fields, other cases, spaces before", b"dat: x\nData: x\n data: x\ndata : x\ndatax: x\n\n", []),
    ("a colon in the value", b"data: a: b\n\ndata::\n\n", [Frame(data="a: b"), Frame(data=":")]),
    ("comments inside a block", b"data: a\n: ping\n:\ndata: b\n\n", [Frame(data="a\nb")]),
    ("CR, CRLF, LF", b"data: a\rdata: b\r\rdata: c\r\ndata: d\r\n\r\ndata: e\n\n",
     [Frame(data="a\nb"), Frame(data="c\nd"), Frame(data="e")]),
    ("LF CR is two line ends", b"data: a\n\rdata: b\n\n", [Frame(data="a"), Frame(data="b")]),
    ("blank lines in a row", b"\n\r\n\r\n\ndata: a\n\n\n\n\r\rdata: b\r\n\r\n", [Frame(data="a"), Frame(data="b")]),
    ("only LF and CR end a line", "data: a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
     [Frame(data="a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x1dh\x1ei")]),
    ("a BOM, once", b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n", [Frame(data="a")]),
    ("two BOMs", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [Frame(data="b")]),
    ("a BOM in the data", b"data: \xef\xbb\xbfa\n\n", [Frame(data="\ufeffa")]),
    ("half a BOM", b"\xef\xbbdata: a\n\ndata: b\n\n", [Frame(data="b")]),
    ("a BOM before CRLF", b"\xef\xbb\xbf\r\ndata: a\r\n\r\n", [Frame(data="a")]),
    ("NUL in data and name", b"event: a\0\ndata: b\0c\n\n", [Frame("a\0", "b\0c")]),
    ("all lengths of UTF-8", "data: aé€😀\n\n".encode(), [Frame(data="aé€😀")]),
    ("invalid UTF-8", b"data: \xff a\xc3 \xe2\x82 \xf0\x9f\x98 \xc0\x80 \xed\xa0\x80 \xf5\n\n",
     [Frame(data="\ufffd a\ufffd \ufffd \ufffd \ufffd\ufffd \ufffd\ufffd\ufffd \ufffd")]),
    ("a sequence cut by the line end", b"data: \xe2\x82\ndata: \xf0\x9f\r\n\r\n", [Frame(data="\ufffd\n\ufffd")]),
    ("invalid UTF-8 in a name and an id", b"event: \xff\nid: \xfe\ndata: a\n\n", [Frame("\ufffd", "a", "\ufffd")]),
    ("what is open is not dispatched", b"data: a\n\ndata: b\n", [Frame(data="a")]),
]  # fmt: skip
IDS = [name for name, _, _ in VECTORS]


def decode_in(pieces: list[bytes]) -> tuple[list[Frame], list[str], str, int | None]:
    comments: list[str] = []
    decoder = Decoder(on_comment=comments.append)
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    seen = decoder.last_event_id, decoder.retry
    assert decoder.close() == []
    return frames, comments, *seen


@pytest.mark.parametrize(("name", "data", "frames"), VECTORS, ids=IDS)
def test_the_standard(name: str, data: bytes, frames: list[Frame]) -> None:
    assert Decoder().feed(data) == frames


@pytest.mark.parametrize(("name", "data", "frames"), VECTORS, ids=IDS)
def test_the_reference_agrees(name: str, data: bytes, frames: list[Frame]) -> None:
    expected = interpret(data)
    assert expected.frames == frames
    assert decode_in([data]) == (frames, expected.comments, expected.last_event_id, expected.retry)


@pytest.mark.parametrize(("name", "data", "frames"), VECTORS, ids=IDS)
def test_every_split_in_two_and_single_bytes(name: str, data: bytes, frames: list[Frame]) -> None:
    whole = decode_in([data])
    step = max(1, len(data) // 300)
    for cut in range(0, len(data) + 1, step):
        assert decode_in([data[:cut], b"", data[cut:]]) == whole
    assert decode_in([data[i : i + 1] for i in range(len(data))]) == whole
    if len(data) < 60:
        for first in range(len(data)):
            for second in range(first, len(data)):
                assert decode_in([data[:first], data[first:second], data[second:]]) == whole


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_frame_leaves_with_the_bytes_that_end_its_blank_line(end: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a" + end) == []
    assert decoder.feed(end[:1]) == [Frame(data="a")]
    assert decoder.feed(end[1:] + b"data: b" + end) == []
    assert decoder.feed(end) == [Frame(data="b")]


def test_a_line_feed_after_a_carriage_return_is_no_blank_line() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r") == []
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"\n") == [Frame(data="a")]


def test_a_comment_is_told_when_its_line_ends() -> None:
    comments: list[str] = []
    decoder = Decoder(on_comment=comments.append)
    decoder.feed(b":one\r: two")
    assert comments == ["one"]
    decoder.feed(b"\xff\n:\n")
    assert comments == ["one", " two\ufffd", ""]


def test_last_event_id_waits_for_the_blank_line() -> None:
    decoder = Decoder()
    decoder.feed(b"id: 1\n")
    assert decoder.last_event_id == ""
    decoder.feed(b"\n")
    assert decoder.last_event_id == "1"


def test_retry_is_known_at_once() -> None:
    decoder = Decoder()
    decoder.feed(b"retry: 10\n")
    assert decoder.retry == 10


def test_a_last_frame_that_lacks_only_its_blank_line_counts_if_its_data_is_whole_json() -> None:
    for payload in ('{"a":1}', "[DONE]", '"\\ud83d"'):
        for end in ("\n", "", "\r"):
            decoder = Decoder(at_eof="whole_json")
            assert decoder.feed(f"event: e\ndata: {payload}{end}".encode()) == []
            assert decoder.close() == [Frame("e", payload)]
            assert decoder.close() == []
    for payload in ('{"a":', "[DON", "", "a", "[" * 100_000):
        decoder = Decoder(at_eof="whole_json")
        assert decoder.feed(f"event: e\ndata: {payload}".encode()) + decoder.close() == []
    decoder = Decoder(at_eof="whole_json")
    assert decoder.feed(b"event: e\n") + decoder.close() == []
    assert decoder.feed(b"\xef\xbb") + decoder.close() == []


def test_close_drops_what_is_open_and_starts_over() -> None:
    decoder = Decoder()
    assert decoder.feed(b"id: 1\nretry: 5\ndata: a\n\nid: 2\nevent: e\ndata: b\nda") == [
        Frame(data="a", id="1", retry=5)
    ]
    assert decoder.close() == []
    assert decoder.feed(b"\xef\xbb\xbfdata: c\n\n") == [Frame(data="c", id="1")]


def test_reset_keeps_what_belongs_to_the_event_source() -> None:
    decoder = Decoder()
    decoder.feed(b"id: 1\nretry: 5\ndata: a\n\ndata: b\r")
    decoder.reset()
    assert (decoder.last_event_id, decoder.retry) == ("1", 5)
    assert decoder.feed(b"\ndata: c\n\n") == [Frame(data="c", id="1")]


def test_bytes_like_objects_are_bytes() -> None:
    assert Decoder().feed(bytearray(b"data: a\n\n")) == [Frame(data="a")]
    assert Decoder().feed(memoryview(b"data: a\n\n")) == [Frame(data="a")]
    with pytest.raises(TypeError):
        Decoder().feed("data: a\n\n")  # type: ignore[arg-type]


def test_frames_of_a_type_share_one_name() -> None:
    one, two = Decoder().feed(b"event: response.output_text.delta\ndata: a\n\n" * 2)
    assert one.event is two.event


def test_idle_says_whether_a_frame_is_open() -> None:
    for end in ("", "data: a\n\n", ": comment\n", "unknown\n", "id: 1\n\n"):
        decoder = Decoder()
        decoder.feed(b"\n" + end.encode())
        assert decoder.idle, end
    for end in ("d", "data\n", "event: e\n", "id: 1\n", "retry: 1\n", "\r"):
        decoder = Decoder()
        decoder.feed(b"\n" + end.encode())
        assert not decoder.idle, end
    assert not Decoder().idle  # a BOM may come
