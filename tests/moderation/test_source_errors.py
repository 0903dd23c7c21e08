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
from tests.event_builders import created, failed, incomplete, text_delta
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, moderated, of_type, types, whole_answer

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


MODES = ["hold", "bounded", "optimistic"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(9))
def test_a_source_that_fails_ends_with_its_error_wherever_it_does(mode: str, number: int):
    """The check takes so long that the text is held, whole or in part, when the source fails."""
    events = whole_answer(GOOD, GOOD)[:number]
    error = DisconnectedError("the wire broke")
    seen = moderated(events, lambda window: False, delay=0.03, error=error, mode=mode, quiet=0.01)
    assert (seen.ended, seen.error) == ("#", error)
    sent = [event.type for event in events]
    assert [kind for kind in types(seen) if kind not in sent] in ([], ["rxstream.moderation.retracted"])


@pytest.mark.parametrize("mode", MODES)
def test_a_response_that_waits_for_a_verdict_is_not_completed_when_the_source_fails(mode: str):
    """`final_response` and whatever saves answers would take a part of the text for the whole."""
    answer = whole_answer(GOOD, GOOD)
    seen = moderated(answer, lambda window: False, delay=5, error=DisconnectedError("broke"), mode=mode)
    assert seen.ended == "#"
    completed = of_type(seen, "response.completed")
    if mode == "optimistic":
        assert completed == [answer[-1]]
    else:
        assert completed == []
        assert "".join(event.delta for event in of_type(seen, "response.output_text.delta")) in ("", GOOD + GOOD)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("end", [failed, incomplete])
def test_another_end_comes_with_the_verified_text_before_the_error(mode: str, end: Any):
    answer = [*whole_answer(GOOD, GOOD)[:-1], end()]
    seen = moderated(answer, lambda window: False, delay=5, error=DisconnectedError("broke"), mode=mode)
    assert seen.ended == "#"
    assert len(of_type(seen, answer[-1].type)) == 1


def test_what_is_verified_is_emitted_before_the_error():
    error = DisconnectedError("broke")
    answer = whole_answer(GOOD * 3, GOOD)
    seen = moderated(answer[:5], lambda window: False, delay=0.001, gap=1, error=error)
    assert "".join(event.delta for event in of_type(seen, "response.output_text.delta")).startswith(GOOD)
    assert seen.error is error
