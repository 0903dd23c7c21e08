"""What all models of the wire share."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen piece of the wire. Unknown fields are kept; dumping gives back what came, and nothing more."""

    model_config = ConfigDict(
        extra="allow", frozen=True, defer_build=True, protected_namespaces=(), serialize_by_alias=True
    )

    def model_dump(self, *, exclude_unset: bool = True, **options: Any) -> dict[str, Any]:
        """As pydantic's, but fields that never came are left out unless `exclude_unset=False`."""
        return super().model_dump(exclude_unset=exclude_unset, **options)

    def model_dump_json(self, *, exclude_unset: bool = True, **options: Any) -> str:
        """As pydantic's, but fields that never came are left out unless `exclude_unset=False`."""
        return super().model_dump_json(exclude_unset=exclude_unset, **options)


class Event(Model):
    """What every event of a stream has."""

    type: str
    sequence_number: int | None = None
    """Position in the stream, from 0, rising by one; some servers leave it out."""
    synthetic: bool = False
    """True where rxstream made the event: to repair a dialect, or to close a stream that was cut."""
