"""Plain functions in worker threads."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread

_T = TypeVar("_T")
_Args = TypeVarTuple("_Args")


async def run_in_thread(function: Callable[[Unpack[_Args]], _T], *args: *_Args, abandon_on_cancel: bool = False) -> _T:
    """Call a function in a thread that it need not wait for.

    anyio lends 40 threads to all that runs in the process, and web frameworks run handlers in them. The callers of this
    have a limit of their own.
    """
    limiter = anyio.CapacityLimiter(1)
    return await anyio.to_thread.run_sync(function, *args, abandon_on_cancel=abandon_on_cancel, limiter=limiter)
