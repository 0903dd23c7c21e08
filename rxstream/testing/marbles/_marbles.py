"""Marble pictures that are run: a promise in a docstring, checked against life in virtual time.

    Marbles with coalesce(0.03)::

        source   -C-a-b_-----c-|
        result   -C----ab_---(c,|)

One column is 10 ms; a token's moment is its first column, and its own width passes like any other. `-` nothing
happens · `|` complete · `#` error · `(a,b|)` all at the column of the bracket · `<30s>` or `<500ms>` so much time,
whatever its width · a space sets tokens apart and takes no time. The tokens are those of `_alphabet`: `a` is a
text delta "a", `1:b` one of output index 1, `f:{` function arguments, `_` a space, `C` is response.created.

The rows:

    source      the cold source, of events; or instead  hot  a hot one,  frames  the frames of events,  wire  their
                bytes,  bytes  and  texts  what the tokens themselves say,  values  Python's literals
    result      what comes out: events as their tokens, anything else as its `str()`
    subscribe   `--^-----!` when the result is subscribed and disposed, each before the events of its column; without
                it, from the begin
    upstream    `--^---!` when the source was subscribed and left; one row for each subscription
    x           where `x` stands in the result for an Observable: what that one emitted, on the same clock; where the
                header's call names it: another cold source of events
    where x = "ab ", y = FunctionCall(name="look"), # = TruncatedError
                what names stand for (see `rxstream.testing.marbles._legend`)

A block may say how its operator is made, `Marbles with coalesce(0.03)::`; else it is called without arguments.
"""

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import reactivex
from reactivex import Observable
from reactivex.disposable import SerialDisposable

from rxstream import errors
from rxstream.testing._clock import VirtualClock
from rxstream.testing.marbles._compare import Likeness
from rxstream.testing.marbles._picture import Mark, Picture, Row, draw, pictures_in, read_picture, read_row
from rxstream.testing.marbles._sources import KINDS, Recording, Script, source_of
from rxstream.testing.marbles._trial import Kind, Trial
from rxstream.typing import Operator

_WATCH = 10.0
"""Seconds for which an operator is watched beyond the end of its picture."""


def pictures(docstring: str) -> list[Picture]:
    """The pictures of a docstring, in order. Raises `ValueError` for one that cannot be read."""
    return pictures_in(docstring)


def check_marbles(
    factory: Callable[..., Operator[Any, Any]],
    docstring: str | None = None,
    *,
    names: Mapping[str, object] | None = None,
) -> None:
    """Run every picture of an operator's docstring.

    Args:
        factory: what makes the operator: `words` itself, not `words()`.
        docstring: the text with the pictures; the factory's own if left out.
        names: what else the pictures' calls and legends may name.

    Raises `AssertionError` where a picture lies, or there is none; the text shows what really happened.
    """
    __tracebackhide__ = True
    name = getattr(factory, "__name__", "the operator")
    drawn = pictures(docstring if docstring is not None else factory.__doc__ or "")
    if not drawn:
        raise AssertionError(f"{name} has no picture: its docstring needs a block `Marbles::`")
    for picture in drawn:
        known = {**_names(), name: factory, **(names or {})}
        _check(picture, lambda rows, call=picture.call, known=known: _made(factory, call, {**known, **rows}), known)


def assert_marbles(
    operator: Operator[Any, Any], picture: str | Picture, *, names: Mapping[str, object] | None = None
) -> None:
    '''Run one picture, given as its rows, over an operator.

    assert_marbles(words(), """
        source   -a-b_-c-|
        result   ---ab---(c|)
    """)
    '''
    __tracebackhide__ = True
    read = read_picture(picture) if isinstance(picture, str) else picture
    _check(read, lambda rows: operator, {**_names(), **(names or {})})


def trial_of(
    factory: Callable[..., Operator[Any, Any]],
    *,
    joined: Callable[[Sequence[Any]], object] | None = None,
    names: Mapping[str, object] | None = None,
) -> Trial:
    """The operator as its first picture makes it, fed with what its first picture's source says, for the `LAWS`.

    Other sources that the picture's call names are empty. Without a picture: called without arguments, on events.
    """
    drawn = pictures(factory.__doc__ or "")
    if not drawn:
        return Trial(factory, joined=joined)
    call = drawn[0].call
    label = next((row.label for row in drawn[0].rows if row.label in KINDS), "source")
    others = {row.label: reactivex.empty() for row in drawn[0].rows if row.label in _called(call)}
    known = {**_names(), getattr(factory, "__name__", "operator"): factory, **(names or {}), **others}
    return Trial(lambda: _made(factory, call, known), of=_FEEDS.get(label, "events"), joined=joined)


