"""What cannot be sent is said where the stream is made, not to whoever subscribes to it later."""

from __future__ import annotations

from typing import Any

import pytest

import rxstream


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"base_url": "api.example.com/v1"}, "https://"),
        ({"base_url": "https://api example.com/v1"}, "space"),
        ({"api_key": "sk-canary\n"}, "copy it again"),
        ({"headers": {"x-team": "blue\r\nx-evil: 1"}}, "x-team"),
        ({"headers": {"x team": "blue"}}, "header.s name"),
    ],
)
def test_an_argument_that_cannot_be_sent(arguments: dict[str, Any], said: str) -> None:
    session = rxstream.Session(**{"api_key": "sk", "base_url": "http://127.0.0.1:9/v1", **arguments})
    with pytest.raises(ValueError, match=said) as raised:
        session.response(model="m", input="Hi")
    assert "canary" not in str(raised.value)
