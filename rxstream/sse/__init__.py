"""Bytes to Frame and back: the WHATWG event-stream format, without I/O."""

from rxstream.sse._decoder import DEFAULT_MAX_FRAME_BYTES, Decoder
from rxstream.sse._encoder import Encoder, encode
from rxstream.sse._frame import Frame

__all__ = ["DEFAULT_MAX_FRAME_BYTES", "Decoder", "Encoder", "Frame", "encode"]
