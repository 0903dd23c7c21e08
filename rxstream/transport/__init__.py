"""How Frames arrive: over HTTP, from memory, from a tape. Async, no Rx."""
