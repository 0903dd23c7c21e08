"""Citations and files of the answer, each once, with its text."""

from typing import Any

import pytest
from reactivex import operators as ops

from rxstream import operators as rxs
from rxstream.events import (
    ContainerFileCitationAnnotation,
    FileCitationAnnotation,
    FilePathAnnotation,
    MessageItem,
    OutputItem,
    OutputTextPart,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    StreamingEvent,
    UnknownAnnotation,
    UrlCitationAnnotation,
)
from rxstream.testing import answers
from tests._given import STREAMS, needs
from tests.operators._recorded import NAMES, WHOLE, final, recorded, run

WIKI = {"type": "url_citation", "url": "https://example.org", "title": "Wiki", "start_index": 4, "end_index": 8}
BOOK = {"type": "file_citation", "file_id": "file-1", "filename": "book.pdf", "index": 3}
PLOT = {
    "type": "container_file_citation",
    "container_id": "c-1",
    "file_id": "file-2",
    "filename": "plot.png",
    "start_index": 0,
    "end_index": 3,
}
PATH = {"type": "file_path", "file_id": "file-3", "index": 1}
ODD = {"type": "acme:footnote", "note": "see below"}


def cited(*annotations: dict[str, Any], said: str = "The text.") -> list[StreamingEvent]:
    return answers.events_of(answers.text(said, annotations=annotations))


def without_added(events: list[StreamingEvent]) -> list[StreamingEvent]:
    return [event for event in events if not isinstance(event, ResponseOutputTextAnnotationAddedEvent)]


def test_each_kind_has_its_type_and_the_text_it_is_about():
    found = run(cited(WIKI, BOOK, PLOT, PATH, ODD), rxs.annotations())
    assert [(type(one.annotation), one.text) for one in found] == [
        (UrlCitationAnnotation, "text"),
        (FileCitationAnnotation, None),
        (ContainerFileCitationAnnotation, "The"),
        (FilePathAnnotation, None),
        (UnknownAnnotation, None),
    ]
    assert {(one.output_index, one.content_index) for one in found} == {(0, 0)}
    assert found[0].item_id.startswith("msg_")


def test_what_only_the_done_events_bring_is_emitted_then():
    events = cited(WIKI, BOOK, PLOT, PATH, ODD)
    assert run(without_added(events), rxs.annotations()) == run(events, rxs.annotations())


def test_what_only_the_last_event_brings_is_emitted_then():
    events = cited(WIKI, BOOK)
    found = run([events[0], events[-1]], rxs.annotations())
    assert [(one.annotation.type, one.text) for one in found] == [("url_citation", "text"), ("file_citation", None)]


def test_the_same_page_cited_twice_is_emitted_twice():
    assert len(run(cited(BOOK, BOOK), rxs.annotations())) == 2
    assert len(run(without_added(cited(BOOK, BOOK)), rxs.annotations())) == 2


def test_of_two_that_are_equal_one_may_be_told_by_its_event_and_one_by_the_done_event():
    events = cited(BOOK, BOOK)
    added = [event for event in events if isinstance(event, ResponseOutputTextAnnotationAddedEvent)]
    assert len(run([event for event in events if event is not added[0]], rxs.annotations())) == 2


def test_a_copy_with_a_title_that_came_later_is_the_same():
    bare = {name: value for name, value in WIKI.items() if name != "title"}
    events = cited(bare)
    titled = cited(WIKI)
    mixed = [*(event for event in events if "annotation" in event.type), *titled[-4:]]
    assert len(run(mixed, rxs.annotations())) == 1


def test_one_that_comes_before_its_text_waits_for_it():
    events = cited(WIKI)
    added = next(event for event in events if isinstance(event, ResponseOutputTextAnnotationAddedEvent))
    rest = [event for event in events if event is not added]
    assert [one.text for one in run([*rest[:4], added, *rest[4:]], rxs.annotations())] == ["text"]


@pytest.mark.parametrize("known", [4, 5, 6, 7])
def test_where_its_text_never_comes_it_is_about_as_much_as_came(known: int):
    events = cited(WIKI, said="The te")
    added = next(event for event in events if isinstance(event, ResponseOutputTextAnnotationAddedEvent))
    rest = [event for event in events if event is not added]
    found = run([*rest[:4], added, *rest[4:known]], rxs.annotations())
    assert [one.text for one in found] == ["te" if known > 5 else ""]


@pytest.mark.parametrize("span", [(3, 2), (-2, 3), (None, 4), (4, None)])
def test_indices_that_name_no_text_give_none(span: tuple[Any, Any]):
    odd = {**WIKI, "start_index": span[0], "end_index": span[1]}
    assert [one.text for one in run(cited(odd), rxs.annotations())] == [None]


def test_items_that_interleave_keep_their_own_texts():
    answer = answers.together(
        answers.text("The text.", annotations=[WIKI]), answers.text("And then.", annotations=[WIKI]), interleaved=True
    )
    found = run(answers.events_of(answer), rxs.annotations())
    assert [(one.output_index, one.text) for one in found] == [(0, "text"), (1, "then")]


@needs(STREAMS)
def test_every_annotation_of_the_recorded_streams_comes_once_with_its_text():
    count = 0
    for name in NAMES:
        events = list(recorded(name))
        done = {event.output_index: event.item for event in events if isinstance(event, ResponseOutputItemDoneEvent)}
        assert run(events, told) == noted(done), name
        assert run(without_added(events), told) == noted(done), name
        count += len(noted(done))
    assert count == 42


@needs(STREAMS)
def test_the_last_event_alone_brings_every_annotation():
    count = 0
    for name in WHOLE:
        expected = noted(dict(enumerate(final(name).output)))
        assert run(recorded(name)[-1:], told) == expected, name
        count += len(expected)
    assert count == 18


def told(source: Any) -> Any:
    return source.pipe(
        rxs.annotations(),
        ops.map(lambda one: (one.output_index, one.content_index, one.annotation, one.text)),
    )


def noted(items: dict[int, OutputItem]) -> list[tuple[Any, ...]]:
    """What items know of their own annotations."""
    return [
        (index, number, annotation, _slice(part.text, annotation))
        for index, item in items.items()
        if isinstance(item, MessageItem)
        for number, part in enumerate(item.content)
        if isinstance(part, OutputTextPart)
        for annotation in part.annotations
    ]


def _slice(said: str, annotation: Any) -> str | None:
    start = getattr(annotation, "start_index", None)
    return None if start is None else said[start : annotation.end_index]
