"""The shorter way of a core, `quick`: `lift` emits with it what the core emits by `feed` alone."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import reactivex as rx
from reactivex import Subject
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.response._annotations import Annotations
from rxstream.response._final import Cost, FinalResponse, RequireCompleted
from rxstream.response._part_texts import TextOnly
from rxstream.response._responses import NOTED_EVENTS
from rxstream.response._segments import Segments
from rxstream.response.calls._function_calls import FunctionCalls, FunctionCallsSoFar
from rxstream.response.calls._tool_calls import ToolCalls
from rxstream.response.decoding._normalize import Normalize
from rxstream.response.history._snapshot import Snapshots
from rxstream.response.history._well_formed import WellFormed
from rxstream.segmentation._words import Words
from rxstream.testing import answers
from rxstream.testing.marbles._trial import plain


class Halves:
    """Takes even numbers by `quick`, which is replaced when a 9 has come."""

    def __init__(self) -> None:
        self.fed: list[int] = []
        self.quick: Callable[[int], Iterable[str] | None] = self.half

    def half(self, value: int) -> Iterable[str] | None:
        return (f"{value // 2}",) if value % 2 == 0 else None

    def feed(self, value: int) -> Iterable[str]:
        self.fed.append(value)
        if value == 9:
            self.quick = lambda _: None
        if value < 0:
            raise ValueError(value)
        return (f"{value}/2",)

    def finish(self) -> Iterable[str]:
        return (f"fed {self.fed}",)


def test_feed_gets_what_quick_leaves() -> None:
    values = rx.of(1, 4, 3, 9, 6).pipe(rxs.lift(Halves), ops.to_list()).run()
    assert values == ["1/2", "2", "3/2", "9/2", "6/2", "fed [1, 3, 9, 6]"]


def test_nothing_is_emitted_after_an_error_of_feed() -> None:
    source: Subject[int] = Subject()
    seen: list[object] = []
    source.pipe(rxs.lift(Halves)).subscribe(seen.append, seen.append)
    for value in (1, -1, 4, 5):
        source.on_next(value)
    assert [str(value) for value in seen] == ["1/2", "-1"]


def test_none_from_a_core_without_quick_is_an_error() -> None:
    class Forgetful:
        calls = 0

        def feed(self, value: int) -> Any:
            Forgetful.calls += 1

        def finish(self) -> Iterable[int]:
            return ()

    errors: list[Exception] = []
    rx.of(1).pipe(rxs.lift(Forgetful)).subscribe(on_error=errors.append)
    assert "return () for none" in str(errors[0])
    assert Forgetful.calls == 1


STREAMS = {
    "two texts at once": answers.together(
        answers.text("One two. Three.", split=2), answers.text("Four five.", split=2), interleaved=True
    ),
    "calls": answers.function_calls([("look", {"city": "Oslo"}, "call_1"), ("look", {"city": "Rome"}, "call_2")]),
    "reasoning": answers.reasoning_summary("Because it is so.", then="It is.", split=3),
    "cut": answers.incomplete("One two thr", split=2),
}
CORES: dict[str, Callable[[], Any]] = {
    "text_only": TextOnly,
    "words": lambda: Segments(Words),
    "annotations": Annotations,
    "snapshots": Snapshots,
    "final_response": FinalResponse,
    "usage": Cost,
    "require_completed": RequireCompleted,
    "well_formed": lambda: WellFormed("cut"),
    "accumulate_function_args": FunctionCalls,
    "accumulate_function_args(partial=True)": FunctionCallsSoFar,
    "tool_calls": ToolCalls,
    "normalize": Normalize,
}


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("name", CORES)
def test_a_core_emits_the_same_by_quick(name: str, stream: str) -> None:
    events = events_of(STREAMS[stream])
    by_feed, by_quick = CORES[name](), CORES[name]()
    for event in (*events[:-3], *events[2:]):
        expected = outcome(by_feed.feed, event)
        outputs = by_quick.quick(event)
        if outputs is None:
            assert outcome(by_quick.feed, event) == expected
        else:
            assert type(event) not in NOTED_EVENTS or name == "normalize"
            assert plain(list(outputs)) == expected


def events_of(answer: answers.Answer) -> list[StreamingEvent]:
    return rx.of(b"".join(answer.all_frames())).pipe(rxs.decode_events(), ops.to_list()).run()


def outcome(feed: Callable[[StreamingEvent], Iterable[Any]], event: StreamingEvent) -> object:
    try:
        return plain(list(feed(event)))
    except Exception as error:
        return repr(error)


def test_quick_takes_no_delta_whose_number_is_not_the_next() -> None:
    events = events_of(answers.text([f"{number} " for number in range(6)]))
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    core = Normalize()
    for event in events[: events.index(deltas[1])]:
        core.feed(event)
    assert core.quick(deltas[1]) == (deltas[1],)
    assert core.quick(deltas[3]) is None
    assert list(core.feed(deltas[3])) == [deltas[3]]
    assert core.quick(deltas[3]) is None
    assert list(core.feed(deltas[3])) == []
