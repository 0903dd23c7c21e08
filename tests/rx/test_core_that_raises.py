"""A core that raises ends the stream once, also where the source cannot be stopped and its end raises too."""

from collections.abc import Iterable, Iterator

import pytest
import reactivex
from reactivex.scheduler import ImmediateScheduler

from rxstream import operators as rxs


class Raises:
    def feed(self, value: int) -> Iterable[int]:
        raise ValueError(value)

    def finish(self) -> Iterable[int]:
        raise ValueError("finish")


class RaisesLater(Raises):
    def feed(self, value: int) -> Iterator[int]:
        yield value
        raise ValueError(value)


@pytest.mark.parametrize(("core", "seen"), [(Raises, []), (RaisesLater, [1])])
def test_the_observer_gets_the_first_error_and_subscribe_raises_nothing(core: type[Raises], seen: list[int]) -> None:
    values: list[int] = []
    errors: list[Exception] = []
    source = reactivex.from_iterable([1, 2, 3], scheduler=ImmediateScheduler())
    source.pipe(rxs.lift(core)).subscribe(values.append, errors.append)
    assert values == seen
    assert [str(error) for error in errors] == ["1"]
