"""The rxstream command: demo, stream, record, replay, inspect. No logic of its own, only the library's."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rxstream.cli._arguments import parse
from rxstream.cli._terminal import safe_terminal

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code.

    0: it did what was asked. 1: it failed, with one line on stderr that says why. 2: the arguments are wrong.
    130: Ctrl-C. 141: nobody reads its output any more.
    """
    with safe_terminal(sys.stdout, sys.stderr):
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: Sequence[str]) -> int:
    asked = parse(arguments)
    try:
        code: int = asked.run(asked)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # or Python complains about stdout on its way out
        return 141
    except Exception as error:  # the last door: whatever it is, one clear line and no traceback
        from rxstream.cli._output import complain

        complain(error)
        return 1
    return code
