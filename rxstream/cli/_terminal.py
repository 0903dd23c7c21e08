r"""Control characters of a model or a server never reach a terminal: they could write to its clipboard or hide text.

On a terminal each is shown as an escape, such as `\x1b`; newline and tab stay. Where stdout is a file or a pipe, text
passes as it came, because a program wants the answer and no picture of it; `ls` and `curl` do the same. Stderr is for
people, wherever it goes, and JSON has escapes of its own: both are the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

# C0, DEL and C1 without newline and tab; what ends a line or reverses text; halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@contextmanager
def safe_terminal(stdout: TextIO, stderr: TextIO) -> Generator[None]:
    """All that is printed inside is safe for the terminal."""
    # redirect_* want a whole file; print, warnings and logging use write and flush only
    out: TextIO = _Visible(stdout) if stdout.isatty() else stdout  # type: ignore[assignment]  # see above
    err: TextIO = _Visible(stderr)  # type: ignore[assignment]  # see above
    with redirect_stdout(out), redirect_stderr(err):
        yield


def visible(text: str) -> str:
    """`text` with an escape in place of each control character."""
    return _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def visible_json(text: str) -> str:
    """The same JSON, with the escapes of JSON."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class _Visible:
    """A terminal to print on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(visible(text))
        return len(text)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
