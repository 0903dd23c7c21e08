"""What a running tool knows beside its arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic

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
