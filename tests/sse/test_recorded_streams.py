"""Every recorded stream decodes to the frames that its manifest counts, however it is split."""

import random

from rxstream.sse import Decoder, Encoder, Frame
from tests._given import STREAMS, each_stream, manifest, needs, stream_bytes

pytestmark = needs(STREAMS)


@each_stream(manifest())
def test_frames(name: str) -> None:
    data = stream_bytes(name)
    frames = Decoder().feed(data)
    known = manifest()[name]
    assert len(frames) == known["events"] + known["sse"]["non_json_frames"]

    chance = random.Random(name)
    cuts = sorted(chance.randint(0, len(data)) for _ in range(20))
    decoder = Decoder()
    split: list[Frame] = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        split += decoder.feed(data[start:end])
    assert split == frames

    encoder = Encoder()
    assert Decoder().feed(b"".join(map(encoder.encode, frames))) == frames
