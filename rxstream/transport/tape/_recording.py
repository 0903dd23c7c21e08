"""A transport that records what another one reads."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import IO, Self

import anyio

from rxstream.sse import Frame
from rxstream.transport._base import Request, Transport, Wire
from rxstream.transport._headers import secrets_of
from rxstream.transport.tape._file import empty, open_tape
from rxstream.transport.tape._tape import Recorder

_log = logging.getLogger("rxstream")


class RecordingTransport:
    """Write a tape of each wire that another transport opens.

    The first wire is written to `path`, a second one to `name-2.suffix` beside it, and so on; a file that another
    recording is writing is passed over. A request that opens no wire makes no tape. When writing fails in the middle, a
    warning is logged and the stream goes on without the tape.

    Args:
        inner: the transport to record. Secrets that an `HttpTransport` has sent are never written.
        path: the file; it is overwritten.
        keep_body: also write the body of each request, which holds the prompt.
        secrets: further texts that are never written.
    """

    def __init__(
        self,
        inner: Transport,
        path: str | os.PathLike[str],
        *,
        keep_body: bool = False,
        secrets: Iterable[str] = (),
    ) -> None:
        self._inner = inner
        self._path = Path(path)
        self._keep_body = keep_body
        self._secrets = tuple(secrets)
        self._written: set[int] = set()
        """The numbers of the tapes."""

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Open a wire of the inner transport and record it. See `Transport.open`.

        Raises:
            OSError: the tape cannot be created; nothing was sent.
        """
        created, start = datetime.now(UTC), anyio.current_time()
        number, path, is_new, file = self._begin()
        try:
            async with self._inner.open(request) as wire:
                self._written.add(number)
                secrets = (*self._secrets, *secrets_of(request.headers))

                def record() -> Recorder:
                    empty(file)
                    return Recorder(file, request=request, keep_body=self._keep_body, secrets=secrets, created=created)

                with _RobustRecorder(record) as tape:
                    async with aclosing(_recorded(wire, tape, start)) as batches:
                        yield Wire(
                            batches,
                            status=wire.status,
                            headers=wire.headers,
                            request_id=wire.request_id,
                            bytes_read=lambda: wire.bytes_read,
                        )
        finally:
            with suppress(OSError):
                file.close()
            if is_new and number not in self._written:
                path.unlink(missing_ok=True)

    def _begin(self) -> tuple[int, Path, bool, IO[str]]:
        """Open the next tape that no other recording is writing: its number, its path, whether it is new, its file."""
        for number in count(1):
            path = self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}") if number > 1 else self._path
            if number not in self._written:
                is_new = not path.exists()
                with suppress(BlockingIOError):
                    return number, path, is_new, open_tape(path)
        raise AssertionError("there is always a next number")

    async def aclose(self) -> None:
        """Close the inner transport, if it can be closed. See `HttpTransport.aclose`."""
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()


class _RobustRecorder:
    """A recorder that stops at the first OSError instead of raising it."""

    def __init__(self, make: Callable[[], Recorder]) -> None:
        self._recorder: Recorder | None = None
        try:
            self._recorder = make()
        except OSError as error:
            self._stop(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._try(lambda recorder: recorder.close())

    def write(self, frames: Sequence[Frame], at: float) -> None:
        self._try(lambda recorder: recorder.write_batch(frames, at))

    def complete(self, at: float) -> None:
        self._try(lambda recorder: recorder.complete(at))

    def error(self, error: Exception, at: float) -> None:
        self._try(lambda recorder: recorder.error(error, at))

    def _try(self, step: Callable[[Recorder], None]) -> None:
        if self._recorder is not None:
            try:
                step(self._recorder)
            except OSError as error:
                self._stop(error)

    def _stop(self, error: OSError) -> None:
        self._recorder = None
        reason = error.strerror or type(error).__name__
        _log.warning("the tape cannot be written any more, and the stream goes on without it: %s", reason)


async def _recorded(wire: Wire, tape: _RobustRecorder, start: float) -> AsyncGenerator[Sequence[Frame], None]:
    try:
        async for frames in wire:
            tape.write(frames, anyio.current_time() - start)
            yield frames
    except Exception as error:
        tape.error(error, anyio.current_time() - start)
        raise
    tape.complete(anyio.current_time() - start)
