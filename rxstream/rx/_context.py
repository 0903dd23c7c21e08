"""What a running stream knows of its surroundings, without importing them.

A `Session` sets these variables and operators and sinks read them, so that neither has to import the other:

* `RUNTIME`, set while a session is entered and inside each of its tasks, lets anything downstream start a coroutine
  or a timer on the session's own loop.
* `FLOW`, set inside the task of each stream, lets a bounded sink that is full ask the very source that is calling it
  to pause. It works through any synchronous chain of operators, foreign ones too, because the notification of an
  event is one call stack.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol

from reactivex import abc

from rxstream.rx._loops import Caller


class Pull(Protocol):
    """A loop that pulls a stream step by step, and so may stop at any of them."""

    @property
    def reader(self) -> Caller:
        """Who took the last step."""
        ...

    def close(self) -> None:
        """Leave the stream: no step will follow."""
        ...


class Runtime(Protocol):
    """A session's loop, as operators and sinks see it."""

    @property
    def scheduler(self) -> abc.SchedulerBase:
        """An Rx scheduler whose timers fire on the session's loop."""
        ...

    def spawn(self, job: Callable[[], Awaitable[None]]) -> abc.DisposableBase:
        """Run `job` on the session's loop, from any thread; disposing cancels it.

        The session waits for it when it is left. What `job` raises is raised from leaving the session.
        """
        ...

    def watch(self, pull: Pull) -> None:
        """Close `pull` when the session is left, if its reader is the one who leaves, or has ended.

        Nobody would take another step, and the session would wait for ever. It is held weakly.
        """
        ...

    def on_loop_thread(self) -> bool:
        """Whether the caller runs on the session's loop thread, which must not block."""
        ...


class Flow(Protocol):
    """The tap of one running stream. All methods may be called from any thread; pauses nest."""

    def pause(self) -> None:
        """Stop reading after the notification that is being delivered, until as many `resume` calls came."""
        ...

    def resume(self) -> None:
        """Take one `pause` back."""
        ...

    def abort(self, error: Exception) -> None:
        """End the stream as if the observer had raised `error`: for what fails after its `on_next` returned."""
        ...


RUNTIME: ContextVar[Runtime | None] = ContextVar("rxstream_runtime", default=None)
FLOW: ContextVar[Flow | None] = ContextVar("rxstream_flow", default=None)
