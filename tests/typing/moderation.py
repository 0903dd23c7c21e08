"""What moderation makes of a type, and which checks it takes."""

from typing import Literal, assert_type

import reactivex
from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.events import StreamingEvent
from rxstream.moderation import Blocklist, ModerationFlaggedEvent, OpenAIModeration, Verdict, Window, patterns


def plain(window: Window) -> bool:
    return "bad" in window.text


async def later(window: Window) -> Verdict:
    return Verdict(plain(window))


def one_day(window: Window) -> Observable[Verdict]:
    return reactivex.just(Verdict(plain(window)))


def decide(verdict: Verdict) -> Literal["cut", "replace"]:
    return "replace" if verdict.spans else "cut"


def events(source: Observable[StreamingEvent], session: rxstream.Session) -> None:
    assert_type(source.pipe(rxs.debounce_moderation(plain)), Observable[StreamingEvent])
    assert_type(source.pipe(rxs.debounce_moderation([plain, later, one_day]), rxs.text_only()), Observable[str])
    block = Blocklist(["bad"])
    moderation = OpenAIModeration(session, thresholds={"hate": 0.5})
    moderated = source.pipe(rxs.debounce_moderation((block, moderation), on_flag=decide, include=("text", "code")))
    private = patterns.combine(patterns.email(), patterns.payment_card(), reversible=True)
    assert_type(
        source.pipe(rxs.debounce_moderation([(private, "replace"), (moderation, "cut")])), Observable[StreamingEvent]
    )
    assert_type(private.table.restore("[EMAIL_1]"), str)
    assert_type(source.pipe(rxs.gate_until(moderation(Window("hi"))), rxs.text_only()), Observable[str])
    source.pipe(rxs.gate_until(lambda: later(Window("hi")), on_flag="refuse", timeout=2))
    source.pipe(rxs.gate_until(later(Window("hi")), on_check_error="error"))
    assert_type(moderated, Observable[StreamingEvent])
    assert_type(moderated.pipe(rxs.of_type(ModerationFlaggedEvent)), Observable[ModerationFlaggedEvent])


def texts(source: Observable[str]) -> None:
    assert_type(source.pipe(rxs.debounce_moderation_text(plain, mode="hold")), Observable[str])
