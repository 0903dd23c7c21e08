"""What a function returns is its result or its progress, however the function itself is made."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio.lowlevel
import pytest
import reactivex
from reactivex import Observable

from rxstream.errors import ToolError
from rxstream.testing import answers
from rxstream.tools import Context, CustomTool, Tool, ToolProgressEvent
from tests.operators.test_run_tools import calls, of_type, outputs, run
from tests.session._modes import modes, nothing_left_behind
from tests.tools import _items as items


def generator(text: str) -> Iterator[str]:
    yield from text


async def async_generator(text: str) -> AsyncIterator[str]:
    for letter in text:
        await anyio.lowlevel.checkpoint()
        yield letter


def observable(text: str) -> Observable[str]:
    return reactivex.of(*text)


KINDS = (generator, async_generator, observable)


def plain(make: Callable[[str], Any]) -> Callable[[str], Any]:
    def spell(text: str) -> Any:
        return make(text)

    return spell


def of_coroutine(make: Callable[[str], Any]) -> Callable[[str], Any]:
    async def spell(text: str) -> Any:
        await anyio.lowlevel.checkpoint()
        return make(text)

    return spell


def of_plain_function_that_returns_a_coroutine(make: Callable[[str], Any]) -> Callable[[str], Any]:
    def spell(text: str) -> Awaitable[Any]:
        return of_coroutine(make)(text)

    return spell


def of_coroutine_that_returns_an_awaitable(make: Callable[[str], Any]) -> Callable[[str], Any]:
    async def spell(text: str) -> Awaitable[Any]:
        return of_coroutine(make)(text)

    return spell


def of_partial(make: Callable[[str], Any]) -> Callable[[str], Any]:
    async def spell(prefix: str, text: str) -> Any:
        return make(prefix + text)

    return functools.partial(spell, "")


def of_object(make: Callable[[str], Any]) -> Callable[[str], Any]:
    class Spell:
        def __call__(self, text: str) -> Any:
            return make(text)

    return Spell()


def of_async_object(make: Callable[[str], Any]) -> Callable[[str], Any]:
    class Spell:
        async def __call__(self, text: str) -> Any:
            return make(text)

    return Spell()


def of_method(make: Callable[[str], Any]) -> Callable[[str], Any]:
    class Speller:
        async def spell(self, text: str) -> Any:
            return make(text)

    return Speller().spell


def of_partial_of_object(make: Callable[[str], Any]) -> Callable[[str], Any]:
    return functools.partial(of_async_object(make))


SHAPES = (
    plain,
    of_coroutine,
    of_plain_function_that_returns_a_coroutine,
    of_coroutine_that_returns_an_awaitable,
    of_partial,
    of_object,
    of_async_object,
    of_method,
    of_partial_of_object,
)


def progress_of(tool: Tool[..., Any], mode: str = "with") -> tuple[list[Any], list[Any]]:
    """The progress of its call with the text "abc", and the outputs."""
    with nothing_left_behind():
        heard, requests = run(mode, [calls("spell", text="abc"), "Done."], [tool])
    assert heard.completed()
    return [event.progress for event in of_type(heard, ToolProgressEvent)], outputs(requests[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_are_progress_whatever_returns_them(kind: Callable[[str], Any], shape: Callable[..., Any]) -> None:
    assert progress_of(Tool(shape(kind), name="spell")) == ([*"abc"], ["c"])


@modes
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_in_every_session(mode: str, kind: Callable[[str], Any]) -> None:
    assert progress_of(Tool(of_coroutine(kind), name="spell"), mode) == ([*"abc"], ["c"])


@pytest.mark.parametrize("shape", SHAPES)
def test_an_awaitable_is_awaited_to_its_end(shape: Callable[..., Any]) -> None:
    assert progress_of(Tool(shape(of_coroutine(str.upper)), name="spell")) == ([], ["ABC"])


def test_a_custom_tool_too() -> None:
    item = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "spell", "input": "abc"}
    script = [answers.events(items.response_of(item)), "Done."]
    heard, _ = run("with", script, [CustomTool(of_coroutine(generator), name="spell")])
    assert [event.progress for event in of_type(heard, ToolProgressEvent)] == [*"abc"]


def test_a_generator_of_an_async_function_does_not_hold_the_loop() -> None:
    loop: list[int] = []
    threads: list[int] = []

    def wait_in_thread() -> Iterator[int]:
        threads.append(threading.get_ident())
        yield 1

    async def spell(text: str) -> Iterator[int]:
        loop.append(threading.get_ident())
        return wait_in_thread()

    assert progress_of(Tool(spell, strict=True)) == ([1], ["1"])
    assert loop != threads


def test_a_generator_of_an_async_function_that_raises_is_told_to_the_model() -> None:
    def half() -> Iterator[str]:
        yield "half"
        raise ToolError("no more")

    async def spell(text: str, context: Context[Any]) -> Iterator[str]:
        context.emit("begin")
        return half()

    progress, told = progress_of(Tool(spell))
    assert progress == ["begin", "half"]
    assert told == ["Error: no more"]


def test_a_generator_of_an_async_function_ends_with_its_time_out() -> None:
    closed = threading.Event()
    blocked = threading.Event()

    def slow() -> Iterator[str]:
        try:
            yield "begun"
            blocked.wait(10)
            yield "late"
            yield "later"
        finally:
            closed.set()

    async def spell(text: str) -> Iterator[str]:
        return slow()

    heard, requests = run("with", [calls("spell", text="abc"), "Done."], [Tool(spell, timeout=0.2)])
    blocked.set()
    assert closed.wait(10)
    assert [event.progress for event in of_type(heard, ToolProgressEvent)] == ["begun"]
    assert outputs(requests[1]) == ["Error: spell() took longer than 0.2 s"]


def test_an_approval_of_an_async_function_may_be_an_observable() -> None:
    async def approve(call: Any) -> Observable[bool]:
        return reactivex.of(True, False)

    tool = Tool(plain(str.upper), name="spell", needs_approval=True)
    heard, requests = run("with", [calls("spell", text="abc"), "Done."], [tool], approve=approve)
    assert heard.completed()
    assert outputs(requests[1]) == ["ABC"]
