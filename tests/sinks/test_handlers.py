"""Handlers: functions for kinds of events, plain and async."""

import threading
from contextvars import copy_context

import anyio
import anyio.lowlevel
import pytest

import rxstream
from rxstream.errors import ResponseFailedError
from rxstream.events import Event, ResponseCompletedEvent, ResponseOutputTextDeltaEvent, ResponseOutputTextDoneEvent
from rxstream.rx._context import FLOW
from rxstream.testing import answers
from rxstream.transport import MemoryTransport
from tests.operators._wires import EndlessTransport, FakeFlow, Source, spoken
from tests.waiting import BOUND, settled, until

DELTA = "response.output_text.delta"


@pytest.fixture
def handlers() -> rxstream.Handlers:
    return rxstream.Handlers()


def run(handlers: rxstream.Handlers, transport=None) -> None:
    with rxstream.Session(transport=transport or spoken("a", "b", "c")) as session:
        session.response(model="m").subscribe(handlers)


def events(*words: str) -> list[Event]:
    got: list[Event] = []
    with rxstream.Session(transport=spoken(*words)) as session:
        session.response(model="m").subscribe(got.append)
    return got


# ---------------------------------------------------------------------- which function is called


def test_a_function_gets_the_events_of_its_class(handlers):
    got = []
    handlers.on(ResponseOutputTextDeltaEvent)(lambda event: got.append(event.delta))
    run(handlers)
    assert got == ["a", "b", "c"]


def test_a_function_gets_the_events_of_its_type(handlers):
    got = []
    handlers.on(DELTA)(got.append)
    handlers.on("response.completed")(got.append)
    run(handlers)
    assert [type(event) for event in got] == [ResponseOutputTextDeltaEvent] * 3 + [ResponseCompletedEvent]


def test_a_base_class_takes_all_that_are_of_it_and_a_star_takes_everything(handlers):
    by_class, by_star = [], []
    handlers.on(Event)(by_class.append)
    handlers.on("*")(by_star.append)
    run(handlers)
    assert by_class == by_star
    assert len(by_star) > 6


def test_functions_are_called_in_the_order_in_which_they_were_added(handlers):
    calls = []
    handlers.on("*")(lambda event: calls.append("first"))
    handlers.on(ResponseOutputTextDoneEvent)(lambda event: calls.append("second"))
    handlers.on("response.output_text.done")(lambda event: calls.append("third"))
    handlers.on_next(next(event for event in events("a") if isinstance(event, ResponseOutputTextDoneEvent)))
    assert calls == ["first", "second", "third"]


def test_a_function_may_be_added_while_events_come(handlers):
    got = []

    @handlers.on("response.created")
    def begin(event):
        handlers.on(DELTA)(got.append)

    run(handlers)
    assert len(got) == 3


def test_decorating_leaves_the_function_as_it_is(handlers):
    def function(event):
        return 1

    assert handlers.on("*")(function) is function
    assert handlers.on_error(function) is function
    assert handlers.on_completed(function) is function


@pytest.mark.parametrize("kind", [int, 3, None, ResponseFailedError])
def test_what_is_no_kind_of_event_is_refused(handlers, kind):
    with pytest.raises(TypeError, match="class of events"):
        handlers.on(kind)


# ---------------------------------------------------------------------- how it ends


def test_success_is_told_after_the_last_event(handlers):
    calls = []
    handlers.on("response.completed")(lambda event: calls.append("completed"))
    handlers.on_completed(lambda: calls.append("success"))
    handlers.on_error(calls.append)
    run(handlers)
    assert calls == ["completed", "success"]


def test_failure_is_told_with_the_error(handlers):
    errors = []
    handlers.on_completed(lambda: errors.append("success"))
    handlers.on_error(errors.append)
    run(handlers, MemoryTransport(b"".join(answers.failed().all_frames())))
    assert [type(error) for error in errors] == [ResponseFailedError]


def test_a_failure_that_nobody_takes_is_raised_from_leaving_the_session(handlers):
    with pytest.raises(ResponseFailedError):
        run(handlers, MemoryTransport(b"".join(answers.failed().all_frames())))


