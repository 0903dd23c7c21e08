"""The file of a tape, which one recording at a time writes."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import IO

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # a file system without them


def open_tape(path: str | os.PathLike[str]) -> IO[str]:
    """Open the file of a tape, and leave what is in it. On Windows nothing sees to it that there is one recording.

    Raises: BlockingIOError: another recording, of any process, writes it. OSError: it cannot be written.
    """
    file = open(path, "w", encoding="utf-8", newline="\n", opener=_private)  # noqa: SIM115 (the caller closes it)
    try:
        if _is_regular(file):
            _lock(file)
    except OSError:
        file.close()
        raise
    return file


def empty(file: IO[str]) -> None:
    """Remove what was in the file; a pipe or a terminal has nothing."""
    if _is_regular(file):
        os.ftruncate(file.fileno(), 0)


def _private(path: str, flags: int) -> int:
    """For the owner only, because a tape holds a conversation; not emptied, because another one may be on it."""
    return os.open(path, flags & ~os.O_TRUNC, 0o600)


def _is_regular(file: IO[str]) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another recording writes this tape: name another file", file.name) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
