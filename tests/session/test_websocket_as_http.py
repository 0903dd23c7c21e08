"""What is promised over HTTP holds over a WebSocket: the same tests, with the other transport."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from rxstream.testing import LocalServer
from tests.session import _modes, test_disposal, test_endings, test_observers_that_raise, test_reliability
from tests.session._modes import modes, options_for

MODULES: list[ModuleType] = [test_disposal, test_endings, test_observers_that_raise, test_reliability]

DIFFERENT = {
    "test_the_failed_that_follows_an_error_is_delivered": "an error ends the response",
    "test_an_empty_stream": "without a first message there was no answer",
    "test_an_html_page": "there is no content type",
    "test_events_after_the_terminal_one_in_the_same_piece_are_delivered": "they may belong to the next response",
}
"""Tests of what is otherwise over a WebSocket, and why."""

SAME = [
    pytest.param(module, test, id=name)
    for module in MODULES
    for name, test in vars(module).items()
    if name.startswith("test_") and name not in DIFFERENT and [*inspect.signature(test).parameters] == ["mode"]
]


@modes
@pytest.mark.parametrize(("module", "test"), SAME)
def test_over_a_websocket(
    mode: str, module: ModuleType, test: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def over_websocket(server: LocalServer) -> dict[str, Any]:
        return options_for(server) | {"transport": "websocket"}

    for place in (_modes, module):
        if hasattr(place, "options_for"):
            monkeypatch.setattr(place, "options_for", over_websocket)
    test(mode)
