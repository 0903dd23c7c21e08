"""The body of an answer as Frames: an event stream, or the JSON of a whole response."""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncIterator, Sequence
from typing import cast

import anyio

from rxstream.errors import DisconnectedError, FrameTooLargeError, RxStreamError
from rxstream.sse import Decoder, Frame
from rxstream.transport.http._answer import BODY_READ, BODY_SECONDS, HttpAnswer

_START_KEPT = 1024
_PAGE_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[<]")
_STREAM_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?::|(?:event|data|id|retry)\b)")
_WHOLE = re.compile(rb'"object"\s*:\s*"response"')
_STREAM_TYPES = (None, "text/event-stream")
_JSON_TYPES = ("application/json", "text/json", "text/plain")


class AnswerFrames:
    """The Frames of an answer, as they arrive."""

    def __init__(self, answer: HttpAnswer, decoder: Decoder, *, max_frame_bytes: int) -> None:
        self._answer = answer
        self._decoder = decoder
        self._max = max_frame_bytes
        self._no_stream = answer.content_type not in _STREAM_TYPES
        """Whether the content type is not that of a stream, so that only a whole response is read."""
        self._start: bytes | None = b""
        """The first bytes of the body, until it is known to be an event stream; then None."""
        self._reading = False
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self._ended:
            raise StopAsyncIteration
        if self._reading:  # a read that was cancelled has closed the wire, which must not be read as its end
            raise DisconnectedError("an earlier read of this wire failed", request_id=self._answer.request_id)
        self._reading = True
        frames = await self._next()
        self._reading = False
        if frames is None:
            self._ended = True
            raise StopAsyncIteration
        return frames

    async def _next(self) -> Sequence[Frame] | None:
        try:
            if self._decoder.failure is not None:
                raise self._decoder.failure
            while (data := await self._answer.read()) is not None:
                if self._start is not None and (whole := await self._check_start(data)):
                    self._start, self._no_stream = None, False
                    return [whole]
                if frames := self._decoder.feed(data):
                    self._start = None
                    return frames
        except FrameTooLargeError as error:
            error.request_id = self._answer.request_id
            raise
        if self._start and not _STREAM_START.match(self._start):
            raise self._answer.content_error(f"{self._content_type}, and without an event", self._start)
        if self._no_stream:
            raise self._answer.content_error(self._content_type, b"")
        self._start = None
        return self._decoder.close() or None

    async def _check_start(self, data: bytes) -> Frame | None:
        """Recognise JSON and pages, whatever the content type is. Return the Frame of a whole response."""
        start = (self._start or b"") + data
        if _PAGE_START.match(start):
            body = await self._read_page(start)
            if _is_whole_response(body):
                return Frame(data=body.decode("utf-8", "replace").lstrip("\ufeff"))
            raise self._answer.content_error(self._content_type, body)
        if self._no_stream and start.strip():
            raise self._answer.content_error(self._content_type, start + await self._answer.rest())
        self._start = start[:_START_KEPT]
        return None

    async def _read_page(self, start: bytes) -> bytes:
        """The body if it may be a whole response, however long that takes; of any other its first bytes."""
        body = bytearray(start)
        is_response = False
        with anyio.move_on_after(BODY_SECONDS) as patience:
            while True:
                if not is_response and _WHOLE.search(body):
                    is_response, patience.deadline = True, math.inf
                if not is_response and len(body) >= BODY_READ:
                    break
                if len(body) > self._max:
                    raise FrameTooLargeError(
                        f"a response is larger than max_frame_bytes={self._max}: raise it if such answers are expected",
                        limit=self._max,
                    )
                try:
                    data = await self._answer.read()
                except RxStreamError:
                    if is_response:
                        raise
                    break
                if data is None:
                    break
                body += data
        return bytes(body)

    @property
    def _content_type(self) -> str:
        kind = self._answer.content_type
        return "without a content type" if kind is None else f"with {kind}"


async def expect_frames(answer: HttpAnswer) -> None:
    """Raise a ContentTypeError unless the content type is that of an event stream or of JSON, or missing."""
    if answer.status in (204, 205):
        raise answer.content_error("without a body", b"")
    kind = answer.content_type
    if kind not in _STREAM_TYPES and kind not in _JSON_TYPES and not (kind or "").endswith("+json"):
        raise answer.content_error(f"with {kind}", await answer.start())
    answer.inflate()


def _is_whole_response(body: bytes) -> bool:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, dict):
        return False
    fields = cast("dict[str, object]", value)
    return fields.get("object") == "response" and isinstance(fields.get("output"), list)
