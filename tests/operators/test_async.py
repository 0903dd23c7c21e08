"""map_async and for_each_async: order, bounds, ends."""

import anyio
import anyio.lowlevel
import pytest
import reactivex
from reactivex import operators as rx

import rxstream
from rxstream.errors import DisconnectedError, TruncatedError
from rxstream.operators import for_each_async, map_async
from tests.operators._wires import Seen, Source
from tests.operators._work import Work, same, session
from tests.waiting import settled, until

pytestmark = pytest.mark.anyio


async def test_results_come_in_the_order_of_the_values():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=3)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: work.running == [1, 2, 3])
        work.finish(2, 3)
        await until(lambda: work.running == [1])
        assert seen.values == []
        work.finish(1)
        await until(lambda: len(seen.values) == 3)
        source.complete()
    assert seen.values == ["<1>", "<2>", "<3>"]
    assert seen.completed


async def test_unordered_results_come_as_they_are_there():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=3, ordered=False)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: len(work.running) == 3)
        for value in (3, 1, 2):
            work.finish(value)
            await until(lambda value=value: f"<{value}>" in seen.values)
        source.complete()
    assert seen.values == ["<3>", "<1>", "<2>"]
    assert seen.completed


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("most", [1, 2, 5])
async def test_no_more_run_than_may(most: int, ordered: bool):
    running = peak = 0

    async def fn(value: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(2 + value % 3):
            await anyio.lowlevel.checkpoint()
        running -= 1
        return value

    async with session():
        got = await rxstream.result(reactivex.from_iterable(range(40)).pipe(map_async(fn, most, ordered), rx.to_list()))
    assert peak == most
    assert (got if ordered else sorted(got)) == list(range(40))


async def test_a_value_done_but_not_yet_its_turn_is_in_flight():
    work, source = Work(), Source()
    async with session():
        subscription = source.pipe(map_async(work, max_in_flight=2)).subscribe()
        source.emit(1, 2, 3)
        await until(lambda: work.begun == [1, 2])
        work.finish(2)
        await until(lambda: work.running == [1])
        await settled()
        assert work.begun == [1, 2]
        work.finish(1)
        await until(lambda: work.begun == [1, 2, 3])
        subscription.dispose()


async def test_it_completes_when_what_is_in_flight_is_done():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work)).subscribe(seen)
        source.emit(1)
        source.complete()
        await until(lambda: work.running == [1])
        assert not seen.completed
        work.finish(1)
    assert seen.values == ["<1>"]
    assert seen.completed


async def test_an_empty_source_completes():
    seen = Seen()
    async with session():
        reactivex.empty().pipe(map_async(Work())).subscribe(seen)
        assert seen.completed


async def test_what_fn_raises_cancels_the_others_and_leaves_the_source():
    work, source, seen = Work(), Source(), Seen()
    work.error = ValueError("no")
    async with session():
        source.pipe(map_async(work, max_in_flight=3)).subscribe(seen)
        source.emit(1, 2, 3, 4)
        await until(lambda: len(work.running) == 3)
        work.finish(2)
        await until(lambda: seen.over)
        assert source.observers == []
    assert seen.error is work.error
    assert seen.values == []
    assert work.cancelled == [1, 3]
    assert work.begun == [1, 2, 3]


async def test_fn_may_raise_before_its_first_await():
    seen = Seen()

    def fn(value: int):
        raise LookupError(value)

    async with session():
        reactivex.of(1, 2).pipe(map_async(fn)).subscribe(seen)
    assert isinstance(seen.error, LookupError)


async def test_a_function_that_is_not_async_is_an_error():
    seen = Seen()
    async with session():
        reactivex.of(1).pipe(map_async(lambda value: value)).subscribe(seen)
    assert isinstance(seen.error, TypeError)


async def test_results_that_are_there_come_before_the_error():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work, max_in_flight=2)).subscribe(seen)
        source.emit(1, 2)
        await until(lambda: len(work.running) == 2)
        work.finish(1)
        await until(lambda: seen.values == ["<1>"])
        work.error = ValueError()
        work.finish(2)
    assert seen.values == ["<1>"]
    assert seen.error is work.error


async def test_an_error_of_the_source_cancels_what_is_in_flight():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(map_async(work)).subscribe(seen)
        source.emit(1)
        await until(lambda: work.running == [1])
        source.fail(error := TruncatedError("cut"))
        assert seen.error is error
    assert work.cancelled == [1]


