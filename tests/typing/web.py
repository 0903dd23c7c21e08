"""What a format makes of a chain, and what an answer takes."""

from typing import Any, assert_type

from ag_ui.core import BaseEvent
from reactivex import Observable

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.sse import Frame
from rxstream.tools import RunStreamEvent
from rxstream.web import (
    AgUiRequest,
    EventStream,
    EventStreamResponse,
    from_ag_ui,
    from_ui_messages,
    to_ag_ui,
    to_sse,
    to_ui_messages,
)


def formats(events: Observable[StreamingEvent]) -> None:
    assert_type(events.pipe(to_sse()), Observable[Frame])
    assert_type(events.pipe(to_ui_messages()), Observable[dict[str, Any]])
    assert_type(events.pipe(to_ag_ui("thread", "run")), Observable[BaseEvent])
    assert_type(events.pipe(rxs.normalize(), to_sse(after=3)), Observable[Frame])
    assert_type(to_sse().encode(Frame()), bytes)


def answers(run: Observable[RunStreamEvent]) -> None:
    assert_type(run.pipe(to_ui_messages()), Observable[dict[str, Any]])
    assert_type(EventStreamResponse(run, to_ui_messages()), EventStreamResponse)
    assert_type(EventStream(run, to_sse(), heartbeat=None), EventStream)


def requests(body: bytes) -> None:
    assert_type(from_ui_messages(body), list[dict[str, Any]])
    assert_type(from_ag_ui(body), AgUiRequest)
