"""The rxstream command: demo, stream, record, replay, inspect. It only calls the library."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rxstream.cli._arguments import parse
from rxstream.cli._terminal import safe_terminal

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    0: success. 1: an error, with one line on stderr. 2: wrong arguments. 130: Ctrl-C. 141: stdout was closed.
    """
    with safe_terminal(sys.stdout, sys.stderr):
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # else Python writes an error about stdout at its exit
        return 141
    except Exception as error:  # any error is one line, without a traceback
        from rxstream.cli._output import print_error

        print_error(error)
        return 1
    return code
