"""What the probes of this process count: streams, and the stages of each.

`operators.probe(name)` stands in a chain; `snapshot()` reads all of them.
"""

from rxstream.probes._counts import StageSnapshot, StageState
from rxstream.probes._registry import StreamSnapshot, clear, snapshot

__all__ = ["StageSnapshot", "StageState", "StreamSnapshot", "clear", "snapshot"]