def test_a_function_that_raises_ends_the_stream(handlers):
    errors, transport = [], EndlessTransport()

    @handlers.on(DELTA)
    def show(event):
        raise ValueError("show")

    handlers.on_error(errors.append)
    run(handlers, transport)
    assert [str(error) for error in errors] == ["show"]
    assert (transport.read, transport.open_wires) == (1, 0)


def test_without_on_error_it_is_raised_from_leaving_the_session(handlers):
    handlers.on(DELTA)(lambda event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(handlers, EndlessTransport())


@pytest.mark.parametrize("when", ["on_error", "on_completed"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_what_raises_at_the_end_is_raised_from_leaving_the_session(handlers, when, kind):
    def plain(*error):
        raise LookupError("at the end")

    async def coroutine(*error):
        await anyio.lowlevel.checkpoint()
        raise LookupError("at the end")

    getattr(handlers, when)(plain if kind == "plain" else coroutine)
    answer = answers.failed().all_frames() if when == "on_error" else None
    with pytest.raises(LookupError, match="at the end"):
        run(handlers, MemoryTransport(b"".join(answer)) if answer else None)


# ---------------------------------------------------------------------- async functions


@pytest.mark.anyio
async def test_the_next_event_waits_for_an_async_function(handlers):
    calls = []

    @handlers.on(DELTA)
    async def slow(event):
        calls.append(f"begin {event.delta}")
        await settled()
        calls.append(f"end {event.delta}")

    handlers.on(DELTA)(lambda event: calls.append(f"then {event.delta}"))
    handlers.on_completed(lambda: calls.append("success"))
    async with rxstream.Session(transport=spoken("a", "b")) as session:
        session.response(model="m").subscribe(handlers)
    assert calls == ["begin a", "end a", "then a", "begin b", "end b", "then b", "success"]


@pytest.mark.anyio
async def test_the_stream_is_not_read_meanwhile(handlers):
    transport, door = EndlessTransport(), anyio.Event()
    begun = []

    @handlers.on(DELTA)
    async def wait(event):
        begun.append(event)
        await door.wait()

    async with rxstream.Session(transport=transport) as session:
        subscription = session.response(model="m").subscribe(handlers)
        await until(lambda: begun)
        await settled()
        assert transport.read == len(begun) == 1
        subscription.dispose()
        door.set()


@pytest.mark.anyio
async def test_several_functions_for_one_event_some_of_them_async(handlers):
    calls = []

    def add(name: str, wait: bool):
        async def coroutine(event):
            await anyio.lowlevel.checkpoint()
            calls.append(name)

        handlers.on("response.completed")(coroutine if wait else lambda event: calls.append(name))

    for name, wait in [("1", False), ("2", True), ("3", False), ("4", True)]:
        add(name, wait)
    async with rxstream.Session(transport=spoken("a")) as session:
        session.response(model="m").subscribe(handlers)
    assert calls == ["1", "2", "3", "4"]


@pytest.mark.anyio
@pytest.mark.parametrize("last", [False, True])
async def test_an_async_function_that_raises_ends_the_stream_before_the_next_event(handlers, last: bool):
    errors, seen, transport = [], [], EndlessTransport() if not last else spoken("a")

    @handlers.on("response.completed" if last else DELTA)
    async def fail(event):
        seen.append(event)
        await anyio.lowlevel.checkpoint()
        raise ValueError("async")

    handlers.on("*")(lambda event: errors.append("after") if seen else None)
    handlers.on_error(errors.append)
    handlers.on_completed(lambda: errors.append("success"))
    async with rxstream.Session(transport=transport) as session:
        session.response(model="m").subscribe(handlers)
    assert [str(error) for error in errors] == ["async"]
    assert len(seen) == 1
    assert transport.open_wires == 0


@pytest.mark.anyio
async def test_without_on_error_an_async_error_is_raised_from_leaving_the_session(handlers):
    @handlers.on(DELTA)
    async def fail(event):
        raise ValueError("async")

    with pytest.raises(ValueError, match="async"):
        async with rxstream.Session(transport=EndlessTransport()) as session:
            session.response(model="m").subscribe(handlers)


@pytest.mark.anyio
async def test_one_object_observes_many_streams_and_none_waits_for_another(handlers):
    door, begun, ended = anyio.Event(), [], []

    @handlers.on("response.created")
    async def wait(event):
        begun.append(event)
        if len(begun) == 1:
            await door.wait()

    @handlers.on("response.completed")
    async def end(event):
        ended.append(event)

    async with rxstream.Session(transport=spoken("a")) as session:
        session.response(model="m").subscribe(handlers)
        await until(lambda: begun)
        session.response(model="m").subscribe(handlers)
        await until(lambda: len(ended) == 1)
        door.set()
    assert len(ended) == 2


def test_async_functions_in_a_sync_session(handlers):
    got, threads = [], set()

    @handlers.on(DELTA)
    async def save(event):
        await anyio.lowlevel.checkpoint()
        got.append(event.delta)
        threads.add(threading.current_thread().name)

    run(handlers)
    assert got == ["a", "b", "c"]
    assert threads == {"rxstream"}


def test_an_async_function_without_a_session_is_an_error(handlers):
    async def save(event):
        raise AssertionError

    handlers.on("*")(save)
    with pytest.raises(RuntimeError, match="needs a session"):
        handlers.on_next(events("a")[0])


@pytest.mark.anyio
async def test_leaving_the_session_by_an_exception_cancels_an_async_function(handlers):
    cancelled, begun = [], []

    @handlers.on(DELTA)
    async def wait(event):
        begun.append(event)
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(event)

    handlers.on_error(lambda error: None)
    with pytest.raises(KeyError):
        async with rxstream.Session(transport=EndlessTransport()) as session:
            session.response(model="m").subscribe(handlers)
            await until(lambda: begun)
            raise KeyError
    assert len(cancelled) == 1


# ---------------------------------------------------------------------- other people's Observables


@pytest.mark.anyio
async def test_events_of_a_foreign_source_wait_in_order(handlers):
    calls, source, door = [], Source(), anyio.Event()

    @handlers.on(DELTA)
    async def slow(event):
        await door.wait()
        calls.append(event.delta)

    handlers.on_completed(lambda: calls.append("success"))
    deltas = [event for event in events("a", "b", "c") if isinstance(event, ResponseOutputTextDeltaEvent)]
    async with rxstream.Session(transport=spoken()):
        source.subscribe(handlers)
        source.emit(*deltas)
        source.complete()
        await settled()
        assert calls == []
        door.set()
    assert calls == ["a", "b", "c", "success"]


@pytest.mark.anyio
async def test_an_async_error_on_a_foreign_source_goes_to_on_error(handlers):
    errors, source = [], Source()

    @handlers.on("*")
    async def fail(event):
        raise ValueError("async")

    handlers.on_error(errors.append)
    async with rxstream.Session(transport=spoken()):
        source.subscribe(handlers)
        source.emit(events("a")[0])
        await until(lambda: errors)
    assert [str(error) for error in errors] == ["async"]


@pytest.mark.anyio
async def test_without_on_error_it_is_raised_from_leaving_the_session_too(handlers):
    source = Source()

    @handlers.on("*")
    async def fail(event):
        raise ValueError("async")

    with pytest.raises(ValueError, match="async"):
        async with rxstream.Session(transport=spoken()):
            source.subscribe(handlers)
            source.emit(events("a")[0])


def test_two_threads_may_emit_at_once(handlers):
    calls = []

    @handlers.on("*")
    async def count(event):
        await anyio.lowlevel.checkpoint()
        calls.append(event)

    event = events("a")[0]
    sources = [Source(), Source()]
    with rxstream.Session(transport=spoken()):
        for source in sources:
            source.subscribe(handlers)
        threads = [
            threading.Thread(target=copy_context().run, args=(source.emit, *[event] * 200)) for source in sources
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(BOUND)
            assert not thread.is_alive()
    assert len(calls) == 400


@pytest.mark.anyio
async def test_each_pause_is_taken_back(handlers):
    fake_flow, source, done = FakeFlow(), Source(), []

    @handlers.on(DELTA)
    async def slow(event):
        await anyio.lowlevel.checkpoint()
        done.append(event)

    deltas = [event for event in events("a", "b") if isinstance(event, ResponseOutputTextDeltaEvent)]
    async with rxstream.Session(transport=spoken()):
        source.subscribe(handlers)
        token = FLOW.set(fake_flow)
        source.emit(*deltas)
        FLOW.reset(token)
        assert fake_flow.pauses == 1
        await until(lambda: fake_flow.pauses == 0)
    assert len(done) == 2
