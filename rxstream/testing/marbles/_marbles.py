"""Marble pictures, run in virtual time.

    Marbles with coalesce(0.03)::

        source   -C-a-b_-----c-|
        result   -C----ab_---(c,|)

A *picture* has rows; a row has a label and a *diagram*. One column of a diagram is 10 ms. A *symbol* happens at its
first column, and each of its columns takes 10 ms:

    a           a *token* is an event or another value. The tokens of events are in `_alphabet`: `a` is a text delta
                "a", `1:b` is one of output index 1, `f:{` function arguments, `_` a space, `C` is response.created
    |           complete
    #           error
    -           nothing happens
    (a,b|)      all of these happen at the column of the bracket
    <30s>       this much time, in place of the columns it is written in; also <500ms>
    a space     separates tokens and takes no time

Each picture has a `result` and one row of these for its source:

    source      a cold source of events
    hot         a hot source of events
    frames      a cold source of the frames of events
    wire        a cold source of the bytes of events
    bytes       a cold source of the texts of the tokens, as bytes
    texts       a cold source of the texts of the tokens
    values      a cold source of Python literals

The other rows:

    result      what the operator emits: events as their tokens, other values as their `str()`
    subscribe   `--^-----!` when the result is subscribed and disposed, each before the events of its column. Without
                this row it is subscribed at the start
    upstream    `--^---!` when the source was subscribed and disposed. One row for each subscription
    x           what the Observable `x` of the result emits, on the same clock. If the call in the header names `x`,
                it is another cold source of events
    where x = "ab ", y = FunctionCall(name="look"), # = TruncatedError
                the legend of names (see `rxstream.testing.marbles._legend`)

The header of a block may have a call that makes the operator, `Marbles with coalesce(0.03)::`; else the operator is
made without arguments.
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
from rxstream.testing.marbles._compare import Comparison
from rxstream.testing.marbles._picture import Picture, Row, Symbol, draw, pictures_in, read_picture, read_row
from rxstream.testing.marbles._sources import KINDS, MarbleSource, Recording, source_of
from rxstream.testing.marbles._trial import InputKind, Trial
from rxstream.typing import Operator

_WATCH = 10.0
"""Seconds for which the operator runs beyond the end of its picture."""


def pictures(docstring: str) -> list[Picture]:
    """The pictures of a docstring, in order. Raises `ValueError` for one that is not valid."""
    return pictures_in(docstring)


def check_marbles(
    factory: Callable[..., Operator[Any, Any]],
    docstring: str | None = None,
    *,
    names: Mapping[str, object] | None = None,
) -> None:
    """Run every picture of an operator's docstring.

    Args:
        factory: makes the operator: `words`, not `words()`.
        docstring: the text with the pictures; without it, the docstring of `factory`.
        names: more names for the calls and legends of the pictures.

    Raises `AssertionError` if a picture is wrong or there is none. The message shows what happened.
    """
    __tracebackhide__ = True
    name = getattr(factory, "__name__", "the operator")
    all_pictures = pictures(docstring if docstring is not None else factory.__doc__ or "")
    if not all_pictures:
        raise AssertionError(f"expected a block `Marbles::` in the docstring of {name}, got none")
    scope = {**_names(), name: factory, **(names or {})}
    for picture in all_pictures:
        _check(picture, lambda rows, call=picture.call: _make(factory, call, {**scope, **rows}), scope)


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
    parsed = read_picture(picture) if isinstance(picture, str) else picture
    _check(parsed, lambda rows: operator, {**_names(), **(names or {})})


def trial_of(
    factory: Callable[..., Operator[Any, Any]],
    *,
    joined: Callable[[Sequence[Any]], object] | None = None,
    names: Mapping[str, object] | None = None,
) -> Trial:
    """A trial of the operator for the `LAWS`, made by the call and with the kind of source of its first picture.

    Other sources in the call are empty. Without a picture, it is made without arguments, and its source has events.

    Args:
        joined: makes one value of all outputs, to compare runs that split the text differently.
    """
    picture = next(iter(pictures(factory.__doc__ or "")), None)
    if picture is None:
        return Trial(factory, joined=joined)
    call = picture.call
    label = next((row.label for row in picture.rows if row.label in KINDS), "source")
    others = {row.label: reactivex.empty() for row in picture.rows if row.label in _names_in(call)}
    scope = {**_names(), getattr(factory, "__name__", "operator"): factory, **(names or {}), **others}
    return Trial(lambda: _make(factory, call, scope), of=_INPUT_KINDS.get(label, "events"), joined=joined)


_INPUT_KINDS: dict[str, InputKind] = {"frames": "frames", "wire": "bytes", "bytes": "bytes", "texts": "texts"}


def cold(
    diagram: str, clock: VirtualClock, *, of: str = "source", names: Mapping[str, object] | None = None
) -> MarbleSource:
    """A cold source that plays a diagram to each subscriber. Its `.subscriptions` has the times of each."""
    return source_of(read_row(diagram, of), Picture(()), clock, {**_names(), **(names or {})})


def hot(diagram: str, clock: VirtualClock, *, names: Mapping[str, object] | None = None) -> MarbleSource:
    """A hot source that plays a diagram from now, once."""
    return source_of(read_row(diagram, "hot"), Picture(()), clock, {**_names(), **(names or {})})


def _check(
    picture: Picture,
    make: Callable[[Mapping[str, Observable[Any]]], Operator[Any, Any]],
    names: Mapping[str, object],
) -> None:
    __tracebackhide__ = True
    result_row = picture.row("result")
    source_rows = [row for row in picture.rows if row.label in KINDS]
    if result_row is None or len(source_rows) != 1:
        raise ValueError(f"expected one source and one result, got\n{picture.text}")
    source, recording = _run(picture, source_rows[0], make, names)
    differences = _differences(picture, result_row, source, recording, names)
    if differences:
        call = f" with {picture.call}" if picture.call else ""
        raise AssertionError(f"this picture{call} is wrong:\n\n{_indent(picture.text)}\n\n" + "\n".join(differences))


def _run(
    picture: Picture,
    source_row: Row,
    make: Callable[[Mapping[str, Observable[Any]]], Operator[Any, Any]],
    names: Mapping[str, object],
) -> tuple[MarbleSource, Recording]:
    """Play the source, and record what the operator emits."""
    clock = VirtualClock()
    recording = Recording(clock)
    subscription = SerialDisposable()

    def subscribe() -> None:
        subscription.disposable = result.subscribe(recording, scheduler=clock.scheduler)

    # Scheduled before any source, so that ^ and ! come before the events of their column.
    start, stop = _span(picture.row("subscribe"))
    clock.at(start / 1e6, subscribe)
    if stop is not None:
        clock.at(stop / 1e6, subscription.dispose)
    source = source_of(source_row, picture, clock, names)
    names_in_call = _names_in(picture.call)
    result = make(
        {row.label: source_of(row, picture, clock, names) for row in picture.rows if row.label in names_in_call}
    )(source)
    clock.advance(max(row.length for row in picture.rows) / 1e6 + _WATCH)
    subscription.dispose()
    return source, recording


def _differences(
    picture: Picture, result_row: Row, source: MarbleSource, recording: Recording, names: Mapping[str, object]
) -> list[str]:
    """How the rows of the picture differ from what happened."""
    comparison = Comparison(picture, names, source)
    differences = [comparison.difference(result_row, recording)]
    used = {"result", "subscribe", "upstream", *KINDS, *_names_in(picture.call)}
    for symbol, (_, _, value) in zip(result_row.symbols, recording.seen, strict=False):
        if id(value) in recording.inner and (row := picture.row(symbol.text)):
            differences.append(comparison.difference(row, recording.inner[id(value)]))
            used.add(row.label)
    if unused := [row.label for row in picture.rows if row.label not in used]:
        differences.append(f"the result has no Observable {', '.join(unused)}, and the call does not name it")
    if upstream := picture.labelled("upstream"):
        differences.append(_upstream_difference(upstream, source))
    return [difference for difference in differences if difference]


def _upstream_difference(rows: list[Row], source: MarbleSource) -> str | None:
    if [_span(row) for row in rows] == source.subscriptions:
        return None
    lines = [
        draw([Symbol(start, "^"), *([Symbol(stop, "!")] if stop is not None else [])], rows[0].length)
        for start, stop in source.subscriptions
    ]
    return "\n".join(["    the actual subscriptions to the source:", *(f"    upstream  {line}" for line in lines)])


def _span(row: Row | None) -> tuple[int, int | None]:
    """When a row subscribes, and when it disposes, if it does."""
    if row is None:
        return 0, None
    texts = [symbol.text for symbol in row.symbols]
    if texts not in (["^"], ["^", "!"]):
        raise ValueError(f"{row.label} must have one ^ and at most one !, got {row.diagram!r}")
    return row.symbols[0].time, row.symbols[1].time if len(row.symbols) > 1 else None


def _make(factory: Callable[..., Operator[Any, Any]], call: str | None, names: dict[str, object]) -> Operator[Any, Any]:
    # The call is in the docstring of the code under test, and is trusted like that code.
    return factory() if call is None else eval(call, names)


def _names_in(call: str | None) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(call or "None")) if isinstance(node, ast.Name)}


@cache
def _names() -> Mapping[str, object]:
    """The names of every picture: builtins, the errors, the events and the operators."""
    from rxstream import events, moderation, operators, results, tools

    names: dict[str, object] = {"timedelta": timedelta}
    for module in (builtins, errors, events, results, moderation, tools, operators):
        names.update({name: value for name, value in vars(module).items() if not name.startswith("_")})
    return names


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
