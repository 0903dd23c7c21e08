"""Tapes: recorded streams, written and played."""
