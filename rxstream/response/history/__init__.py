"""The response so far: snapshots, and the events that close what is open."""
