"""The wait that the text of an error names, as in "Please try again in 1m4.2s."."""

import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_UNIT = r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)(?![a-z])"
_PIECE = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?{_UNIT}(?:,? and |,? )?", re.IGNORECASE)
_BEGIN = re.compile(r"\b(?:try again|retry)(?: your request)? (?:in|after) (?:about )?", re.IGNORECASE)


def named_wait(text: str) -> float | None:
    """Seconds, or None where the text names no wait."""
    begin = _BEGIN.search(text)
    if begin is None:
        return None
    at, seconds = begin.end(), 0.0
    while piece := _PIECE.match(text, at):
        unit = piece[2].lower()
        seconds += float(piece[1]) * (0.001 if unit.startswith(("ms", "mill")) else _SECONDS[unit[0]])
        at = piece.end()
    return seconds or None
