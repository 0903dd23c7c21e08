"""Readers of JSON for `AnswerJson`: the value so far, the validated whole, or each element as it becomes whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Generic, NamedTuple, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeVar

from rxstream.partial_json._elements import JsonItem, JsonItems
from rxstream.partial_json._enclosed import EnclosedJson
from rxstream.partial_json._paths import JsonValue, PathPattern
from rxstream.partial_json._so_far import JsonReading, JsonSoFar
from rxstream.partial_json._validation import adapter, fit, fit_so_far, json_of, name_of, too_deep

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_V_co = TypeVar("_V_co", default=JsonValue, covariant=True)


class Validation(NamedTuple):
    """A type to validate with, and pydantic's validation context."""

    model: Any
    validator: TypeAdapter[Any]
    context: Any


def validation(model: Any, context: Any) -> Validation:
    """Raises: TypeError if pydantic cannot validate with `model`."""
    return Validation(model, adapter(model), context)


class Partial(JsonSoFar[_V_co], Generic[_T_co, _V_co]):
    """An answer so far that will be a `_T_co`, with a `value` of the type `_V_co`; by default JSON.

    It does not change: each delta makes another.
    """

    __slots__ = ("_shape", "_shaped", "_whole")

    def __init__(self, reading: JsonReading, whole: Validation, shape: Validation | None = None) -> None:
        super().__init__(reading)
        self._whole = whole
        self._shape = shape
        self._shaped: list[Any] = []
        """`value`, once it was read."""

    @property
    def value(self) -> _V_co:
        """The value so far: JSON, or with `partial=Shape` a `Shape`. Strings, arrays and objects may be incomplete.

        A value that is being written and does not fit `Shape` yet (half a date, half a `Literal`) is left out, and so
        is the object around it if a member of it is required. The first read costs a validation of the whole value.

        Raises: `SchemaError` with the path if it does not fit `Shape` even so.
        """
        if self._shape is None:
            return super().value
        if not self._shaped:
            what = "the answer so far"
            model, validator, context = self._shape
            self._shaped.append(
                fit_so_far(self._json(), self._open, validator, what=what, into=name_of(model), context=context)
            )
        return cast(_V_co, self._shaped[0])

    def as_model(self) -> _T_co | None:
        """The value so far as an instance of the model if it fits; else None.

        A string or a number may still grow. The cost is that of a validation of the whole value.

        Raises: `SchemaError` if it is nested deeper than 200 levels.
        """
        text = json_of(self._json(), "the answer")
        try:
            return cast(_T_co, self._whole.validator.validate_json(text, context=self._whole.context))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":  # it has just been written, so only its depth can be wrong
            raise too_deep("the answer")
        return None


_Partial: type[Partial[Any, Any]] = Partial
"""A call of `Partial[Any, Any]` takes twice as long, and there is one for each delta."""


class ValuesSoFar:
    """Text -> the value so far, each time that it grew."""

    def __init__(self, *, allow_leading: bool, allow_trailing: bool) -> None:
        make = partial(EnclosedJson, allow_leading=allow_leading, allow_trailing=allow_trailing)
        self._document = make()
        self._reading = JsonReading(self._document, make)
        self.pieces = self._reading.pieces

    @property
    def begun(self) -> bool:
        return isinstance(self._document.value, (dict, list))

    @property
    def is_open(self) -> bool:
        return self.begun and self._document.open_path is not None

    def feed(self, text: str) -> Iterable[JsonSoFar]:
        if self._grew(text):
            return (JsonSoFar(self._reading),)
        return ()

    def finish(self) -> Iterable[JsonSoFar]:
        self._reading.close()
        return (JsonSoFar(self._reading),) if self._document.finished else ()

    def _grew(self, text: str) -> bool:
        self._reading.feed(text)
        return bool(self._document.changed or self._document.finished)


class ValidatedWhole(ValuesSoFar):
    """Text -> at its end the validated value; with `partials` also the value so far, in the shape if there is one."""

    def __init__(
        self, whole: Validation, shape: Validation | None, *, partials: bool, allow_leading: bool, allow_trailing: bool
    ) -> None:
        super().__init__(allow_leading=allow_leading, allow_trailing=allow_trailing)
        self._whole = whole
        self._shape = shape
        self._partials = partials

    def feed(self, text: str) -> Iterable[Any]:
        if self._grew(text) and self._partials:
            return (_Partial(self._reading, self._whole, self._shape),)
        return ()

    def finish(self) -> Iterator[Any]:
        self._reading.close()
        if self._partials and self._document.finished:
            yield _Partial(self._reading, self._whole, self._shape)
        model, validator, context = self._whole
        yield fit(self._document.document, validator, what="the answer", into=name_of(model), context=context)


class Elements:
    """Text -> each value that matches a pattern, as soon as it is whole; validated if there is a model."""

    def __init__(
        self, pattern: PathPattern, element: Validation | None, *, allow_leading: bool, allow_trailing: bool
    ) -> None:
        self._items = JsonItems(pattern, EnclosedJson(allow_leading=allow_leading, allow_trailing=allow_trailing))
        self._element = element
        self.pieces: list[str] = []

    @property
    def begun(self) -> bool:
        return isinstance(self._items.value, (dict, list))

    @property
    def is_open(self) -> bool:
        return self.begun and self._items.is_open

    def feed(self, text: str) -> Iterable[Any]:
        self.pieces.append(text)
        items = self._items.feed(text)
        if self._element is None:
            return [item.value for item in items]
        return self._fitted(items, self._element) if items else ()

    def finish(self) -> Iterable[Any]:
        items = self._items.finish()
        if self._element is None:
            return [item.value for item in items]
        return self._fitted(items, self._element)

    def _fitted(self, items: Iterable[JsonItem], element: Validation) -> Iterator[Any]:
        model, validator, context = element
        what, into = "an element of the answer", name_of(model)
        for path, value in items:
            yield fit(json_of(value, what), validator, what=what, into=into, base=path, context=context)