_FEEDS: dict[str, Kind] = {"frames": "frames", "wire": "bytes", "bytes": "bytes", "texts": "texts"}


def cold(diagram: str, clock: VirtualClock, *, of: str = "source", names: Mapping[str, object] | None = None) -> Script:
    """A cold source that plays a diagram to each subscriber; `.subscriptions` tells who came and went."""
    return source_of(read_row(diagram, of), Picture(()), clock, {**_names(), **(names or {})})


def hot(diagram: str, clock: VirtualClock, *, names: Mapping[str, object] | None = None) -> Script:
    """A hot source that plays a diagram from now, once."""
    return source_of(read_row(diagram, "hot"), Picture(()), clock, {**_names(), **(names or {})})


def _check(
    picture: Picture,
    make: Callable[[Mapping[str, Observable[Any]]], Operator[Any, Any]],
    names: Mapping[str, object],
) -> None:
    __tracebackhide__ = True
    expected = picture.row("result")
    sources = [row for row in picture.rows if row.label in KINDS]
    if expected is None or len(sources) != 1:
        raise ValueError(f"a picture needs one source and one result\n{picture.text}")
    clock = VirtualClock()
    subscription = SerialDisposable()
    start, stop = _span(picture.row("subscribe"))
    # Scheduled before any source: in its column, ^ comes before the events and ! too.
    clock.at(start / 1e6, lambda: subscribe())
    if stop is not None:
        clock.at(stop / 1e6, subscription.dispose)
    called = _called(picture.call)
    source = source_of(sources[0], picture, clock, names)
    others = {row.label: source_of(row, picture, clock, names) for row in picture.rows if row.label in called}
    result = make(others)(source)
    recording = Recording(clock)

    def subscribe() -> None:
        subscription.disposable = result.subscribe(recording, scheduler=clock.scheduler)

    clock.advance(max(row.length for row in picture.rows) / 1e6 + _WATCH)
    subscription.dispose()
    seen = Likeness(picture, names, source)
    lies = [seen.lie(expected, recording)]
    told = {row.label for row in (expected, *sources)} | {"subscribe", "upstream", *others}
    for mark, (_, _, value) in zip(expected.marks, recording.seen, strict=False):
        if id(value) in recording.inner and (row := picture.row(mark.text)):
            lies.append(seen.lie(row, recording.inner[id(value)]))
            told.add(row.label)
    if untold := [row.label for row in picture.rows if row.label not in told]:
        lies.append(f"nothing in the picture is called {', '.join(untold)}")
    if upstream := picture.labelled("upstream"):
        lies.append(_upstream_lie(upstream, source))
    if found := [lie for lie in lies if lie]:
        how = f" with {picture.call}" if picture.call else ""
        raise AssertionError(f"this picture{how} is not true:\n\n{_indent(picture.text)}\n\n" + "\n".join(found))


def _upstream_lie(rows: list[Row], source: Script) -> str | None:
    drawn = [_span(row) for row in rows]
    real = [(start, stop) for start, stop in source.subscriptions]
    if drawn == real:
        return None
    lines = [
        draw([Mark(start, "^"), *([Mark(stop, "!")] if stop is not None else [])], rows[0].length)
        for start, stop in real
    ]
    return "\n".join(["    the source was really subscribed", *(f"    upstream  {line}" for line in lines)])


def _span(row: Row | None) -> tuple[int, int | None]:
    if row is None:
        return 0, None
    texts = [mark.text for mark in row.marks]
    if texts not in (["^"], ["^", "!"]):
        raise ValueError(f"{row.label} needs one ^ and perhaps one !: {row.diagram!r}")
    return row.marks[0].at, row.marks[1].at if len(row.marks) > 1 else None


def _made(factory: Callable[..., Operator[Any, Any]], call: str | None, names: dict[str, object]) -> Operator[Any, Any]:
    # The call stands in the docstring of the code under test, and is trusted like that code.
    return factory() if call is None else eval(call, names)


def _called(call: str | None) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(call or "None")) if isinstance(node, ast.Name)}


@cache
def _names() -> Mapping[str, object]:
    """What every picture may name: builtins, the errors, the events and the operators."""
    from rxstream import events, moderation, operators, results

    known: dict[str, object] = {"timedelta": timedelta}
    for module in (builtins, errors, events, results, moderation, operators):
        known.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return known


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
