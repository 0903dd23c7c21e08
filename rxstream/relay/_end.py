"""How a stream has ended, as text for the log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from rxstream import errors
from rxstream.errors import ProducerFailedError, ProducerLostError, RelayError, RxStreamError, StreamCancelledError

EndCause: TypeAlias = Literal["completed", "failed", "cancelled", "producer_lost"]


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The cause of an end, and its error."""

    cause: EndCause
    error: Exception | None = None
    """None where it completed."""

    def to_text(self) -> str:
        """As JSON. An error of rxstream has its fields, as far as they are JSON; of others the class and the text."""
        if self.cause != "failed" or self.error is None:
            return json.dumps({"cause": self.cause})
        error = self.error
        fields = {name: value for name, value in vars(error).items() if _is_json(value)}
        record = {"type": type(error).__name__, "message": str(error), "fields": fields}
        if not _known(type(error).__name__) or not isinstance(error, RxStreamError):
            record["fields"] = {}
        return json.dumps({"cause": "failed", "error": record})

    @staticmethod
    def from_text(text: str, stream_id: str) -> StreamEnd:
        """What `to_text` wrote, in any process."""
        record = cast("dict[str, Any]", json.loads(text))
        cause = cast("EndCause", record["cause"])
        if cause == "completed":
            return StreamEnd(cause)
        if cause == "failed" and "error" in record:
            return StreamEnd(cause, _error_of(record["error"], stream_id))
        return StreamEnd(cause, cancelled(stream_id) if cause == "cancelled" else lost(stream_id))


def cancelled(stream_id: str) -> RelayError:
    return StreamCancelledError("the stream was cancelled before its end", stream_id=stream_id)


def lost(stream_id: str) -> RelayError:
    return ProducerLostError(
        "the process that produced this stream is gone, and no other one goes on with it: what came is not the whole "
        "answer; ask again, or publish background responses, which another process can take over",
        stream_id=stream_id,
    )


def _known(name: str) -> type[RxStreamError] | None:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, RxStreamError) else None


def _error_of(record: dict[str, Any], stream_id: str) -> Exception:
    kind, message, fields = record["type"], record["message"], record["fields"]
    known = _known(kind)
    if known is None or not fields:
        return ProducerFailedError(f"the producer failed with {kind}: {message}", kind=kind, stream_id=stream_id)
    error = known.__new__(known, message)
    error.args = (message,)
    for name, value in fields.items():
        setattr(error, name, value)
    return error


def _is_json(value: object) -> bool:
    return value is None or isinstance(value, (str, int, float))
