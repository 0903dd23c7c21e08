"""Whether a failed request may be sent again, and after how long.

The rules are those of the official clients (openai-python 3.54, `_base_client.py`): `x-should-retry` decides where it
is given; else connection errors, 408, 409, 429 and 5xx. The wait is what the server names, if that is at most two
minutes; else min(0.5 · 2ⁿ, 8) seconds, shortened by up to a quarter at random so that clients do not march in step.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rxstream.errors import RxStreamError, StatusError, TransportError

_STATUSES = frozenset((408, 409, 429))
_LONGEST_ASKED = 120.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """`max_retries` further tries; `jitter()` gives a number in [0, 1)."""

    max_retries: int
    jitter: Callable[[], float]
    first: float = 0.5
    longest: float = 8.0

    def delay(self, error: RxStreamError, tries: int) -> float | None:
        """Seconds to wait before the next request, after `tries` have failed; None where none may follow."""
        if tries > self.max_retries or not _transient(error):
            return None
        asked = error.retry_after if isinstance(error, StatusError) else None
        if asked is not None and asked >= 0:
            return asked if asked <= _LONGEST_ASKED else None
        return min(self.first * 2 ** (tries - 1), self.longest) * (1 - 0.25 * self.jitter())


def _transient(error: RxStreamError) -> bool:
    if isinstance(error, StatusError):
        if error.should_retry is not None:
            return error.should_retry
        return error.status in _STATUSES or error.status >= 500
    return isinstance(error, TransportError)
