"""May this thread be blocked?"""

from rxstream.rx._context import RUNTIME
from rxstream.rx._loops import runs_here


def forbid_on_session_loop(instead: str) -> None:
    """Raise where waiting would stop the very loop that is waited for.

    Raises: RuntimeError, which says what to write instead.
    """
    runtime = RUNTIME.get()
    if runtime is not None and runtime.on_loop_thread():
        raise RuntimeError(f"waiting here would block the session's event loop: write {instead}")


def forbid_on_any_loop(instead: str) -> None:
    """The same where it is not known which loop is waited for, and one runs on this thread.

    Raises: RuntimeError, which says what to write instead.
    """
    forbid_on_session_loop(instead)
    if RUNTIME.get() is None and runs_here():
        raise RuntimeError(f"waiting here would block the event loop of this thread: write {instead}")
