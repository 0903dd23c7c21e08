"""A subscriber that is slower than the tools: who waits, what is kept, and that the order of the events stays."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio.lowlevel
import pytest
import reactivex
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.rx._run_flow import RunFlow
from rxstream.testing import LocalServer, answers
from rxstream.tools import Context, ToolFinishedEvent, ToolProgressEvent, tool
from tests.session._modes import Heard, in_session, modes, nothing_left_behind, options_for
from tests.waiting import until

VALUES = 400
BUFFER = 4


class Produced:
    """Counts what tools have produced."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> int:
        self.count += 1
        return self.count

    def tools(self) -> dict[str, Any]:
        async def asynchronous(x: int) -> AsyncIterator[int]:
            for _ in range(VALUES):
                yield self.next()

        def plain(x: int) -> Iterator[int]:
            for _ in range(VALUES):
                yield self.next()

        def emits(x: int, context: Context) -> int:
            for _ in range(VALUES):
                context.emit(self.next())
            return self.count

        return {each.__name__: each for each in (asynchronous, plain, emits)}


def a_run(session: rxstream.Session, tools: list[Any], **options: Any) -> Observable[Any]:
    def ask(conversation: list[Any] | str) -> Observable[Any]:
        return session.response(model="m", input=conversation, tools=tools)

    return ask("Q").pipe(rxs.run_tools(tools, ask, input="Q", **options))


def script(name: str) -> list[Any]:
    return [answers.function_calls([(name, {"x": 1}, "c")]), "Done."]


@pytest.mark.parametrize("kind", ["asynchronous", "plain", "emits"])
@pytest.mark.parametrize("mode", ["with", "asyncio", "trio"])
def test_a_fast_tool_waits_for_a_slow_loop(mode: str, kind: str) -> None:
    produced = Produced()
    made = produced.tools()[kind]
    consumed = 0
    ahead: list[int] = []

    def note(event: Any) -> None:
        nonlocal consumed
        if isinstance(event, ToolProgressEvent):
            consumed += 1
            ahead.append(produced.count - consumed)

    with LocalServer(script(kind)) as server:  # trio keeps its worker threads for a while
        if mode == "with":
            with rxstream.Session(**options_for(server)) as session:
                for event in rxstream.iterate(a_run(session, [made]), buffer=BUFFER):
                    note(event)
        else:

            async def main() -> None:
                async with rxstream.Session(**options_for(server)) as session:
                    async for event in rxstream.iterate(a_run(session, [made]), buffer=BUFFER):
                        note(event)
                        for _ in range(5):
                            await anyio.lowlevel.checkpoint()

            anyio.run(main, backend=mode)
    assert consumed == VALUES
    assert max(ahead) <= BUFFER + 8


@modes
def test_async_handlers_get_the_events_of_turns_and_tools_one_after_the_other(mode: str) -> None:
    seen: list[str] = []
    running = 0
    most = 0

    @tool(pure=True)
    async def look(x: int) -> AsyncIterator[int]:
        for number in range(5):
            yield number

    handlers = rxstream.Handlers()

    @handlers.on("*")
    async def each(event: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.lowlevel.checkpoint()
        seen.append(event.type)
        running -= 1

    plain = Heard()
    for observer in (handlers, plain):
        with LocalServer(script("look")) as server:

            def body(session: rxstream.Session, observer: Any = observer) -> None:
                if observer is plain:
                    plain.subscribe(a_run(session, [look]))
                else:
                    a_run(session, [look]).subscribe(observer)

            in_session(mode, body, **options_for(server))
    assert most == 1
    assert sorted(seen) == sorted(plain.types)
    assert seen[0] == "rxstream.turn.started"
    assert seen[-1] == "rxstream.run.finished"
    turns = [number for number, kind in enumerate(seen) if kind == "rxstream.turn.started"]
    assert seen.index("rxstream.tool.finished") < turns[1]


@modes
def test_an_async_handler_that_raises_at_an_event_of_a_tool_ends_the_run(mode: str) -> None:
    errors: list[Exception] = []
    handlers = rxstream.Handlers()

    @handlers.on(ToolFinishedEvent)
    async def fail(event: ToolFinishedEvent) -> None:
        raise LookupError("mine")

    handlers.on_error(errors.append)

    def look(x: int) -> int:
        return x

    with LocalServer(script("look")) as server:
        in_session(mode, lambda session: a_run(session, [look]).subscribe(handlers), **options_for(server))
    (error,) = errors
    assert isinstance(error, LookupError)


def test_leaving_a_loop_ends_a_tool_that_waits() -> None:
    produced = Produced()
    for made in produced.tools().values():
        with (
            LocalServer(script(made.__name__)) as server,
            nothing_left_behind(),
            rxstream.Session(**options_for(server)) as session,
        ):
            for event in rxstream.iterate(a_run(session, [made]), buffer=BUFFER):
                if isinstance(event, ToolProgressEvent):
                    break


class Stream:
    """A `Flow` that counts its pauses."""

    def __init__(self) -> None:
        self.pauses = 0

    def pause(self) -> None:
        self.pauses += 1

    def resume(self) -> None:
        self.pauses -= 1

    def abort(self, error: Exception) -> None:
        raise NotImplementedError


def test_a_pause_outlives_the_stream() -> None:
    first, second = Stream(), Stream()
    errors: list[Exception] = []
    flow = RunFlow(errors.append)
    flow.pause()
    flow.use(first)
    flow.pause()
    assert first.pauses == 2
    flow.use(second)
    assert (first.pauses, second.pauses) == (0, 2)
    flow.resume()
    assert second.pauses == 1
    flow.close()
    flow.pause()
    flow.resume()
    assert second.pauses == 0
    error = LookupError()
    flow.abort(error)
    assert errors == [error]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_all_that_wait_go_on(backend: str) -> None:
    async def main() -> None:
        flow = RunFlow(lambda error: None)
        gone_on: list[int] = []

        async def wait(number: int) -> None:
            await flow.wait()
            gone_on.append(number)

        async with anyio.create_task_group() as group:
            flow.pause()
            for number in range(3):
                group.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()
            assert not gone_on
            flow.resume()
            await until(lambda: len(gone_on) == 3)
            flow.pause()
            group.start_soon(wait, 3)
            await anyio.wait_all_tasks_blocked()
            flow.close()
        assert sorted(gone_on) == [0, 1, 2, 3]

    anyio.run(main, backend=backend)


def test_reactivex_is_not_paused() -> None:
    """Without a session there is nothing to pause."""
    heard = Heard()
    source = reactivex.from_iterable(answers.events_of(answers.text("Hi")))
    heard.subscribe(source.pipe(rxs.run_tools([], lambda _: reactivex.never())))
    assert heard.completed()
