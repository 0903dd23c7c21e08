"""The ceiling of a frame, the memory it stands for, and the cost of long lines."""

import time
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from rxstream.errors import FrameTooLargeError
from rxstream.sse import Decoder, Frame

MIB = 1024 * 1024


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


TOO_LARGE: dict[str, bytes] = {
    "one data line": b"data: " + b"x" * 95 + b"\n\n",
    "an endless line": b"x" * 101,
    "a comment": b":" + b"x" * 100 + b"\n",
    "the sum of data lines": (b"data: " + b"x" * 40 + b"\n") * 3 + b"\n",
    "many short data lines": b"data\n" * 110 + b"\n",
    "a name and its data": b"event: " + b"e" * 60 + b"\ndata: " + b"x" * 60 + b"\n\n",
    "an id": b"id: " + b"x" * 97 + b"\n",
}


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_ceiling_is_the_same_for_every_split(data: bytes, size: int, end: bytes) -> None:
    decoder = Decoder(max_frame_bytes=100)
    stream = (b"data: fits\n\n" + data).replace(b"\n", end)
    frames: list[Frame] = []

    def feed_all() -> None:
        for piece in [*pieces(stream, size), b""]:
            frames.extend(decoder.feed(piece))

    with pytest.raises(FrameTooLargeError, match="max_frame_bytes=100"):
        feed_all()
    assert frames == [Frame(data="fits")]
    assert decoder.failure is not None
    for step in (lambda: decoder.feed(b"data: a\n\n"), decoder.close):
        with pytest.raises(FrameTooLargeError):
            step()
    decoder.reset()
    assert decoder.feed(b"data: a\n\n") == [Frame(data="a")]


FITS: dict[str, bytes] = {
    "one data line": b"data: " + b"x" * 94 + b"\n\n",
    "a long comment": b":" + b"x" * 99 + b"\n\n",
    "comments are not held": b": ping\n" * 100 + b"data: a\n\n",
    "frames are not held": b"event: e\ndata: 0123456789\n\n" * 100,
    "unknown fields are not held": b"unknown: field\n" * 100,
    "blank lines": b"\n" * 1000,
}


@pytest.mark.parametrize("data", FITS.values(), ids=FITS)
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_what_fits_is_not_refused(data: bytes, size: int) -> None:
    decoder = Decoder(max_frame_bytes=100)
    frames = [frame for piece in pieces(data, size) for frame in decoder.feed(piece)]
    assert frames == Decoder().feed(data)


def test_frames_before_a_too_large_one_are_not_lost() -> None:
    decoder = Decoder(max_frame_bytes=50)
    assert decoder.feed(b"data: a\n\ndata: b\n\n" + b"x" * 60) == [Frame(data="a"), Frame(data="b")]
    with pytest.raises(FrameTooLargeError):
        decoder.feed(b"")


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 or more, got 0"):
        Decoder(max_frame_bytes=0)


def endless_line() -> Iterator[bytes]:
    while True:
        yield b"x" * 1024


def endless_data_lines() -> Iterator[bytes]:
    while True:
        yield b"data:ab\n" * 128


def endless_empty_data_lines() -> Iterator[bytes]:
    while True:
        yield b"data\n" * 200


def single_bytes_of_data() -> Iterator[bytes]:
    yield b"data: "
    while True:
        yield b"ab"


@pytest.mark.parametrize("source", [endless_line, endless_data_lines, endless_empty_data_lines, single_bytes_of_data])
def test_memory_stays_below_four_times_the_ceiling(source: Callable[[], Iterator[bytes]]) -> None:
    limit = 256 * 1024
    stream = source()
    tracemalloc.start()
    try:
        decoder = Decoder(max_frame_bytes=limit)
        tracemalloc.reset_peak()
        base, _ = tracemalloc.get_traced_memory()
        with pytest.raises(FrameTooLargeError):
            deque(map(decoder.feed, stream), maxlen=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - base <= 4 * limit + 64 * 1024


@pytest.mark.parametrize("char", ["x", "é", "€"])
@pytest.mark.parametrize("line", [100, 10**9], ids=["many data lines", "one data line"])
def test_memory_of_the_largest_frame(char: str, line: int) -> None:
    limit = MIB
    width = len(char.encode())
    value = char.encode() * min(line, limit // width - 10)
    count = max(1, limit // (len(value) + 1) - 1)
    stream = list(pieces((b"data: " + value + b"\n") * count + b"\n", 4096))
    tracemalloc.start()
    try:
        decoder = Decoder(max_frame_bytes=limit)
        base, _ = tracemalloc.get_traced_memory()
        frames = [frame for piece in stream for frame in decoder.feed(piece)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(frames) == 1
    # a bytearray that has grown is up to an eighth larger than what it holds
    assert peak - base <= 4 * limit + limit // 8 + 64 * 1024


def cpu(run: Callable[[], object]) -> float:
    """The least of three: what the machine does besides can only add."""
    times: list[float] = []
    for _ in range(3):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def one_line(size: int) -> bytes:
    return b"data: " + b"x" * size + b"\n\n"


def many_data_lines(size: int) -> bytes:
    return b"data: 0123456789\n" * (size // 17) + b"\n"


def carriage_returns(size: int) -> bytes:
    return b"data: " + b"x" * size + b"\r\r"


@pytest.mark.parametrize("document", [one_line, many_data_lines, carriage_returns])
def test_four_times_the_bytes_cost_about_four_times_as_much(document: Callable[[int], bytes]) -> None:
    def run(size: int) -> Callable[[], object]:
        data = list(pieces(document(size), 1024))

        def decode() -> None:
            decoder = Decoder()
            assert sum(len(decoder.feed(piece)) for piece in data) == 1

        return decode

    # Linear is 4, quadratic is 16; the CPU time of this process alone is looked at.
    assert cpu(run(20_000_000)) < 9 * cpu(run(5_000_000))
