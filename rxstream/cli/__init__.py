"""The rxstream command: demo, stream, record, replay, inspect, serve, completion. It only calls the library."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence

from rxstream.cli._arguments import parse
from rxstream.cli._terminal import StdoutError, require_stdout, standard_streams

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    0: success. 1: an error, with one line on stderr. 2: wrong arguments; nothing was sent. 130: Ctrl-C. 141: the reader
    of stdout closed it.
    """
    with standard_streams():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    code: int
    try:
        try:
            options = parse(arguments)
            if options.command not in ("record", "serve"):  # their answers go elsewhere
                require_stdout()
            code = options.run(options)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except Exception as error:  # any error is one line, without a traceback
        if isinstance(error, StdoutError) and error.reader_left:
            return 141
        from rxstream.cli._output import print_error

        print_error(error)
        return 2 if isinstance(error, ArgumentTypeError) else 1
    return code
