"""Whether a failed request may be sent again, and after how long.

The rules are those of the official clients (openai-python 3.54, `_base_client.py`): `x-should-retry` decides if it is
sent; else connection errors, 408, 409, 429 and 5xx are tried again. The wait is the server's `retry-after`, if that is
more than 0 and at most two minutes; else min(0.5 · 2ⁿ, 8) seconds, less up to a quarter at random, so that clients do
not retry at the same moment.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rxstream.errors import RxStreamError, StatusError, TransportError

_STATUSES = frozenset((408, 409, 429))
_LONGEST_RETRY_AFTER = 120.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """`max_retries` further tries; `jitter()` gives a number in [0, 1)."""

    max_retries: int
    jitter: Callable[[], float]
    first: float = 0.5
    longest: float = 8.0

    def delay(self, error: RxStreamError, tries: int) -> float | None:
        """Seconds to wait before the next request, after `tries` have failed; None for no further request."""
        if tries > self.max_retries or not _transient(error):
            return None
        retry_after = error.retry_after if isinstance(error, StatusError) else None
        if retry_after is not None and retry_after > 0:  # 0 and a time in the past name no wait
            return retry_after if retry_after <= _LONGEST_RETRY_AFTER else None
        return min(self.first * 2 ** (tries - 1), self.longest) * (1 - 0.25 * self.jitter())


def _transient(error: RxStreamError) -> bool:
    if not isinstance(error, TransportError):
        return False
    if error.should_retry is not None:
        return error.should_retry
    return not isinstance(error, StatusError) or error.status in _STATUSES or error.status >= 500
