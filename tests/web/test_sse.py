"""`to_sse`: what a browser resumes from, and what it is told of an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
import reactivex

from rxstream.errors import ConnectError, ModerationError, ResponseFailedError, RxStreamError
from rxstream.sse import Frame
from rxstream.testing import operator_laws
from rxstream.tools import ToolProgressEvent
from rxstream.web import StreamFormat, to_ag_ui, to_sse, to_ui_messages
from rxstream.web.formats._sse import EventFrames
from tests.event_builders import completed, created, failed, make_event, say
from tests.web._reading import parts_of


def numbered(start: int = 0) -> list[Any]:
    return [
        make_event(event.type, **{**json.loads(event.model_dump_json()), "sequence_number": number})
        for number, event in enumerate(say("C M B a b K"), start)
    ]


def ids(frames: list[Frame]) -> list[str]:
    return [frame.id for frame in frames]


def test_an_event_without_a_number_repeats_the_id_so_that_a_browser_keeps_its_place() -> None:
    events = numbered()
    events.insert(3, ToolProgressEvent(call_id="c", progress=0.5))
    frames = parts_of(EventFrames(), events)
    assert ids(frames) == ["0", "1", "2", "2", "3", "4", "5"]
    assert frames[3].event == "rxstream.tool.progress"
    assert json.loads(frames[3].data)["progress"] == 0.5


def test_after_leaves_out_what_the_browser_has() -> None:
    assert ids(parts_of(EventFrames(after=3), numbered())) == ["4", "5"]
    assert ids(parts_of(EventFrames(after=None), numbered())) == list("012345")


def test_after_counts_in_the_first_response_only() -> None:
    first, second = [created(id="r1"), *numbered()[1:]], [created(id="r2"), *numbered()[1:]]
    first[-1] = make_event("response.completed", response={"id": "r1", "status": "completed"}, sequence_number=5)
    assert ids(parts_of(EventFrames(after=4), [*first, *second]))[:3] == ["5", "5", "1"]


def test_an_error_is_an_event_as_the_api_words_one_and_holds_no_text_of_it() -> None:
    frames = parts_of(EventFrames(), numbered()[:3], ConnectError("postgres://user:secret@host"))
    assert frames[-1].event == "error"
    assert json.loads(frames[-1].data) == {
        "type": "error",
        "code": "ConnectError",
        "message": "The connection to the model was lost.",
        "param": None,
        "sequence_number": 3,
    }


def test_an_error_that_the_api_has_sent_is_not_sent_twice() -> None:
    events = [created(), failed(error={"code": "server_error", "message": "no"})]
    frames = parts_of(EventFrames(), events, ResponseFailedError("no"))
    assert [frame.event for frame in frames] == ["response.created", "response.failed"]
    events = [created(), make_event("error", message="no")]
    assert [frame.event for frame in parts_of(EventFrames(), events, RxStreamError("no"))][1:] == ["error"]


def test_a_type_that_the_format_cannot_write_stays_in_the_data() -> None:
    (frame,) = parts_of(EventFrames(), [make_event("a\nb")])
    assert frame.event == "message"
    assert json.loads(frame.data)["type"] == "a\nb"


@pytest.mark.parametrize("format", [to_sse(), to_ui_messages(), to_ag_ui("t", "r")], ids=lambda format: format.name)
def test_a_format_is_an_operator(format: StreamFormat[Any]) -> None:
    def seen(error: Exception | None) -> tuple[list[bytes], list[Exception], list[bool]]:
        source = reactivex.from_iterable([created(id="r"), completed(id="r")])
        if error is not None:
            source = reactivex.concat(source, reactivex.throw(error))
        values: list[Any] = []
        errors: list[Exception] = []
        ends: list[bool] = []
        source.pipe(format).subscribe(values.append, errors.append, lambda: ends.append(True))
        return [format.encode(value) for value in values], errors, ends

    first, errors, ends = seen(None)
    assert (errors, ends) == ([], [True])
    assert seen(None)[0] == first, "subscribers share nothing"
    assert all(block.endswith(b"\n\n") for block in first)
    error = ModerationError("the word was secret")
    blocks, errors, ends = seen(error)
    assert (errors, ends) == ([error], [])
    assert b"withheld" in b"".join(blocks)
    assert b"secret" not in b"".join(blocks)
    with pytest.raises(TypeError, match="expects an Observable"):
        format([])  # type: ignore[arg-type]
    _, errors, _ = [], [], []
    reactivex.just("text").pipe(format).subscribe(print, errors.append)
    assert f"{format.name} expects the events of a response, got str" in str(errors[0])


@pytest.mark.parametrize("format", [to_sse(), to_ui_messages(), to_ag_ui("t", "r")], ids=lambda format: format.name)
def test_a_format_keeps_the_laws_of_operators(format: StreamFormat[Any]) -> None:
    operator_laws(lambda: format)


def test_the_text_of_an_error_is_yours() -> None:
    format = to_sse(text_of_error=lambda error: f"Sorry: {type(error).__name__}")
    errors: list[Exception] = []
    frames: list[Frame] = []
    reactivex.throw(ConnectError("x")).pipe(format).subscribe(frames.append, errors.append)
    assert json.loads(frames[0].data)["message"] == "Sorry: ConnectError"
    assert len(errors) == 1


def test_the_browser_is_told_once_when_to_connect_again() -> None:
    assert [frame.retry for frame in parts_of(EventFrames(retry=0.25), numbered())][:2] == [250, None]
    with pytest.raises(ValueError, match="0 seconds or more as retry"):
        to_sse(retry=-1)
