"""From an Observable to your program: loops, results, handlers."""

from rxstream.sinks._buffer import Overflow
from rxstream.sinks._handlers import Handlers
from rxstream.sinks._iterate import Iteration, iterate
from rxstream.sinks._result import Result, result

__all__ = ["Handlers", "Iteration", "Overflow", "Result", "iterate", "result"]
