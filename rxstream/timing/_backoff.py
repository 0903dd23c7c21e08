"""Whether a failed request may be sent again, and after how long.

`error.retryable` decides which are: connection errors, 408, 409, 429 and 5xx, unless the server's `x-should-retry` says
otherwise. The wait is the server's `retry-after`, if that is more than 0 and at most two minutes; else
min(0.5 · 2ⁿ, 8) seconds, less up to a quarter at random, so that clients do not retry at the same moment
(openai-python 3.54, `_base_client.py`).

An error that the API reports in a stream counts like the status that it stands for: a rate limit like 429, an
overloaded or broken server like 503. Its wait is the one that its message names.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rxstream.errors import ApiError, ResponseFailedError, RxStreamError, StatusError

_LONGEST_RETRY_AFTER = 120.0
_IN_STREAM = (ApiError, ResponseFailedError)


@dataclass(frozen=True, slots=True)
class Backoff:
    """`max_retries` further tries; `jitter()` gives a number in [0, 1)."""

    max_retries: int
    jitter: Callable[[], float]
    first: float = 0.5
    longest: float = 8.0

    def delay(self, error: RxStreamError, tries: int) -> float | None:
        """Seconds to wait before the next request, after `tries` have failed; None for no further request."""
        if tries > self.max_retries or not error.retryable:
            return None
        retry_after = error.retry_after if isinstance(error, (StatusError, *_IN_STREAM)) else None
        if retry_after is not None and retry_after > 0:  # 0 and a time in the past name no wait
            return retry_after if retry_after <= _LONGEST_RETRY_AFTER else None
        return self.wait(tries)

    def wait(self, tries: int) -> float:
        """Seconds to wait after `tries` have failed, where the server names no wait."""
        return min(self.first * 2 ** min(tries - 1, 32), self.longest) * (1 - 0.25 * self.jitter())
