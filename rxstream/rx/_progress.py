"""Values of a job that runs on the loop or in a thread, reported on the loop."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

from rxstream.rx._context import Runtime
from rxstream.rx._loops import current_call_soon
from rxstream.rx._run_flow import RunFlow


class Progress:
    """Reports values of one job. Make it on the loop."""

    def __init__(self, report: Callable[[Any], object], runtime: Runtime, flow: RunFlow) -> None:
        self._report = report
        self._runtime = runtime
        self._flow = flow
        self._thread: int | None = None
        """The thread of the job, if it has its own."""
        self._over = False
        try:
            self._call_soon: Callable[[Callable[[], object]], object] | None = current_call_soon()
        except RuntimeError:  # a loop of the app's own
            self._call_soon = None

    def emit(self, value: Any) -> None:
        """Report a value, from any thread. The thread of the job waits while the subscriber asks for a pause."""
        if self._call_soon is None or self._runtime.on_loop_thread():
            self._report(value)
            return
        reported = threading.Event()

        def report() -> None:
            try:
                self._report(value)
            finally:
                reported.set()

        try:
            self._call_soon(report)
        except RuntimeError:  # the loop has ended, and the job with it
            return
        if threading.get_ident() == self._thread:
            self._flow.block(reported)

    def stop(self) -> None:
        """The job is cancelled: a generator in a thread is not asked for further values."""
        self._over = True

    def run_in_thread(self, function: Callable[[], Any]) -> Any:
        """Call a plain function in this thread. A generator's values are reported, and the last one is the result."""
        self._thread = threading.get_ident()
        result = function()
        if not inspect.isgenerator(result):
            return result
        last: Any = None
        for last in result:
            if self._over:
                result.close()
                break
            self.emit(last)
        return last
