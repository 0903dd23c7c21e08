"""Errors for calls that would block an event loop."""

from rxstream.rx._context import RUNTIME, Runtime
from rxstream.rx._loops import loop_runs_here


def forbid_after_fork(runtime: Runtime) -> None:
    """Raise RuntimeError in a process that was forked off inside the session: what it waits for would never come."""
    if runtime.was_forked():
        raise RuntimeError(
            "this Session belongs to another process, and fork() took neither its thread nor its loop along: "
            "open a Session in this process"
        )


def forbid_on_session_loop(instead: str) -> None:
    """Raise RuntimeError on the thread of the session's loop, which must not wait for itself.

    `instead` is the code that works on such a thread.
    """
    runtime = RUNTIME.get()
    if runtime is None:
        return
    forbid_after_fork(runtime)
    if runtime.on_loop_thread():
        raise RuntimeError(f"waiting here would block the session's event loop: write {instead}")


def forbid_on_any_loop(instead: str) -> None:
    """Raise on the thread of the session's loop. Without a session, raise on the thread of any event loop."""
    forbid_on_session_loop(instead)
    if RUNTIME.get() is None and loop_runs_here():
        raise RuntimeError(f"waiting here would block the event loop of this thread: write {instead}")
