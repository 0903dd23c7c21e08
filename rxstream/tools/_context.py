"""What a running tool knows beside its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Union, get_args, get_origin

from typing_extensions import TypeVar

DepsT = TypeVar("DepsT", default=Any)


def _no_progress(progress: Any, /) -> None:
    """Drops what is emitted outside of a run."""


@dataclass(frozen=True, slots=True)
class Context(Generic[DepsT]):
    """One call of a tool. A parameter of this type gets it, and the model does not see the parameter.

    `Context[Deps]` says the type of `deps` to the type checker.
    """

    call_id: str = ""
    """The id of the call, as the model sent it."""
    turn: int = 1
    """The turn of the run, counted from 1."""
    deps: DepsT = None  # type: ignore[assignment]  # of any type, and often unused
    """What the app passed to the run: a database, a user."""
    emit: Callable[[Any], None] = field(default=_no_progress, repr=False)
    """Report progress. It may be called from any thread."""


def is_context(annotation: Any) -> bool:
    """Whether a parameter with this annotation gets the context: also one that is `Annotated`, or may be None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_context(get_args(annotation)[0])
    if origin in (Union, UnionType):
        others = [each for each in get_args(annotation) if each is not NoneType]
        return all(map(is_context, others))
    return annotation is Context or origin is Context
