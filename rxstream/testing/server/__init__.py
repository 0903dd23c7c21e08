"""A Responses API on loopback, with scripted answers."""
