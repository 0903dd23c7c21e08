"""Frames become an Observable: sessions, tasks, disposal, endings."""

from rxstream.source._adapters import from_async_iterable, from_iterable, from_openai
from rxstream.source._request import ResponseRequest
from rxstream.source._scheduler import AnyIOScheduler
from rxstream.source._session import Session

__all__ = ["AnyIOScheduler", "ResponseRequest", "Session", "from_async_iterable", "from_iterable", "from_openai"]
