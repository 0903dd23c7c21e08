"""The context variables by which operators and sinks reach the session, without importing it.

* `RUNTIME`, set while a session is entered and inside each of its tasks, lets anything downstream start a coroutine
  or a timer on the session's own loop.
* `CALL_TRACER`, set while a traced run is subscribed to, makes a span of each call of a tool.
* `FLOW`, set inside the task of each stream, lets a bounded sink that is full pause the source that is calling it. It
  works through any synchronous chain of operators, also those of Rx, because an event is delivered in one call stack.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

from reactivex import abc

from rxstream.rx._loops import Caller


class Pull(Protocol):
    """A `for` loop over a stream, which may stop after any step."""

    @property
    def reader(self) -> Caller:
        """The task or thread that took the last step."""
        ...

    def session_left(self) -> None:
        """Dispose the subscription: no step is expected to follow."""
        ...


class Runtime(Protocol):
    """A session's loop, as operators and sinks see it."""

    @property
    def scheduler(self) -> abc.SchedulerBase:
        """An Rx scheduler whose timers fire on the session's loop."""
        ...

    def spawn(self, job: Callable[[], Awaitable[object]]) -> abc.DisposableBase:
        """Run `job` on the session's loop, from any thread. Disposing cancels it.

        The session waits for it when it is left. What `job` raises is raised from leaving the session.
        """
        ...

    def watch(self, pull: Pull) -> None:
        """Close `pull` when the session is left, if its reader leaves the session or has ended.

        No step would follow, and the session would wait without end. `pull` is held by a weak reference.
        """
        ...

    def on_loop_thread(self) -> bool:
        """Whether the caller runs on the session's loop thread, which must not block."""
        ...

    def was_forked(self) -> bool:
        """Whether this process was forked off inside the session, and so has neither its thread nor its loop."""
        ...


class Flow(Protocol):
    """Pauses and ends one running stream. All methods may be called from any thread; pauses are counted."""

    def pause(self) -> None:
        """Stop reading after the notification that is being delivered, until `resume` was called as often."""
        ...

    def resume(self) -> None:
        """Undo one `pause`."""
        ...

    def abort(self, error: Exception) -> None:
        """End the stream as if the observer had raised `error`. For errors after `on_next` has returned."""
        ...


class CallSpan(Protocol):
    """The span of one call of a tool. Ending it a second time has no effect."""

    def end(self, error: BaseException | None = None, *, result: Any = None, disposed: bool = False) -> None:
        """The call has its result, has failed, or was cancelled."""
        ...


class CallTracer(Protocol):
    """Makes spans of calls of tools."""

    def start(self, kind: str, name: str, call_id: str, description: str | None, arguments: Any) -> CallSpan:
        """A call begins to run in this context: its span becomes the current one here."""
        ...


RUNTIME: ContextVar[Runtime | None] = ContextVar("rxstream_runtime", default=None)
FLOW: ContextVar[Flow | None] = ContextVar("rxstream_flow", default=None)
CALL_TRACER: ContextVar[CallTracer | None] = ContextVar("rxstream_call_tracer", default=None)