async def test_dispose_reaches_the_coroutines():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        subscription = source.pipe(map_async(work, max_in_flight=2)).subscribe(seen)
        source.emit(1, 2, 3)
        await until(lambda: len(work.running) == 2)
        subscription.dispose()
        assert source.observers == []
    assert work.cancelled == [1, 2]
    assert work.begun == [1, 2]
    assert not seen.over
    assert seen.values == []


async def test_an_observer_may_dispose_in_on_next():
    seen = Seen()

    async with session():
        reactivex.from_iterable(range(10)).pipe(map_async(same, 4), rx.take(3)).subscribe(seen)
    assert seen.values == [0, 1, 2]
    assert seen.completed


async def test_what_fn_raises_while_it_is_being_disposed_is_not_lost():
    async def fn(value: int) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            begun.append(value)
            raise ValueError("in the cleanup")

    begun: list[int] = []
    source = Source()
    with pytest.raises(ValueError, match="in the cleanup"):
        async with session():
            subscription = source.pipe(map_async(fn)).subscribe()
            source.emit(1)
            await settled()
            subscription.dispose()
    assert begun == [1]


async def test_a_second_failure_is_noted_on_the_first():
    seen, source = Seen(), Source()

    async def fn(value: int) -> None:
        if value == 2:
            raise ValueError("first")
        try:
            await anyio.sleep_forever()
        finally:
            raise LookupError("second")

    async with session():
        source.pipe(map_async(fn, 2)).subscribe(seen)
        source.emit(1)
        await settled()
        source.emit(2)
    assert isinstance(seen.error, ValueError)
    assert seen.error.__notes__ == ["and then: LookupError: second"]


async def test_an_observer_that_raises_ends_it():
    source, errors = Source(), []

    def on_next(value: int) -> None:
        raise ValueError(value)

    async with session():
        source.pipe(map_async(same)).subscribe(on_next, errors.append)
        source.emit(1, 2)
        await until(lambda: errors)
        assert source.observers == []
    assert [str(error) for error in errors] == ["1"]


async def test_an_error_that_nobody_takes_is_raised_from_leaving_the_session():
    async def fn(value: int) -> int:
        raise ValueError(value)

    with pytest.raises(ValueError, match="1"):
        async with session():
            reactivex.of(1, 2).pipe(map_async(fn)).subscribe()


async def test_leaving_the_session_waits_for_what_is_in_flight():
    done = []

    async def fn(value: int) -> None:
        await anyio.sleep(0.01)
        done.append(value)

    async with session():
        reactivex.of(1, 2, 3).pipe(map_async(fn)).subscribe()
    assert done == [1, 2, 3]


async def test_leaving_the_session_by_an_exception_cancels_and_tells():
    work, seen = Work(), Seen()
    with pytest.raises(KeyError):
        async with session():
            reactivex.of(1).pipe(map_async(work)).subscribe(seen)
            await until(lambda: work.running)
            raise KeyError
    assert work.cancelled == [1]
    assert isinstance(seen.error, DisconnectedError)


async def test_without_a_session_it_says_what_is_missing():
    seen = Seen()
    reactivex.of(1).pipe(map_async(Work())).subscribe(seen)
    assert isinstance(seen.error, RuntimeError)
    assert "rxstream.Session()" in str(seen.error)


async def test_after_the_session_it_says_so():
    source, seen = Source(), Seen()
    async with session():
        source.pipe(map_async(Work())).subscribe(seen)
    source.emit(1)
    assert isinstance(seen.error, RuntimeError)
    assert "Session is not open" in str(seen.error)


async def test_wrong_arguments_raise_at_once():
    with pytest.raises(TypeError, match="async function"):
        map_async(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="async function"):
        for_each_async(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_in_flight"):
        map_async(Work(), 0)


async def test_subscribers_share_nothing():
    first, second = Seen(), Seen()

    async def fn(value: int) -> int:
        return -value

    async with session():
        chain = reactivex.of(1, 2).pipe(map_async(fn))
        chain.subscribe(first)
        chain.subscribe(second)
    assert first.values == second.values == [-1, -2]


async def test_for_each_async_passes_each_value_on_when_fn_has_returned():
    work, source, seen = Work(), Source(), Seen()
    async with session():
        source.pipe(for_each_async(work)).subscribe(seen)
        source.emit(1, 2)
        await until(lambda: work.running == [1])
        assert seen.values == []
        work.finish(1)
        await until(lambda: work.running == [2])
        assert seen.values == [1]
        work.finish(2)
        source.complete()
    assert seen.values == [1, 2]
