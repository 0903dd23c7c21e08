"""Tapes: files that hold the Frames of a stream and their times.

A tape is JSON lines (UTF-8, one object a line), so that any tool can search and cut it::

    {"rxstream_tape": 1, "created": "2026-11-23T12:00:00Z", "request": {"method": "POST", "path": "/responses"}, …}
    {"t": 0.4182, "event": "response.created", "data": "{…}"}
    {"t": 0.4391, "event": "response.output_text.delta", "data": "{…}"}
    {"t": 0.9127, "end": "eof"}

`t` is in seconds since the request. The line of a Frame holds `event`, `data`, `id` and `retry` where they are not the
default; Frames that arrived together have the same `t`. The last line says how the stream ended: `eof`, normally;
`error`, with the class and the message of the error; `left`, its reader stopped. A tape without a last line was cut,
and is played as a stream that is cut there.

Neither headers nor keys are written, and a key that the server repeats is redacted. The body of the request, which
holds the prompt, is written only on demand. Only the owner of the file can read it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, cast

from rxstream import errors
from rxstream.errors import (
    ContentTypeError,
    DisconnectedError,
    EventError,
    FrameTooLargeError,
    ProtocolError,
    RxStreamError,
    StatusError,
    TransportError,
)
from rxstream.errors._redaction import hide
from rxstream.sse import DEFAULT_MAX_FRAME_BYTES, Frame
from rxstream.transport._base import Request
from rxstream.transport.tape._file import empty, open_tape

_VERSION = 1
_DIGITS = 6
_LONGEST_LINE = 2 * DEFAULT_MAX_FRAME_BYTES  # JSON makes two bytes of a quote or a line end
LONGEST_TIME = 30 * 24 * 3600.0
"""No stream lasts longer, in seconds."""
FORMATS = 'a tape of rxstream (JSON lines, the first of them {"rxstream_tape": 1, …}) or an .sse file'


class Recorder:
    """Write a tape, line by line. Each line is handed to the operating system at once, so a crash loses at most one.

    Args:
        file: a path, which is overwritten, or a file open for writing text, which stays open.
        request: of the request, method, path and model are written.
        keep_body: also write the body of the request, which holds the prompt.
        secrets: further texts that are never written; "[redacted]" stands in their place, and in that of every secret
            that a request of this process has sent.
        created: when the request was made; None: now.

    Raises:
        OSError: the file cannot be written, or another recording writes it; from any method.
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | IO[str],
        *,
        request: Request | None = None,
        keep_body: bool = False,
        secrets: Iterable[str] = (),
        created: datetime | None = None,
    ) -> None:
        self._secrets = tuple(secrets)
        self._owned = isinstance(file, str | os.PathLike)
        self._file: IO[str]
        if isinstance(file, str | os.PathLike):
            self._file = open_tape(file)
            empty(self._file)
        else:
            self._file = file
        self._at = 0.0
        self._ended = False
        when = (created or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {} if request is None else _request_fields(request, keep_body)
        try:
            self._write_lines([{"rxstream_tape": _VERSION, "created": when, **about}])
        except BaseException:  # the caller gets no Recorder to close
            self._ended = True
            with suppress(OSError):
                self.close()
            raise

    def write(self, frame: Frame, at: float) -> None:
        """Write a Frame that arrived `at` seconds after the request."""
        self.write_batch((frame,), at)

    def write_batch(self, frames: Sequence[Frame], at: float) -> None:
        """Write Frames that arrived together."""
        self._at = at
        self._write_lines([{"t": round(at, _DIGITS), **_frame_fields(frame)} for frame in frames])

    def complete(self, at: float | None = None) -> None:
        """The stream ended normally."""
        self._end({"end": "eof"}, at)

    def error(self, error: BaseException, at: float | None = None) -> None:
        """The stream failed."""
        status = {"status": error.status} if isinstance(error, StatusError) else {}
        self._end({"end": "error", "error": type(error).__name__, "message": str(error), **status}, at)

    def close(self) -> None:
        """Close the file. Without `complete` or `error` before it, its last line is `left`. Idempotent."""
        try:
            self._end({"end": "left"}, None)
        finally:
            self._ended = True
            if self._owned:
                self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, line: Mapping[str, Any], at: float | None) -> None:
        if not self._ended:
            self._ended = True
            self._write_lines([{"t": round(self._at if at is None else at, _DIGITS), **line}])

    def _write_lines(self, lines: Iterable[Mapping[str, Any]]) -> None:
        try:
            self._file.write("".join(_line(_redacted(line, self._secrets)) for line in lines))
            self._file.flush()
        except OSError:
            self._ended = True  # no last line, because lines are missing: it is played as a tape that was cut
            raise


class Batch(NamedTuple):
    """Frames that arrived together, `at` seconds after the request; None where the tape has no times."""

    at: float | None
    frames: Sequence[Frame]


