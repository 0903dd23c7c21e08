"""The parameters of a function: their JSON Schema, and the validation of what the model wrote."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import SchemaError, from_json, to_json

from rxstream.errors import ToolError
from rxstream.partial_json._lexer import join_surrogates
from rxstream.partial_json._paths import JsonPath, format_path
from rxstream.partial_json._validation import path_of
from rxstream.tools._context import Context, is_context

_UNUSABLE = (PydanticUserError, SchemaError, TypeError)
"""What pydantic raises for an annotation that it cannot use."""
_PROBLEMS = 5
_LONGEST_INPUT = 60


class StrictJsonSchema(GenerateJsonSchema):
    """Without the titles that pydantic makes of the names of fields: they only repeat them."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012  # pydantic declares it so

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class _Arguments(BaseModel):
    """The base of the models that hold arguments."""

    model_config = ConfigDict(extra="forbid")


class _Parameter(NamedTuple):
    name: str
    field: str
    """That of the model. It cannot be the name, which may be one of pydantic's own, such as `json`."""
    positional_only: bool


class Parameters:
    """The parameters of a function, without those of the type `Context`.

    Raises: TypeError: one of them has no annotation, or one that pydantic cannot validate, or is `*args` or `**kwargs`.
    """

    def __init__(self, function: Callable[..., Any], name: str, descriptions: dict[str, str]) -> None:
        self._function = function
        self._name = name
        self._parameters: list[_Parameter] = []
        annotations = annotations_of(function, name)
        definitions: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters.values():
            if isinstance(function, partial) and parameter.name in function.keywords:
                continue  # the app has given it
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"{name}(): expected parameters with names, got {parameter}: the model must know them")
            annotation = annotations.get(parameter.name, parameter.annotation)
            if annotation is parameter.empty:
                hint = "; of a method make Tool(object.method)" if parameter.name == "self" else ""
                raise TypeError(f"{name}(): expected an annotation of the parameter {parameter.name}, got none{hint}")
            gets_context = is_context(annotation)
            field = "" if gets_context else f"p{len(definitions)}"
            positional_only = parameter.kind is parameter.POSITIONAL_ONLY
            self._parameters.append(_Parameter(parameter.name, field, positional_only))
            if not gets_context:
                definitions[field] = _definition(annotation, parameter, descriptions.get(parameter.name))
        try:
            self._model = create_model(name, __base__=_Arguments, **definitions)
            self.schema = self._model.model_json_schema(schema_generator=StrictJsonSchema)
        except _UNUSABLE as error:
            place = next((p.name for p in self._parameters if p.field and not _is_valid(definitions[p.field])), "?")
            problem = error.message if isinstance(error, PydanticUserError) else str(error).splitlines()[-1]
            raise TypeError(f"{name}(): pydantic cannot validate the parameter {place}: {problem}") from error
        for generated in ("title", "description"):
            self.schema.pop(generated, None)
        self.schema.setdefault("properties", {})

    def bind(self, arguments: str, context: Context[Any], *, null_is_default: bool) -> Callable[[], Any]:
        """The call of the function with the arguments that the model wrote. Nothing of the function runs yet.

        Args:
            null_is_default: a null that does not fit stands for the default, as in a strict schema.

        Raises: ToolError: they do not fit; the message is for the model.
        """
        values = self._validate(arguments.strip() or "{}", null_is_default)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for name, field, positional_only in self._parameters:
            value = getattr(values, field) if field else context
            if positional_only:
                positional.append(value)
            else:
                named[name] = value
        return partial(self._function, *positional, **named)

    def _validate(self, text: str, null_is_default: bool) -> BaseModel:
        text = join_surrogates(text)[0]
        try:
            return self._model.model_validate_json(text)
        except ValidationError as error:
            failure = error
        if null_is_default:
            nulls = [path_of(details, text) for details in failure.errors() if details["input"] is None]
            if nulls:
                text = _without(text, nulls)
                try:
                    return self._model.model_validate_json(text)
                except ValidationError as error:
                    failure = error
        raise ToolError(
            f"cannot read the arguments of {self._name}(): {_problems(failure, text)}", name=self._name, text=text
        ) from None


def _is_valid(definition: tuple[Any, Any]) -> bool:
    try:
        TypeAdapter(definition[0]).json_schema(schema_generator=StrictJsonSchema)
    except _UNUSABLE:
        return False
    return True


def annotated_function(function: Any) -> Any:
    """The function that has the annotations and the docstring: that of a `partial`, the `__call__` of an object."""
    while isinstance(function, partial):
        function = function.func  # type: ignore[reportUnknownMemberType]  # a partial of any function
    return function if inspect.isroutine(function) else type(function).__call__


def annotations_of(function: Any, name: str) -> dict[str, Any]:
    """The annotations of a function. Raises: TypeError: they cannot be read."""
    try:
        return get_type_hints(annotated_function(function), include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{name}(): cannot read its annotations: {error}; define the type in the module, not in a function"
        ) from error


def _definition(annotation: Any, parameter: inspect.Parameter, description: str | None) -> tuple[Any, Any]:
    """The annotation and the default of a field. What the annotation says of itself wins over the docstring."""
    default = ... if parameter.default is parameter.empty else parameter.default
    if isinstance(default, FieldInfo):  # `city: str = Field(description=...)`
        annotation, default = Annotated[annotation, default], default.default
    known = [each for each in get_args(annotation)[1:] if isinstance(each, FieldInfo)]
    options: dict[str, Any] = {}
    if description and not any(each.description for each in known):
        options["description"] = description
    if not any(each.alias or each.validation_alias for each in known):
        options["alias"] = parameter.name
    if any(each.default_factory for each in known):
        return Annotated[annotation, Field(**options)], ...
    return annotation, Field(default, **options)


def _without(text: str, paths: Iterable[JsonPath]) -> str:
    """The JSON without the members at these paths."""
    value = from_json(text)
    for path in paths:
        if not path or not isinstance(path[-1], str):
            continue
        inner = value
        for step in path[:-1]:
            inner = inner[step]
        inner.pop(path[-1], None)
    return to_json(value).decode()


def _problems(error: ValidationError, text: str) -> str:
    """What does not fit, for the model: at most five problems, each with its path and a short form of its input."""
    found: dict[str, None] = {}
    for details in error.errors(include_url=False, include_context=False):
        if details["type"] == "json_invalid":
            return details["msg"]
        message = details["msg"]
        if details["type"] not in ("missing", "extra_forbidden"):
            written = to_json(details["input"], fallback=repr).decode()
            if len(written) > _LONGEST_INPUT:
                written = f"{written[:_LONGEST_INPUT]}…"
            message = f"{message}, got {written}"
        path = path_of(details, text)
        found[f"{format_path(path)}: {message}" if path else message] = None
    problems = [*found]
    more = f"; and {len(problems) - _PROBLEMS} more" if len(problems) > _PROBLEMS else ""
    return "; ".join(problems[:_PROBLEMS]) + more
