"""Sessions: requests as Observables, tasks, disposal, endings."""

from rxstream.session._adapters import from_async_iterable, from_iterable, from_openai
from rxstream.session._request import ResponseRequest
from rxstream.session._scheduler import AnyIOScheduler
from rxstream.session._session import Session
from rxstream.session._time_limits import RequestTimeouts

__all__ = [
    "AnyIOScheduler",
    "RequestTimeouts",
    "ResponseRequest",
    "Session",
    "from_async_iterable",
    "from_iterable",
    "from_openai",
]
