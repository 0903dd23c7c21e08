"""Whether a failed request may be sent again, and after how long.

The rules are those of the official clients (openai-python 3.54, `_base_client.py`): `x-should-retry` decides if it is
sent; else connection errors, 408, 409, 429 and 5xx are tried again. The wait is the server's `retry-after`, if that is
more than 0 and at most two minutes; else min(0.5 · 2ⁿ, 8) seconds, less up to a quarter at random, so that clients do
not retry at the same moment.

An error that the API reports in a stream counts like the status that it stands for: a rate limit like 429, an
overloaded or broken server like 503. Its wait is the one that its message names.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rxstream.errors import (
    ApiError,
    ResponseCancelledError,
    ResponseFailedError,
    RxStreamError,
    StatusError,
    TransportError,
)

_STATUSES = frozenset((408, 409, 429))
_CODES = frozenset(
    (
        *("rate_limit_exceeded", "rate_limit_error", "rate_limit", "too_many_requests"),
        *("overloaded", "overloaded_error", "server_overloaded", "server_is_overloaded", "slow_down"),
        *("server_error", "internal_error", "internal_server_error", "service_unavailable", "api_error"),
    )
)
"""Codes of errors in a stream that pass. The API's own are `rate_limit_exceeded`, `server_error`, `slow_down` and
`server_is_overloaded`; the others come from servers that pass on the errors of another API."""

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
        if tries > self.max_retries or not is_transient(error):
            return None
        retry_after = error.retry_after if isinstance(error, (StatusError, *_IN_STREAM)) else None
        if retry_after is not None and retry_after > 0:  # 0 and a time in the past name no wait
            return retry_after if retry_after <= _LONGEST_RETRY_AFTER else None
        return self.wait(tries)

    def wait(self, tries: int) -> float:
        """Seconds to wait after `tries` have failed, where the server names no wait."""
        return min(self.first * 2 ** min(tries - 1, 32), self.longest) * (1 - 0.25 * self.jitter())


def is_transient(error: RxStreamError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, _IN_STREAM):
        return _passes(error)
    if not isinstance(error, TransportError):
        return False
    if error.should_retry is not None:
        return error.should_retry
    return not isinstance(error, StatusError) or _is_transient_status(error.status)


def _passes(error: ApiError | ResponseFailedError) -> bool:
    if isinstance(error, ResponseCancelledError):
        return False
    if not error.code:
        return error.retry_after is not None
    if error.code.isdecimal() and len(error.code) == 3:  # the status of HTTP, as some servers send it
        return _is_transient_status(int(error.code))
    return error.code in _CODES


def _is_transient_status(status: int) -> bool:
    return status in _STATUSES or status >= 500
