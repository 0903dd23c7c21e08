"""What shape has it: the answer's JSON as a value, as a model, or element by element."""

from __future__ import annotations

from functools import partial as bound
from typing import Any, Literal, TypeVar, overload

from pydantic import TypeAdapter

from rxstream.events import Event
from rxstream.partial_json._paths import JsonValue, PathPattern
from rxstream.partial_json._so_far import JsonSoFar
from rxstream.response._responses import per_response
from rxstream.response.output_json._answer import AnswerJson
from rxstream.response.output_json._documents import (
    Elements,
    Partial,
    ValidatedWhole,
    ValuesSoFar,
    validation,
)
from rxstream.rx._checks import of_events
from rxstream.rx._lift import lift
from rxstream.typing import Operator

_T = TypeVar("_T")
_V = TypeVar("_V")


def partial_json(*, allow_leading: bool = False, allow_trailing: bool = False) -> Operator[Event, JsonSoFar]:
    """Emit the value of a JSON answer so far, each time that it grows.

    Marbles::

        source   -C-`{"a":[1`-`,2],"b":"x`-y"}-K|
        result   ---p---------q------------r----|
        where p = JsonSoFar(value={"a": [1]}), q = JsonSoFar(finished_paths=["a", "a[0]", "a[1]"], open_path="b")
        where r = JsonSoFar(value={"a": [1, 2], "b": "xy"}, complete=True)

    Nothing is parsed twice, and `value` is built when it is read. A string is shown as far as it has come, a number as
    far as it is a number; names, `true`, `false` and `null` when they are whole.

    Which text: the messages' `output_text`. Commentary (`phase`) is skipped; of several messages or parts the last
    counts, and the value starts again with it.

    Around the document a code fence (```json … ```) is read over, and the same object or array again, character for
    character. Other text is an error, which says where the JSON begins.

    Args:
        allow_leading: text before the document is not an error: it begins at the first `{` or `[`.
        allow_trailing: text after the document is not an error.

    Emits: `JsonSoFar`: `value`, `finished_paths`, `is_finished("a[0]")`, `open_path`, `complete`, `text`.
    Completes: with the source; without a value if the response has no answer text (a turn of function calls).
    Errors: the source's. `SchemaError` with the path and the text, at the first character that is not JSON (only at the
    end if the text does not begin with an object or array, because another message may follow). At the end
    `RefusalError` if the model refused, `ResponseIncompleteError` if the answer was cut, `SchemaError` if the
    document is not whole.
    Memory: the text and the value.
    """
    document = bound(ValuesSoFar, allow_leading=allow_leading, allow_trailing=allow_trailing)
    return lift(per_response(bound(AnswerJson[JsonSoFar], document)), of_events("partial_json"))


