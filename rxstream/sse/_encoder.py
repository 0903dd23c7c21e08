"""Frames to bytes: the exact inverse of the decoder."""

from rxstream.sse._decoder import MAX_RETRY
from rxstream.sse._frame import Frame


def encode(frame: Frame) -> bytes:
    """Encode one frame, so that a fresh `Decoder` gives it back: `decoder.feed(encode(frame)) == [frame]`.

    An empty id is not written. To end an id that an earlier frame has set, use an `Encoder`.

    Raises:
        ValueError: the format has no way to write this frame. The message says what to do.
    """
    return Encoder().encode(frame)


class Encoder:
    """Encode the frames of one stream, so that one `Decoder` that reads them all gives them back."""

    def __init__(self) -> None:
        self._id_is_set = False

    def encode(self, frame: Frame) -> bytes:
        """Encode the next frame. Raises: as `encode`."""
        event, data, id, retry = frame
        _check(frame)
        lines: list[str] = []
        if event != "message":
            lines.append(f"event: {event}")
        if id or self._id_is_set:
            lines.append(f"id: {id}")
        if retry is not None:
            lines.append(f"retry: {retry}")
        lines.append("data: " + data.replace("\n", "\ndata: "))
        lines.append("\n")
        try:
            block = "\n".join(lines).encode()
        except UnicodeEncodeError:
            raise ValueError(
                "the frame holds a lone surrogate, which UTF-8 cannot encode: write it as a JSON escape (\\udXXX), "
                "or replace it by U+FFFD"
            ) from None
        self._id_is_set = bool(id)
        return block


def _check(frame: Frame) -> None:
    event, data, id, retry = frame
    if not event:
        raise ValueError("event is empty, and would be read as 'message': use 'message'")
    if "\n" in event or "\r" in event:
        raise ValueError(f"event must not hold a line end, got {event!r}: remove it, or move the text to data")
    if "\n" in id or "\r" in id or "\0" in id:
        raise ValueError(f"id must not hold a line end or NUL, got {id!r}: remove it, or percent-encode it")
    if "\r" in data:
        raise ValueError(
            "data must not hold a carriage return, which would be read as a line feed: replace CRLF and CR by LF, "
            "or send the text as JSON"
        )
    if retry is not None and not 0 <= retry <= MAX_RETRY:
        raise ValueError(f"retry must be between 0 and {MAX_RETRY} milliseconds, or None, got {retry!r}")
