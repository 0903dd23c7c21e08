"""How the rest of a response is asked for."""

from typing import Any, Protocol

from reactivex import Observable


class ResumeResponse(Protocol):
    """`session.resume`, or a function like it."""

    def __call__(self, response_id: str, *, after: int | None) -> Observable[Any]:
        """The events of a response behind the one with the `sequence_number` of `after`."""
        ...
