"""A transport that records what another one reads."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

import anyio

from rxstream.sse import Frame
from rxstream.transport._base import Request, Transport, Wire
from rxstream.transport._headers import secrets_of
from rxstream.transport.tape._tape import Recorder

_log = logging.getLogger("rxstream")


class RecordingTransport:
    """Write a tape of each wire that another transport opens.

    The first wire is written to `path`, a second one to `name-2.suffix` beside it, and so on. A request that opens no
    wire makes no tape. When writing fails in the middle, a warning is logged and the stream goes on without the tape.

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
        self._count = 0

    @asynccontextmanager
    async def open(self, request: Request) -> AsyncGenerator[Wire, None]:
        """Open a wire of the inner transport and record it. See `Transport.open`.

        Raises:
            OSError: the tape cannot be created.
        """
        created, start = datetime.now(UTC), anyio.current_time()
        async with self._inner.open(request) as wire:
            self._count += 1
            path = self._path
            if self._count > 1:
                path = path.with_name(f"{path.stem}-{self._count}{path.suffix}")
            secrets = (*self._secrets, *secrets_of(request.headers))
            recorder = Recorder(path, request=request, keep_body=self._keep_body, secrets=secrets, created=created)
            with _RobustRecorder(recorder) as tape:
                async with aclosing(_recorded(wire, tape, start)) as batches:
                    yield Wire(batches, status=wire.status, headers=wire.headers, request_id=wire.request_id)


class _RobustRecorder:
    """A recorder that stops at the first OSError instead of raising it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._works = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._works = True  # to close the file in any case
        self._try(self._recorder.close)

    def write(self, frames: Sequence[Frame], at: float) -> None:
        self._try(partial(self._recorder.write_batch, frames, at))

    def complete(self, at: float) -> None:
        self._try(partial(self._recorder.complete, at))

    def error(self, error: Exception, at: float) -> None:
        self._try(partial(self._recorder.error, error, at))

    def _try(self, step: Callable[[], None]) -> None:
        if self._works:
            try:
                step()
            except OSError as error:
                self._works = False
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
