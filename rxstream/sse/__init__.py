"""Bytes to Frame and back: the WHATWG event-stream format, without I/O."""