@overload
def parse_output(
    model: type[_T] | TypeAdapter[_T],
    *,
    partial: Literal[True] = True,
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, Partial[_T] | _T]: ...
@overload
def parse_output(
    model: type[_T] | TypeAdapter[_T],
    *,
    partial: Literal[False],
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, _T]: ...
@overload
def parse_output(
    model: type[_T] | TypeAdapter[_T],
    *,
    partial: bool,
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, Partial[_T] | _T]: ...
@overload
def parse_output(
    model: type[_T] | TypeAdapter[_T],
    *,
    partial: type[_V] | TypeAdapter[_V],
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, Partial[_T, _V] | _T]: ...
def parse_output(
    model: type[_T] | TypeAdapter[_T],
    *,
    partial: bool | type[Any] | TypeAdapter[Any] = True,
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, Any]:
    """Emit the answer so far, each time that it grows, and at the end the answer as a validated `model`.

    Marbles with parse_output(dict[str, int])::

        source   -C-`{"a":1`-`,"b":2`-}-K|
        result   ---p--------q--------r-s|
        where p = Partial(value={"a": 1}), q = Partial(finished_paths=["a"]), r = Partial(complete=True)
        where s = {"a": 1, "b": 2}

    Marbles with parse_output(dict[str, int], partial=False)::

        source   -C-`{"a":1`-`,"b":2`-}-K|
        result   -----------------------s|
        where s = {"a": 1, "b": 2}

    Marbles with parse_output(dict[str, int], partial=dict[str, float])::

        source   -C-`{"a":1`-`,"b":2`-}-K|
        result   ---p--------q--------r-s|
        where p = Partial(value={"a": 1.0}), q = Partial(value={"a": 1.0, "b": 2.0}), r = Partial(complete=True)
        where s = {"a": 1, "b": 2}

    Which text, how much of it is shown, and what may stand around it: as `partial_json()`.

    Args:
        model: a pydantic model, or any type that pydantic validates; a `TypeAdapter` for a type that is not a class.
        partial: False: only the model. A type: that of the partial `value`, as a model whose fields all have defaults,
            or a `TypedDict` with `total=False` (before Python 3.12 that of `typing_extensions`). What is being written
            and does not fit it yet is left out.
        context: pydantic's validation context, for `model` and the type of `partial`.
        allow_leading: text before the document is not an error: it begins at the first `{` or `[`.
        allow_trailing: text after the document is not an error.

    Emits: `Partial[Model]`: `value` (JSON; with a type as `partial` it is a `Partial[Model, Shape]`, and `value` a
    `Shape`), `finished_paths`, `is_finished("title")`, `open_path`, `complete`, `text`, and `as_model()` for a value
    that fits the model before it is whole. At the end of the response the model.
    Completes: with the source; without a value if the response has no answer text (a turn of function calls).
    Errors: the source's; `SchemaError` with the path and the text if the answer is not JSON, as `partial_json()`,
    or does not fit the model; `RefusalError` if the model refused; `ResponseIncompleteError` if the answer was
    cut, even if the JSON is whole; `TruncatedError` if the source completes in the middle.
    Memory: the text and the value.

    Raises: TypeError if pydantic cannot validate with `model`, or with the type of `partial`.
    """
    document = bound(
        ValidatedWhole,
        validation(model, context),
        None if isinstance(partial, bool) else validation(partial, context),
        partials=partial is not False,
        allow_leading=allow_leading,
        allow_trailing=allow_trailing,
    )
    return lift(per_response(bound(AnswerJson[Any], document)), of_events("parse_output"))


@overload
def json_items(
    path: str, model: None = None, *, context: Any = None, allow_leading: bool = False, allow_trailing: bool = False
) -> Operator[Event, JsonValue]: ...
@overload
def json_items(
    path: str,
    model: type[_T] | TypeAdapter[_T],
    *,
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, _T]: ...
def json_items(
    path: str,
    model: type[_T] | TypeAdapter[_T] | None = None,
    *,
    context: Any = None,
    allow_leading: bool = False,
    allow_trailing: bool = False,
) -> Operator[Event, Any]:
    """Emit each element of a list in a JSON answer as soon as it is whole.

    Marbles with json_items("items[*]")::

        source   -C-`{"items":[1`-`,{"a"`-`:2}`-`,3]}`-K|
        result   -----------------x-------y-----z-------|
        where x = 1, y = {"a": 2}, z = 3

    Which text, and what may stand around it: as `partial_json()`.

    Args:
        path: which values: `items[*]`, `a.b[*].c`, `[*]` if the whole answer is a list, `a.*` for the members of an
            object. The part of JSONPath that picks children, without filters and slices.
        model: of each element: a pydantic model, or any type that pydantic validates, or a `TypeAdapter`.
        context: pydantic's validation context, for `model`.
        allow_leading: text before the document is not an error: it begins at the first `{` or `[`.
        allow_trailing: text after the document is not an error.

    Emits: the elements, in the order of the answer: JSON values, or with `model` its instances.
    Completes: with the source.
    Errors: the source's; `SchemaError` with the concrete path (`items[2].price`) if an element does not fit the
    model, as soon as it is whole; `RefusalError`, `ResponseIncompleteError` and `SchemaError` as `partial_json()`,
    after the elements before it.
    Memory: the text of the part that is being written, and the elements that are not whole.

    Raises: ValueError if `path` is not valid; TypeError if pydantic cannot validate with `model`.
    """
    element = None if model is None else validation(model, context)
    document = bound(Elements, PathPattern(path), element, allow_leading=allow_leading, allow_trailing=allow_trailing)
    return lift(per_response(bound(AnswerJson[Any], document)), of_events("json_items"))
