"""Every recorded stream is read without unknown events, and dumped as it was sent."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxstream import events as ev
from rxstream.events._base import Model
from rxstream.sse import Decoder
from tests._given import STREAMS, each_stream, manifest, needs, recordings, stream_bytes


def data_of(body: bytes) -> list[str]:
    return [frame.data for frame in Decoder().feed(body) if frame.data != "[DONE]"]


def models_in(value: Any) -> Iterator[Model]:
    if isinstance(value, list):
        for entry in value:
            yield from models_in(entry)
    elif isinstance(value, Model):
        yield value
        for name in type(value).model_fields:
            yield from models_in(getattr(value, name))


def unknown_in(event: ev.StreamingEvent) -> list[Model]:
    unknown = (ev.UnknownEvent, ev.UnknownItem, ev.UnknownPart, ev.UnknownAnnotation)
    return [model for model in models_in(event) if isinstance(model, unknown)]


@needs(STREAMS)
@each_stream(sorted(manifest()))
def test_a_recorded_stream_is_read_and_dumped_as_it_was_sent(name: str) -> None:
    known = manifest()[name]
    parser = ev.EventParser()
    counts: Counter[str] = Counter()
    for data in data_of(stream_bytes(name)):
        event = ev.parse_event(data)
        assert json.loads(event.model_dump_json()) == json.loads(data)
        assert event.model_dump() == json.loads(data)
        assert parser.parse(data) == event
        assert not unknown_in(event)
        counts[event.type] += 1
    assert counts == known["event_counts"]
    assert counts.total() == known["events"]


@needs(STREAMS)
def test_recorded_streams_can_be_read_strictly() -> None:
    for name in manifest():
        for data in data_of(stream_bytes(name)):
            assert ev.parse_event(data, strict=True) == ev.parse_event(data)


@pytest.mark.parametrize("path", recordings(), ids=lambda path: path.stem)
def test_a_recording_of_a_local_server_is_read_and_dumped_as_it_was_sent(path: Path) -> None:
    for data in data_of(path.read_bytes()):
        event = ev.parse_event(data)
        assert json.loads(event.model_dump_json()) == json.loads(data)
        if json.loads(data).get("type") in (None, "response.error"):  # errors of llama.cpp and of codex-rosetta
            assert isinstance(event, ev.UnknownEvent)
        else:
            assert not unknown_in(event)
