"""What one request, and all of them together, may take."""

from __future__ import annotations

from dataclasses import dataclass


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
