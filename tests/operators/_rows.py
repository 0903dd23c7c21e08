"""Events for tests, written in the alphabet of the marbles."""

import json
from typing import Any

from rxstream.events import StreamingEvent, parse_event
from rxstream.testing.marbles._encoder import RowEncoder  # pyright: ignore[reportPrivateUsage]


def encode(tokens: str) -> list[StreamingEvent]:
    """The events of tokens set apart by spaces: `encode("C M B a b_")`."""
    encoder = RowEncoder()
    return [parse_event(json.dumps(encoder.encode(token))) for token in tokens.split()]


def event(kind: str, **fields: Any) -> StreamingEvent:
    """One event of the wire."""
    return parse_event(json.dumps({"type": kind, **fields}))


def item(kind: str, **fields: Any) -> dict[str, Any]:
    """An output item as it opens."""
    return {"type": kind, "id": f"{kind}_0", **fields}


def added(index: int = 0, **fields: Any) -> StreamingEvent:
    """`response.output_item.added`."""
    return event("response.output_item.added", output_index=index, item={"id": f"item_{index}", **fields})
