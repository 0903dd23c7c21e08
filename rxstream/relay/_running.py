"""Where a publication and a follower run: in a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from reactivex import abc

from rxstream.rx._context import RUNTIME


class Host(Protocol):
    """A `Session`, as far as it is needed here."""

    @property
    def scheduler(self) -> abc.SchedulerBase: ...

    def spawn(self, job: Callable[[], Awaitable[object]]) -> abc.DisposableBase: ...


def host_of(session: Host | None) -> Host:
    """The session that was passed, or the one whose block the caller is in.

    Raises: RuntimeError: there is none; TypeError: it is something else.
    """
    host = session if session is not None else RUNTIME.get()
    if host is None:
        raise RuntimeError(
            "this needs a session to run in: call it inside `with rxstream.Session():` or "
            "`async with rxstream.Session():`, or pass session=, as in a request handler of a web server"
        )
    if not hasattr(host, "spawn"):
        raise TypeError(f"expected a Session in session=, got {type(host).__name__}")
    return host


def checked_id(stream_id: str) -> str:
    """Raises: TypeError, ValueError: not an id of a stream."""
    if not isinstance(stream_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"expected the id of a stream as a str, got {type(stream_id).__name__}")
    if not stream_id or len(stream_id.encode("utf-8", "replace")) > _LONGEST_ID:
        raise ValueError(
            f"expected an id of 1 to {_LONGEST_ID} bytes, got {len(stream_id)} characters: use one that cannot be "
            "guessed, such as uuid.uuid4().hex"
        )
    return stream_id


_LONGEST_ID = 200
