"""What one request, and all of them together, may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """The limits of a gateway."""

    body_bytes: int = 64 * 1024 * 1024
    """Of the body of a request; beyond it the answer is 413. Images in the input make it large."""
    header_bytes: int = 32 * 1024
    """Of all names and values of its headers, and of its path and query; beyond it 431."""
    open_streams: int = 1000
    """Streams that run or are sent at a time, also those whose client has gone; beyond it 429."""

    def __post_init__(self) -> None:
        for name in ("body_bytes", "header_bytes", "open_streams"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected 1 or more as {name}, got {getattr(self, name)}")


class Slot:
    """One of the open streams: from its request until what was kept of it is released."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._uses = 0

    def __enter__(self) -> Self:
        self._count(1)
        self._release = self.keep()
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def keep(self) -> Callable[[], None]:
        """Keep it until the function that is returned was called."""
        self._uses += 1
        is_kept = True

        def release() -> None:
            nonlocal is_kept
            if is_kept:
                is_kept = False
                self._uses -= 1
                if not self._uses:
                    self._count(-1)

        return release
