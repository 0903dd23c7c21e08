r"""Stdout and stderr, as every command prints on them.

Control characters of a model or a server never reach a terminal: they could write to its clipboard or hide text. There
each is shown as an escape, such as `\x1b`; newline and tab stay. Where stdout is a file or a pipe, text passes as it
came, because a program wants the answer and no picture of it; `ls` and `curl` do the same. Stderr is for people,
wherever it goes, and JSON has escapes of its own: both are the same everywhere.

A character that the encoding of stdout or stderr lacks is an escape too, such as `\xe9`. So no answer is lost to it.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from typing import TYPE_CHECKING, TextIO

from rxstream.errors._redaction import CONTROL, visible

if TYPE_CHECKING:
    from rxstream.timeline._layout import StyledLine

_NOT_ASCII = re.compile("[^\x00-\x7f]")
_DIM, _NORMAL = "\x1b[2m", "\x1b[0m"


class StdoutError(Exception):
    """Stdout cannot be written to."""

    def __init__(self, reason: str, *, reader_left: bool = False) -> None:
        super().__init__(f"stdout cannot be written: {reason}")
        self.reader_left = reader_left
        """Whether the reader of the pipe has closed it."""


@contextmanager
def standard_streams() -> Generator[None]:
    """All that is printed inside is safe for the terminal and fits the encoding.

    Writing to stdout raises StdoutError where it fails. Where stderr fails, what is printed there is dropped.
    """
    _occupy()
    # redirect_* want a whole file; print, argparse, warnings and logging use less of it
    out: TextIO = _Stdout(sys.stdout)  # type: ignore[assignment]  # not a whole file
    err: TextIO = _Stderr(sys.stderr)  # type: ignore[assignment]  # not a whole file
    with redirect_stdout(out), redirect_stderr(err):
        yield


def require_stdout() -> None:
    """Raises: StdoutError if the command was started with stdout closed (`>&-`)."""
    if isinstance(sys.stdout, _Stdout) and sys.stdout.is_missing:
        raise StdoutError("it is closed; nothing was sent or read")


def print_dim(text: str, *, end: str = "\n") -> None:
    """Print on stderr, dimmed if that is a terminal with colors."""
    if isinstance(sys.stderr, _Stderr):
        sys.stderr.write_dim(text)
        print(end=end, file=sys.stderr, flush=True)
    else:
        print(text, end=end, file=sys.stderr, flush=True)


def write_controls(text: str) -> bool:
    """Write a text of our own with escape sequences on stderr. False where stderr is not a terminal that has them."""
    if not isinstance(sys.stderr, _Stderr) or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return False
    sys.stderr.write_safe(text)
    sys.stderr.flush()
    return True


def ask_on_terminal(question: str) -> str | None:
    """The line with which a person answers; None if there is no terminal. Keys pressed before do not count.

    It is the terminal of the process, wherever stdin and stderr go: a prompt may come from a pipe.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0))
    except OSError:
        if sys.platform != "win32" or sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
            return None
        print(question, end="", file=sys.stderr, flush=True)
        return sys.stdin.readline()
    try:
        with suppress(ImportError):
            import termios

            termios.tcflush(terminal, termios.TCIFLUSH)
        _write_all(terminal, visible(question).encode("utf-8", "backslashreplace"))
        return os.read(terminal, 1024).decode("utf-8", "replace")
    except OSError:  # it was hung up
        return None
    finally:
        os.close(terminal)


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def print_styled(lines: Sequence[StyledLine]) -> None:
    """Print lines on stdout; in colors on a terminal, if `rich` is installed and `NO_COLOR` is not set."""
    if not fits_encoding("├─█●…"):
        from rxstream.timeline._layout import as_ascii

        lines = as_ascii(lines)
    if isinstance(sys.stdout, _Stdout) and sys.stdout.isatty() and not _is_plain():
        try:
            from rxstream.cli._rich import in_colors
        except ImportError:  # the extra `cli` is not installed
            pass
        else:
            sys.stdout.write_safe(in_colors(lines))
            return
    for line in lines:
        print("".join(run.text for run in line).rstrip())


def draws_markdown() -> bool:
    """Whether stdout is a terminal, on which Markdown can be drawn. Raises: ImportError: `rich` is not installed."""
    import_module("rxstream.cli._rich")
    return isinstance(sys.stdout, _Stdout) and sys.stdout.isatty()


def print_markdown(block: str) -> None:
    """Print a block of Markdown on stdout as it looks. Only where `draws_markdown`."""
    from rxstream.cli._rich import in_markdown

    assert isinstance(sys.stdout, _Stdout)
    sys.stdout.write_safe(in_markdown(block, width=screen_width(), colors=not _is_plain()) + "\n")
    sys.stdout.flush()


def screen_width() -> int:
    """The columns of the terminal, or of `COLUMNS`; 100 for a file or a pipe."""
    return max(40, shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else _columns_set())


def _columns_set() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isascii() and columns.isdigit() and columns != "0" else 100


def _is_plain() -> bool:
    """https://no-color.org"""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def fits_encoding(text: str) -> bool:
    """Whether the encoding of stdout has all characters of the text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def share_one_screen() -> bool:
    """Whether stdout and stderr are the same terminal, or the same file (`2>&1`)."""
    try:
        return os.path.sameopenfile(sys.stdout.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return sys.stdout.isatty() and sys.stderr.isatty()


def visible_json(text: str) -> str:
    """The same JSON, with the escapes of JSON. JSON is UTF-8: in another encoding all but ASCII is an escape."""
    text = CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    if codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8":
        text = _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text


def _occupy() -> None:
    """Open the null device where stdin, stdout or stderr is closed: no socket and no tape must get its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _encodable(text: str, file: TextIO) -> str:
    encoding = getattr(file, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class _Stream:
    """The part of a text file that printing needs. `file` is None where it was closed before the program began."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file
        self._is_terminal = file is not None and file.isatty()

    @property
    def is_missing(self) -> bool:
        return self._file is None

    @property
    def encoding(self) -> str | None:
        return getattr(self._file, "encoding", None)

    def isatty(self) -> bool:
        return self._is_terminal

    def fileno(self) -> int:
        if self._file is None:
            raise OSError("closed")
        return self._file.fileno()

    def _write(self, text: str) -> None:
        if self._file is not None:
            self._file.write(_encodable(text, self._file))

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()

    def _abandon(self) -> None:
        """Let the rest go to the null device. Python writes it at its exit, and would fail once more."""
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)


class _Stdout(_Stream):
    def write(self, text: str) -> int:
        try:
            self._write(visible(text) if self._is_terminal else text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def write_safe(self, text: str) -> None:
        """Write a text with escape sequences of ours, in which all other text is `visible`."""
        try:
            self._write(text)
        except OSError as error:
            self._fail(error)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._abandon()
        raise StdoutError(error.strerror or str(error), reader_left=isinstance(error, BrokenPipeError)) from error


class _Stderr(_Stream):
    def __init__(self, file: TextIO | None) -> None:
        super().__init__(file)
        self._dims = self._is_terminal and not _is_plain()

    def write(self, text: str) -> int:
        self._try_to_write(visible(text))
        return len(text)

    def write_safe(self, text: str) -> None:
        """Write a text with escape sequences of ours, in which all other text is `visible`."""
        self._try_to_write(text)

    def write_dim(self, text: str) -> None:
        text = visible(text)
        self._try_to_write(f"{_DIM}{text}{_NORMAL}" if self._dims else text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._abandon()

    def _try_to_write(self, text: str) -> None:
        try:
            self._write(text)
        except OSError:
            self._abandon()
