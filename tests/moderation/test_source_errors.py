"""Errors that end the stream: what they say is judged as other text is."""

import errno
from typing import Any

import pytest

from rxstream.errors import (
    ApiError,
    ConnectError,
    ContentTypeError,
    DisconnectedError,
    IdleTimeoutError,
    ProtocolError,
    RxStreamError,
    StatusError,
    TransportError,
    TruncatedError,
)
from rxstream.moderation import Window
from tests.event_builders import created, text_delta
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, moderated

CLASSES: list[Any] = [
    TransportError,
    ConnectError,
    DisconnectedError,
    IdleTimeoutError,
    TruncatedError,
    ProtocolError,
    ApiError,
    RxStreamError,
    OSError,
    ConnectionResetError,
    TimeoutError,
    ValueError,
]
SAID: list[Any] = [cls(f"it broke after {SECRET}") for cls in CLASSES] + [
    StatusError(f"server said {SECRET}", status=500, body=SECRET),
    ContentTypeError(f"got {SECRET}", status=200, content_type=SECRET, body=SECRET),
    OSError(errno.EIO, "broken", SECRET),
]


@pytest.mark.parametrize("mode", ["hold", "bounded", "optimistic"])
@pytest.mark.parametrize("error", SAID, ids=lambda error: type(error).__name__)
def test_an_error_that_quotes_the_model_comes_without_its_text(error: Any, mode: str):
    seen = moderated([created(), text_delta(GOOD)], error=error, mode=mode)
    assert seen.ended == "#"
    assert_hidden(seen)
    assert SECRET not in repr(vars(seen.error))
    if isinstance(error, RxStreamError):
        assert type(seen.error) is type(error)
        assert getattr(seen.error, "status", None) == getattr(error, "status", None)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_that_passes_is_the_same_object(cls: Any):
    error = cls("the wire broke")
    windows: list[Window] = []

    def check(window: Window) -> bool:
        windows.append(window)
        return False

    seen = moderated([created()], check, error=error)
    assert seen.error is error
    assert "the wire broke" in windows[-1].text


def test_an_error_that_cannot_be_judged_comes_without_its_text():
    """The check fails, perhaps for the same reason as the source."""

    def fails(window: Window) -> bool:
        raise ConnectionError

    seen = moderated([created()], fails, error=DisconnectedError(f"broke after {SECRET}"))
    assert_hidden(seen)
