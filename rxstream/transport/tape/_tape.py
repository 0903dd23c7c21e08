"""Tapes: what came over a wire, and when, as a file to read, to keep and to play again.

A tape is JSON lines (UTF-8, one object a line), so that it can be read, searched and cut with any tool::

    {"rxstream_tape": 1, "created": "2026-11-23T12:00:00Z", "request": {"method": "POST", "path": "/responses"}, …}
    {"t": 0.4182, "event": "response.created", "data": "{…}"}
    {"t": 0.4391, "event": "response.output_text.delta", "data": "{…}"}
    {"t": 0.9127, "end": "eof"}

`t` is in seconds since the request. A Frame line holds `event`, `data`, `id` and `retry` where they are not the
default; Frames that arrived together have the same `t`. The last line says how it ended: `eof`, the peer closed
politely; `error`, with the class and the text of the error; `left`, the reader had enough. A tape that stops without
it was cut, and is played as a cut.

Neither headers nor keys are ever written. The body of the request, which holds the prompt, is written only on demand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, cast

from rxstream import errors
from rxstream.errors import (
    ContentTypeError,
    DisconnectedError,
    EventError,
    ProtocolError,
    RxStreamError,
    StatusError,
    TransportError,
)
from rxstream.sse import Frame
from rxstream.transport._base import Request
from rxstream.transport._redaction import hide, strongest

_VERSION = 1
FORMATS = 'a tape of rxstream (JSON lines, the first of them {"rxstream_tape": 1, …}) or a plain .sse file'


class Recorder:
    """Write a tape, line by line. Each line is handed to the operating system at once, so a crash loses at most one.

    Args:
        file: a path, which is overwritten, or a file open for writing text, which stays open.
        request: what was asked; of it, method, path and model are written.
        keep_body: also write the body of the request: the prompt.
        secrets: texts that are never written; "[redacted]" stands in their place.
        created: when the request was made; now, if not given.

    Raises:
        OSError: the file cannot be written; from any method.
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
        self._secrets = strongest(secrets)
        self._owned = isinstance(file, str | os.PathLike)
        self._file: IO[str]
        if isinstance(file, str | os.PathLike):
            self._file = Path(file).open("w", encoding="utf-8", newline="\n")  # noqa: SIM115 (close() closes it)
        else:
            self._file = file
        self._at = 0.0
        self._ended = False
        when = (created or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked = {} if request is None else _asked(request, keep_body)
        try:
            self._write_lines([{"rxstream_tape": _VERSION, "created": when, **asked}])
        except BaseException:  # nobody has a Recorder to close
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
        self._write_lines([{"t": _rounded(at), **_fields(frame)} for frame in frames])

    def complete(self, at: float | None = None) -> None:
        """The peer closed politely."""
        self._end({"end": "eof"}, at)

    def error(self, error: BaseException, at: float | None = None) -> None:
        """The wire failed."""
        known = {"status": error.status} if isinstance(error, StatusError) else {}
        self._end({"end": "error", "error": type(error).__name__, "message": str(error), **known}, at)

    def close(self) -> None:
        """Close the file. If nothing said how the wire ended, its reader had enough. Idempotent."""
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
            self._write_lines([{"t": _rounded(self._at if at is None else at), **line}])

    def _write_lines(self, lines: Iterable[Mapping[str, Any]]) -> None:
        try:
            self._file.write("".join(_line(_without(line, self._secrets)) for line in lines))
            self._file.flush()
        except OSError:
            self._ended = True  # with a hole in it the tape is to read as one that was cut
            raise


class Batch(NamedTuple):
    """Frames that arrived together, `at` seconds after the request; None where the tape does not know."""

    at: float | None
    frames: Sequence[Frame]


class TapeReader:
    """Read a tape back: its bytes in, Batches out. The last Batch may be empty: it tells when the wire ended."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tail = bytearray()
        self._line = 0
        self.header: Mapping[str, Any] = {}
        self.ended = False
        self.error: RxStreamError | None = None

    def feed(self, data: bytes) -> list[Batch]:
        """Read what has come of the tape. Raises: ProtocolError for what is no tape."""
        first, *others = data.split(b"\n")
        self._tail += first
        if not others:
            return []
        lines = [bytes(self._tail), *others[:-1]]
        self._tail = bytearray(others[-1])
        return self._read(lines)

    def finish(self) -> list[Batch]:
        """The file is over. A tape that does not say how its wire ended was cut, maybe within its last line."""
        batches: list[Batch] = []
        tail = bytes(self._tail)
        if self._line == 0 or (tail.strip() and _is_json(tail)):
            batches = self._read([tail])
        if not self.ended:
            self.ended = True
            self.error = DisconnectedError(f"the tape {self._name} was cut: it does not say how its stream ended")
        return batches

    def _read(self, lines: Iterable[bytes]) -> list[Batch]:
        batches: list[Batch] = []
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
            if "t" in fields and _is_legal(fields) if self._line > 1 else "rxstream_tape" in fields:
                return fields
        if self._line == 1:
            raise ProtocolError(f"{self._name} is no tape: what is read is {FORMATS}")
        raise ProtocolError(f"line {self._line} of the tape {self._name} is not one of a tape")

    def _begin(self, header: Mapping[str, Any]) -> None:
        version = header.get("rxstream_tape")
        if version != _VERSION:
            raise ProtocolError(
                f"{self._name} is a tape of version {version!r}, and this rxstream reads version {_VERSION}: update it"
            )
        self.header = header

    def _end(self, line: Mapping[str, Any]) -> None:
        self.ended = True
        if line["end"] == "error":
            self.error = _error(line)


def _asked(request: Request, keep_body: bool) -> dict[str, Any]:
    body = dict(request.json or {})
    asked: dict[str, Any] = {"method": request.method, "path": request.path}
    if keep_body:
        asked["body"] = body
    return {"model": body["model"], "request": asked} if "model" in body else {"request": asked}


def _fields(frame: Frame) -> dict[str, Any]:
    given: dict[str, Any] = {} if frame.event == "message" else {"event": frame.event}
    given["data"] = frame.data
    if frame.id:
        given["id"] = frame.id
    if frame.retry is not None:
        given["retry"] = frame.retry
    return given


def _line(value: Any) -> str:
    line = json.dumps(value, ensure_ascii=False)
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError:  # a lone surrogate is no UTF-8, but as an escape JSON gives it back
            line = json.dumps(value)
    return line + "\n"


def _rounded(at: float) -> float:
    return round(at, 6)


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` with the secrets taken out of every text in it."""
    if not secrets:
        return value
    if isinstance(value, str):
        return hide(value, secrets)
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {_without(name, secrets): _without(inner, secrets) for name, inner in entries.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, secrets) for inner in cast("Sequence[Any]", value)]
    return value


_TYPES: dict[str, type | tuple[type, ...]] = {"t": (int, float), "event": str, "data": str, "id": str, "retry": int}


def _is_legal(fields: Mapping[str, Any]) -> bool:
    return all(isinstance(fields[name], kind) for name, kind in _TYPES.items() if name in fields)


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return True


def _frame(line: Mapping[str, Any]) -> Frame:
    return Frame(line.get("event", "message"), line.get("data", ""), line.get("id", ""), line.get("retry"))


def _error(line: Mapping[str, Any]) -> RxStreamError:
    """The recorded error; one that this version does not know becomes a DisconnectedError that tells its name."""
    name, message = str(line.get("error", "")), str(line.get("message", ""))
    status = line.get("status")
    kind = getattr(errors, name, None)
    if kind in (StatusError, ContentTypeError):
        return kind(message, status=status if isinstance(status, int) else 0)
    if isinstance(kind, type) and issubclass(kind, TransportError | ProtocolError) and kind is not EventError:
        return kind(message)
    return DisconnectedError(f"{name}: {message}")
