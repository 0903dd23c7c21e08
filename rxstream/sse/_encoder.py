"""Frames in, bytes out: the exact inverse of the decoder."""

from rxstream.sse._decoder import MAX_RETRY
from rxstream.sse._frame import Frame


def encode(frame: Frame) -> bytes:
    """Encode one frame, so that a fresh `Decoder` gives it back: `decoder.feed(encode(frame)) == [frame]`.

    An empty id is not written; after a frame that had one, use an `Encoder`, which takes it back.

    Raises:
        ValueError: the format cannot say this frame; the text tells what to do instead.
    """
    return Encoder().encode(frame)


class Encoder:
    """Encode the frames of one stream, so that one `Decoder` that reads them all gives them back."""

    def __init__(self) -> None:
        self._id_given = False

    def encode(self, frame: Frame) -> bytes:
        """Encode the next frame.

        Raises:
            ValueError: the format cannot say this frame; the text tells what to do instead.
        """
        event, data, id, retry = frame
        _check(frame)
        lines: list[str] = []
        if event != "message":
            lines.append(f"event: {event}")
        if id or self._id_given:
            lines.append(f"id: {id}")
        if retry is not None:
            lines.append(f"retry: {retry}")
        lines.append("data: " + data.replace("\n", "\ndata: "))
        lines.append("\n")
        try:
            block = "\n".join(lines).encode()
        except UnicodeEncodeError:
            raise ValueError(
                "a frame holds a lone surrogate, which UTF-8 cannot say: write it as a JSON escape (\\udXXX), "
                "or replace it by U+FFFD"
            ) from None
        self._id_given = bool(id)
        return block


def _check(frame: Frame) -> None:
    event, data, id, retry = frame
    if not event:
        raise ValueError("an empty event name would be read as 'message': use that")
    if "\n" in event or "\r" in event:
        raise ValueError("an event name cannot hold a line end: take it out, or move the text to data")
    if "\n" in id or "\r" in id:
        raise ValueError("an id cannot hold a line end: take it out, or percent-encode it")
    if "\0" in id:
        raise ValueError("an id that holds NUL would be ignored: take it out, or percent-encode it")
    if "\r" in data:
        raise ValueError(
            "data cannot hold a carriage return, which would be read as a line feed: replace CRLF and CR by LF, "
            "or send the text as JSON"
        )
    if retry is not None and not 0 <= retry <= MAX_RETRY:
        raise ValueError(f"retry must be between 0 and {MAX_RETRY} milliseconds, or None")
