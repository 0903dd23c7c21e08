"""shared(overflow=…): a subscriber that is slow costs the others nothing, and gets what its policy promises."""

import threading
from typing import Any

import anyio
import pytest
from reactivex import operators as rx

import rxstream
from rxstream import operators as rxs
from rxstream.errors import BufferOverflowError, TruncatedError
from rxstream.operators import map_async, shared
from rxstream.rx._context import FLOW, Flow
from rxstream.testing import LocalServer, answers
from rxstream.timing._overflow import Overflow
from tests.operators._wires import EndlessTransport, FakeFlow, Seen, Source
from tests.waiting import BOUND, settled, until

POLICIES: list[Overflow] = ["error", "drop_oldest", "conflate"]
own_pace = pytest.mark.parametrize("overflow", POLICIES)


class Slow(Seen):
    """Pauses the stream at its first value, and later when it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.flow: Flow | None = None
        self.pause_at_next = True

    def on_next(self, value: Any) -> None:
        super().on_next(value)
        if self.pause_at_next:
            self.pause_at_next = False
            flow = FLOW.get()
            assert flow is not None
            assert self.flow in (None, flow)
            self.flow = flow
            flow.pause()

    def resume(self) -> None:
        assert self.flow is not None
        self.flow.resume()


class Pair:
    """A source with a slow subscriber and a fast one."""

    def __init__(self, overflow: Overflow, buffer: int = 3) -> None:
        self.source, self.slow, self.fast, self.wire = Source(), Slow(), Seen(), FakeFlow()
        self.stream = self.source.pipe(shared(overflow=overflow, buffer=buffer))
        self.subscription = self.stream.subscribe(self.slow)
        self.stream.subscribe(self.fast)

    def emit(self, *values: Any) -> None:
        token = FLOW.set(self.wire)
        try:
            self.source.emit(*values)
        finally:
            FLOW.reset(token)


@own_pace
def test_a_slow_one_pauses_neither_the_source_nor_the_others(overflow: Overflow):
    pair = Pair(overflow)
    pair.emit("a", "b", "c", "d")
    assert pair.slow.values == ["a"]
    assert pair.fast.values == ["a", "b", "c", "d"]
    assert pair.wire.paused_in_all == 0
    pair.slow.resume()
    assert pair.slow.values == ["a", "b", "c", "d"]
    pair.emit("e")
    assert pair.slow.values[-1] == "e"


def test_pause_makes_all_wait():
    pair = Pair("pause")
    pair.emit("a")
    assert pair.wire.pauses == 1
    pair.slow.resume()
    assert pair.wire.pauses == 0


@pytest.mark.parametrize(
    ("overflow", "gets"), [("error", "bcd"), ("drop_oldest", "def"), ("conflate", ["bcdef"])], ids=POLICIES
)
def test_one_that_is_too_slow_gets_what_its_policy_says(overflow: Overflow, gets: Any):
    pair = Pair(overflow)
    pair.emit("a", "b", "c", "d", "e", "f")
    pair.slow.resume()
    assert pair.slow.values == ["a", *gets]
    assert isinstance(pair.slow.error, BufferOverflowError) is (overflow == "error")
    pair.emit("g")
    assert (pair.slow.values[-1] == "g") is (overflow != "error")
    pair.source.complete()
    assert pair.fast.values == list("abcdefg")
    assert pair.fast.completed


@own_pace
@pytest.mark.parametrize("error", [None, TruncatedError("cut")])
def test_an_end_comes_after_what_waits(overflow: Overflow, error: Exception | None):
    pair = Pair(overflow)
    pair.emit("a", "b", "c")
    if error is None:
        pair.source.complete()
    else:
        pair.source.fail(error)
    assert pair.fast.over
    assert not pair.slow.over
    pair.slow.resume()
    assert pair.slow.values == ["a", "b", "c"]
    assert pair.slow.completed is (error is None)
    assert pair.slow.error is error


@own_pace
def test_a_pause_while_it_catches_up_stops_it_again(overflow: Overflow):
    pair = Pair(overflow)
    pair.emit("a", "b", "c")
    pair.slow.pause_at_next = True
    pair.slow.resume()
    assert pair.slow.values == ["a", "b"]
    pair.slow.resume()
    assert pair.slow.values == ["a", "b", "c"]


@own_pace
def test_two_pauses_need_two_resumes_and_further_ones_do_nothing(overflow: Overflow):
    pair = Pair(overflow)
    pair.emit("a", "b")
    assert pair.slow.flow is not None
    pair.slow.flow.pause()
    pair.slow.resume()
    assert pair.slow.values == ["a"]
    for _ in range(3):
        pair.slow.resume()
    assert pair.slow.values == ["a", "b"]
    pair.slow.flow.pause()
    pair.emit("c")
    assert pair.slow.values == ["a", "b"]


@own_pace
def test_one_that_disposes_while_it_is_paused_gets_nothing_more(overflow: Overflow):
    pair = Pair(overflow)
    pair.emit("a", "b")
    pair.subscription.dispose()
    pair.slow.resume()
    pair.emit("c")
    pair.source.complete()
    assert pair.slow.values == ["a"]
    assert not pair.slow.over
    assert pair.fast.values == ["a", "b", "c"]


@own_pace
def test_one_that_disposes_as_it_catches_up_gets_nothing_more(overflow: Overflow):
    source, values, flows = Source(), list[Any](), list[Any]()
    subscription: Any = None

    def on_next(value: Any) -> None:
        values.append(value)
        if value == 1:
            flows.append(FLOW.get())
            flows[0].pause()
        if value == 2:
            subscription.dispose()

    subscription = source.pipe(shared(overflow=overflow)).subscribe(on_next)
    source.emit(1, 2, 3)
    flows[0].resume()
    assert values == [1, 2]
    assert source.observers == []


@own_pace
def test_what_a_late_one_missed_does_not_count_however_slow_it_is(overflow: Overflow):
    pair, late = Pair(overflow), Slow()
    pair.emit("a", 1, "b", "c", "d", "e")
    pair.stream.subscribe(late)
    pair.emit("f")
    assert late.values == ["a"]
    late.resume()
    assert late.values == ["a", 1, "b", "c", "d", "e", "f"]


@own_pace
def test_a_late_one_after_the_end_reads_at_its_own_pace_too(overflow: Overflow):
    pair, late = Pair(overflow), Slow()
    pair.emit(*"abcdef")
    pair.source.complete()
    pair.stream.subscribe(late)
    assert late.values == ["a"]
    late.resume()
    assert late.values == list("abcdef")
    assert late.completed


@own_pace
def test_one_that_raises_when_it_is_resumed_is_alone_with_its_error(overflow: Overflow):
    source, other, errors, flows = Source(), Seen(), list[Exception](), list[Any]()

    def on_next(value: Any) -> None:
        if value == 2:
            raise ValueError("observer")
        flows.append(FLOW.get())
        flows[0].pause()

    stream = source.pipe(shared(overflow=overflow))
    stream.subscribe(on_next, errors.append)
    stream.subscribe(other)
    source.emit(1, 2)
    flows[0].resume()
    source.emit(3)
    assert [str(error) for error in errors] == ["observer"]
    assert other.values == [1, 2, 3]


@own_pace
def test_ones_that_raise_without_a_function_for_errors_are_raised_when_all_were_notified(overflow: Overflow):
    source, other = Source(), Seen()
    stream = source.pipe(shared(overflow=overflow))
    stream.subscribe(lambda _: 1 / 0)
    stream.subscribe(other)
    with pytest.raises(ZeroDivisionError):
        source.emit(1)
    stream.subscribe(lambda _: None)
    with pytest.raises(TruncatedError):
        source.fail(TruncatedError("cut"))
    assert other.values == [1]
    assert isinstance(other.error, TruncatedError)


@own_pace
def test_one_that_aborts_ends_alone(overflow: Overflow):
    source, other, errors, flows = Source(), Seen(), list[Exception](), list[Any]()
    stream = source.pipe(shared(overflow=overflow))
    stream.subscribe(lambda _: flows.append(FLOW.get()), errors.append)
    stream.subscribe(other)
    source.emit(1)
    flows[0].abort(ValueError("later"))
    source.emit(2)
    assert [str(error) for error in errors] == ["later"]
    assert other.values == [1, 2]


@own_pace
def test_a_source_that_emits_in_a_notification_keeps_the_order(overflow: Overflow):
    source, first, second = Source(), Seen(), Seen()
    stream = source.pipe(shared(overflow=overflow))

    def on_next(value: int) -> None:
        first.on_next(value)
        if value == 1:
            source.emit(2)
            source.complete()

    stream.subscribe(on_next, first.on_error, first.on_completed)
    stream.subscribe(second)
    source.emit(1)
    assert first.values == second.values == [1, 2]
    assert first.completed
    assert second.completed


@own_pace
def test_another_thread_resumes_it(overflow: Overflow):
    pair = Pair(overflow)
    pair.emit("a", "b")
    thread = threading.Thread(target=pair.slow.resume)
    thread.start()
    thread.join(BOUND)
    pair.emit("c")
    assert pair.slow.values == ["a", "b", "c"]


def test_the_source_does_not_wait_for_one_that_blocks_another_thread():
    pair = Pair("conflate")
    begun, go_on = threading.Event(), threading.Event()
    on_next = pair.slow.on_next

    def block(value: Any) -> None:
        if value == "b":
            begun.set()
            assert go_on.wait(BOUND)
        on_next(value)

    pair.subscription.dispose()
    pair.stream.subscribe(block, pair.slow.on_error, pair.slow.on_completed)
    pair.emit("a", "b")
    thread = threading.Thread(target=pair.slow.resume)
    thread.start()
    assert begun.wait(BOUND)
    pair.emit("c")
    pair.source.complete()
    assert pair.fast.values == ["a", "b", "c"]
    assert pair.fast.completed
    go_on.set()
    thread.join(BOUND)
    assert pair.slow.values == ["a", "b", "c"]
    assert pair.slow.completed


def test_wrong_values():
    with pytest.raises(ValueError, match="buffer must be 1 or more"):
        shared(buffer=0)
    with pytest.raises(ValueError, match="overflow must be"):
        shared(overflow="drop")  # type: ignore[arg-type]  # a mistake


# ---------------------------------------------------------------------- with a session


@pytest.mark.anyio
@own_pace
async def test_a_coroutine_that_hangs_stops_no_one_else(overflow: Overflow):
    transport, gate, calls, seen = EndlessTransport(), anyio.Event(), list[Any](), list[Any]()

    async def hang(event: object) -> None:
        calls.append(event)
        await gate.wait()

    async with rxstream.Session(transport=transport) as session:
        stream = session.response(model="m").pipe(shared(overflow=overflow, buffer=2))
        subscriptions = [stream.subscribe(seen.append), stream.pipe(map_async(hang)).subscribe(None, calls.append)]
        await until(lambda: len(seen) > 100)
        assert len(calls) == 1
        gate.set()
        # The error comes after the events that were kept.
        await until(lambda: len(calls) > 2 and (overflow != "error" or isinstance(calls[-1], Exception)))
        for subscription in subscriptions:
            subscription.dispose()
    assert isinstance(calls[-1], BufferOverflowError) is (overflow == "error")


TEXT = "".join(f"word{number} " for number in range(300))


@pytest.mark.anyio
async def test_loops_of_different_speed_over_one_request():
    texts = dict.fromkeys(("fast", "slow", "late"), "")

    with LocalServer([answers.text(TEXT, split=4)]) as server, anyio.fail_after(BOUND):
        async with rxstream.Session("k", base_url=server.base_url) as session:
            stream = session.response(model="m").pipe(shared(overflow="conflate", buffer=4), rxs.text_only())

            async def read(name: str) -> None:
                async for text in rxstream.iterate(stream, buffer=4):
                    texts[name] += text
                    if name == "slow":
                        await settled()

            async with anyio.create_task_group() as group:
                group.start_soon(read, "fast")
                group.start_soon(read, "slow")
            await read("late")
        assert len(server.log) == 1
    assert set(texts.values()) == {TEXT}


@own_pace
def test_a_loop_of_another_thread_is_fed_on_the_thread_of_the_session(overflow: Overflow):
    threads = set[int]()
    note = rx.do_action(lambda _: threads.add(threading.get_ident()))
    with (
        LocalServer([answers.text(TEXT, split=4)]) as server,
        rxstream.Session("k", base_url=server.base_url) as session,
    ):
        stream = session.response(model="m").pipe(shared(overflow=overflow, buffer=10_000), rxs.text_only(), note)
        assert "".join(rxstream.iterate(stream, buffer=2)) == TEXT
    assert len(threads) == 1
    assert threading.get_ident() not in threads


@pytest.mark.anyio
async def test_the_session_waits_for_a_slow_handler_and_its_end():
    handlers, calls = rxstream.Handlers(), list[str]()

    @handlers.on("*")
    async def slow(event: Any) -> None:
        await settled()
        calls.append(event.type)

    handlers.on_completed(lambda: calls.append("completed"))
    with LocalServer(["Hello there."]) as server, anyio.fail_after(BOUND):
        async with rxstream.Session("k", base_url=server.base_url) as session:
            stream = session.response(model="m").pipe(shared(overflow="error"))
            stream.subscribe(handlers)
    assert calls == [*(event.type for event in answers.events_of(answers.text("Hello there."))), "completed"]
