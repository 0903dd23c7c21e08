"""Readers of JSON for `AnswerJson`: the value so far, the validated whole, or each element as it becomes whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from rxstream.partial_json._elements import JsonItem, JsonItems
from rxstream.partial_json._paths import PathPattern
from rxstream.partial_json._so_far import JsonReading, JsonSoFar
from rxstream.partial_json._validation import fit, json_of, name_of, too_deep

_T = TypeVar("_T")


class Partial(JsonSoFar, Generic[_T]):
    """An answer so far that will be a `_T`. It does not change: each delta makes another."""

    __slots__ = ("_validator",)

    def __init__(self, reading: JsonReading, validator: TypeAdapter[_T]) -> None:
        super().__init__(reading)
        self._validator = validator

    def as_model(self) -> _T | None:
        """The value so far as an instance of the model if it fits; else None.

        A string or a number may still grow. The cost is that of a validation of the whole value.

        Raises: `SchemaError` if it is nested deeper than 200 levels.
        """
        text = json_of(self.value, "the answer")
        try:
            return self._validator.validate_json(text)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False, include_input=False)
        if problems[0]["type"] == "json_invalid":  # it has just been written, so only its depth can be wrong
            raise too_deep("the answer")
        return None


class ValuesSoFar:
    """Text -> the value so far, each time that it grew."""

    def __init__(self, *, allow_trailing: bool) -> None:
        self._reading = JsonReading(allow_trailing=allow_trailing)
        self.pieces = self._reading.pieces

    @property
    def begun(self) -> bool:
        return isinstance(self._reading.json.value, (dict, list))

    @property
    def is_open(self) -> bool:
        return self.begun and self._reading.json.open_path is not None

    def feed(self, text: str) -> Iterable[JsonSoFar]:
        if self._grew(text):
            return (JsonSoFar(self._reading),)
        return ()

    def finish(self) -> Iterable[JsonSoFar]:
        self._reading.close()
        return (JsonSoFar(self._reading),) if self._reading.json.finished else ()

    def _grew(self, text: str) -> bool:
        self._reading.feed(text)
        document = self._reading.json
        return bool(document.changed or document.finished)


class ValidatedWhole(ValuesSoFar, Generic[_T]):
    """Text -> at its end the validated value; with `partial` also the value so far."""

    def __init__(self, model: Any, validator: TypeAdapter[_T], *, partial: bool, allow_trailing: bool) -> None:
        super().__init__(allow_trailing=allow_trailing)
        self._model = model
        self._validator = validator
        self._partial = partial

    def feed(self, text: str) -> Iterable[Any]:
        if self._grew(text) and self._partial:
            return (Partial(self._reading, self._validator),)
        return ()

    def finish(self) -> Iterator[Any]:
        self._reading.close()
        if self._partial and self._reading.json.finished:
            yield Partial(self._reading, self._validator)
        text = self._reading.text
        document = text[: len(text) - len(self._reading.json.trailing)]
        yield fit(document, self._validator, what="the answer", into=name_of(self._model))


class Elements(Generic[_T]):
    """Text -> each value that matches a pattern, as soon as it is whole; validated if there is a model."""

    def __init__(
        self, pattern: PathPattern, model: Any, validator: TypeAdapter[_T] | None, *, allow_trailing: bool
    ) -> None:
        self._items = JsonItems(pattern, allow_trailing=allow_trailing)
        self._model = model
        self._validator = validator
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
        if self._validator is None:
            return [item.value for item in items]
        return self._fitted(items, self._validator) if items else ()

    def finish(self) -> Iterable[Any]:
        items = self._items.finish()
        if self._validator is None:
            return [item.value for item in items]
        return self._fitted(items, self._validator)

    def _fitted(self, items: Iterable[JsonItem], validator: TypeAdapter[_T]) -> Iterator[_T]:
        for path, value in items:
            text = json_of(value, "an element of the answer")
            yield fit(text, validator, what="an element of the answer", into=name_of(self._model), base=path)
