"""Async work whose end the test decides."""

import anyio
import anyio.lowlevel

import rxstream
from tests.operators._wires import spoken


class Work:
    """An async function whose calls end when the test says so. Trio begins tasks in no certain order."""

    def __init__(self) -> None:
        self.doors: dict[object, anyio.Event] = {}
        self.running: list[object] = []
        self.begun: list[object] = []
        self.cancelled: list[object] = []
        self.most = 0
        self.error: Exception | None = None

    async def __call__(self, value: object) -> object:
        self.doors[value] = anyio.Event()
        self.begun = sorted([*self.begun, value])
        self.running = sorted([*self.running, value])
        self.most = max(self.most, len(self.running))
        try:
            await self.doors[value].wait()
        except BaseException:
            self.cancelled = sorted([*self.cancelled, value])
            raise
        finally:
            self.running.remove(value)
        if self.error is not None:
            raise self.error
        return f"<{value}>"

    def finish(self, *values: object) -> None:
        for value in values:
            self.doors[value].set()


async def same(value: object) -> object:
    return value


def session() -> rxstream.Session:
    return rxstream.Session(transport=spoken("a", "b"))
