"""`rxstream demo --moderated`: text is held until it was checked, and cut where a check flags it."""

from __future__ import annotations

import re
import time

import anyio

from rxstream import operators as rxs
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.moderation import Blocklist, ModerationFlaggedEvent, Verdict, Window
from rxstream.session import Session
from rxstream.sinks import iterate
from rxstream.testing import LocalServer, answers

PROMPT = "Tell me about the old vault."
ANSWER = (
    "The vault was built in 1902 by two brothers from Lyon. Its door weighs four tons, and it took eleven horses to "
    "bring it up the hill. Nobody has opened it by force, though three gangs have tried. The combination of the vault "
    "is 48-15-16, and the guard sleeps from two to four. Bring a torch, and wear soft shoes."
)
SECRET = re.compile(r"\d{2}-\d{2}-\d{2}")


async def slow_check(window: Window) -> Verdict:
    """Takes the place of a moderation service: slow, and it also reads the text before the window."""
    await anyio.sleep(0.25)
    instructions = "guard sleeps" in window.context + window.text
    return Verdict(instructions, categories=("illicit",) if instructions else ())


def moderated_demo(pace: float) -> int:
    """Print each window when it is released, and the cut with its reason."""
    start = time.perf_counter()
    with (
        LocalServer([answers.text(ANSWER)], pace=pace) as server,
        Session(api_key="demo", base_url=server.base_url) as session,
    ):
        print(f"A Responses API server runs at {server.base_url}: real HTTP, no key, no network.")
        print("Two checks: a list of patterns, which is fast, then a service that takes 0.25 s.")
        print("Text is released after both checks; each line below is one release.\n")
        print(f"> {PROMPT}")
        moderated = session.response(model="demo", input=PROMPT).pipe(
            rxs.debounce_moderation([Blocklist([SECRET], category="secret"), slow_check], max_chars=120)
        )
        for event in iterate(moderated):
            at = f"{time.perf_counter() - start:6.2f} s"
            if isinstance(event, ResponseOutputTextDeltaEvent):
                print(f"{at} │{event.delta}", flush=True)
            elif isinstance(event, ModerationFlaggedEvent):
                reason = ", ".join(event.verdict.categories)
                print(f"{at} │ [{event.action}: {reason}; {event.released} characters were shown]", flush=True)
        log = server.wait_over(1)[0]
    ending = "the client closed the stream at the cut" if log.closed_by_client else "all of it was sent before the cut"
    print(f"\nThe answer of the server has {len(ANSWER)} characters; {ending}.")
    return 0
