"""The wait that an error in the stream names."""

from __future__ import annotations

import pytest

from rxstream.response._named_wait import named_wait

TEXTS: list[tuple[str, float | None]] = [
    ("Rate limit reached for gpt-4o. Limit 30000, Used 29000. Please try again in 4.2 s.", 4.2),
    ("Please try again in 4.2s. Visit https://example.com to learn more.", 4.2),
    ("Please try again in 420ms.", 0.42),
    ("please try again in 1m30.5s", 90.5),
    ("Try again in 2 minutes and 10 seconds", 130),
    ("Try again in 1h, 2 min", 3720),
    ("retry after 20 seconds", 20),
    ("Please retry your request after about 1 hour.", 3600),
    ("try again in 500 milliseconds", 0.5),
    ("try again in 6m0s", 360),
    ("try again in 0s", None),
    ("try again in a moment", None),
    ("try again later", None),
    ("wait 5 s", None),
    ("try again in 5 steps", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "seconds"), TEXTS)
def test_the_wait_is_read_from_the_text(text: str, seconds: float | None) -> None:
    assert named_wait(text) == pytest.approx(seconds)  # type: ignore[reportUnknownMemberType]