class TapeReader:
    """Bytes of a tape to Batches. The last Batch may be empty; it has the time at which the stream ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tail = bytearray()
        self._line = 0
        self.header: Mapping[str, Any] = {}
        self.ended = False
        self.error: RxStreamError | None = None
        self.left = False
        self.has_times = True
        self.undamaged: list[Batch] = []
        """What `feed` had read when it raised."""

    def feed(self, data: bytes) -> list[Batch]:
        """Read the next bytes of the tape. Raises: ProtocolError for what is not a tape."""
        first, *others = data.split(b"\n")
        self._tail += first
        if len(self._tail) > _LONGEST_LINE:
            raise FrameTooLargeError(f"{self._name}, line {self._line + 1}: expected at most {_LONGEST_LINE} bytes")
        if not others:
            return []
        lines = [bytes(self._tail), *others[:-1]]
        self._tail = bytearray(others[-1])
        return self._read(lines)

    def finish(self) -> list[Batch]:
        """The file has ended. A tape without its last line was cut, maybe within a line."""
        batches: list[Batch] = []
        tail = bytes(self._tail)
        if self._line == 0 or (tail.strip() and _is_json(tail)):
            batches = self._read([tail])
        if not self.ended:
            self.ended = True
            self.error = DisconnectedError(f"the tape {self._name} was cut: its last line does not say how it ended")
        return batches

    def _read(self, lines: Iterable[bytes]) -> list[Batch]:
        batches = self.undamaged = []
        together: list[Frame] = []
        for raw in lines:
            self._line += 1
            if self.ended or not raw.strip():
                continue
            line = self._parse(raw)
            if self._line == 1:
                self._begin(line)
                continue
            at = float(line["t"])
            if "end" in line:
                self._end(line)
                batches.append(Batch(at, ()))
            elif batches and batches[-1].at == at and together:
                together.append(_frame(line))
            else:
                together = [_frame(line)]
                batches.append(Batch(at, together))
        return batches

    def _parse(self, raw: bytes) -> dict[str, Any]:
        try:
            line: object = json.loads(raw)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            fields = cast("dict[str, Any]", line)
            if "t" in fields and _has_right_types(fields) if self._line > 1 else "rxstream_tape" in fields:
                return fields
        start = hide(raw.decode("utf-8", "replace"))[:40]
        if self._line == 1:
            raise ProtocolError(f"{self._name}: expected {FORMATS}, got {start!r}")
        raise ProtocolError(f'{self._name}, line {self._line}: expected an object with "t", got {start!r}')

    def _begin(self, header: Mapping[str, Any]) -> None:
        version = header.get("rxstream_tape")
        if version != _VERSION:
            raise ProtocolError(
                f"{self._name}: expected a tape of version {_VERSION}, got version {version!r}: update rxstream"
            )
        self.header = header

    def _end(self, line: Mapping[str, Any]) -> None:
        self.ended = True
        self.left = line["end"] == "left"
        if line["end"] == "error":
            self.error = _error(line)


def _request_fields(request: Request, keep_body: bool) -> dict[str, Any]:
    body = dict(request.json or {})
    fields: dict[str, Any] = {"method": request.method, "path": request.path}
    if keep_body:
        fields["body"] = body
    return {"model": body["model"], "request": fields} if "model" in body else {"request": fields}


def _frame_fields(frame: Frame) -> dict[str, Any]:
    fields: dict[str, Any] = {} if frame.event == "message" else {"event": frame.event}
    fields["data"] = frame.data
    if frame.id:
        fields["id"] = frame.id
    if frame.retry is not None:
        fields["retry"] = frame.retry
    return fields


def _line(value: Any) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError:  # UTF-8 cannot encode a lone surrogate, but JSON can escape it
            line = json.dumps(value)
    return line + "\n"


def _redacted(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` with the secrets hidden in every text in it."""
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {_redacted(name, secrets): _redacted(inner, secrets) for name, inner in entries.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, secrets) for inner in cast("Sequence[Any]", value)]
    return value


_TYPES: dict[str, type | tuple[type, ...]] = {"t": (int, float), "event": str, "data": str, "id": str, "retry": int}


def _has_right_types(fields: Mapping[str, Any]) -> bool:
    right = all(isinstance(fields[name], kind) for name, kind in _TYPES.items() if name in fields)
    return right and 0 <= fields["t"] <= LONGEST_TIME


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def _frame(line: Mapping[str, Any]) -> Frame:
    return Frame(line.get("event", "message"), line.get("data", ""), line.get("id", ""), line.get("retry"))


def _error(line: Mapping[str, Any]) -> RxStreamError:
    """The recorded error. A class that this version does not know becomes a DisconnectedError with its name."""
    name, message = str(line.get("error", "")), str(line.get("message", ""))
    status = line.get("status")
    kind = getattr(errors, name, None)
    if kind in (StatusError, ContentTypeError):
        return kind(message, status=status if isinstance(status, int) else 0)
    if isinstance(kind, type) and issubclass(kind, TransportError | ProtocolError) and kind is not EventError:
        return kind(message)
    return DisconnectedError(f"{name}: {message}")
