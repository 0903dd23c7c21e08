"""A chat that shows nothing before two checks have passed it: a list of secrets, then a slow service.

python examples/moderated_chat.py            a server on this machine answers: no key, no network
python examples/moderated_chat.py --live     OPENAI_API_KEY; the second check is then the moderation endpoint
"""

import re
import sys
import time
from typing import Literal

import anyio

import rxstream
from rxstream import operators as rxs
from rxstream.events import ResponseOutputTextDeltaEvent
from rxstream.moderation import Blocklist, ModerationCheck, ModerationFlaggedEvent, OpenAIModeration, Verdict, Window
from rxstream.testing import LocalServer, answers

ANSWER = """Two brothers from Lyon built the vault in 1902. To see it, call the janitor: 555-0142. \
Nobody has opened it by force yet. The guard sleeps from two to four. Bring a torch, and come by the river."""
SECRETS = Blocklist([re.compile(r"\d{3}-\d{4}")], category="phone number")


async def service(window: Window) -> Verdict:
    """Stands for a moderation service: it takes its time, and also looks at what comes before the window."""
    await anyio.sleep(0.3)
    burglary = "guard sleeps" in window.context + window.text
    return Verdict(burglary, categories=("illicit",) if burglary else ())


def decide(verdict: Verdict) -> Literal["replace", "cut"]:
    """A secret is replaced; anything else ends the answer."""
    return "replace" if verdict.spans else "cut"


def chat(session: rxstream.Session, second: ModerationCheck) -> None:
    began = time.perf_counter()
    checked = session.response(model="gpt-4o-mini", input="Tell me about the vault.").pipe(
        rxs.debounce_moderation([SECRETS, second], on_flag=decide, replacement="[removed]", max_chars=60)
    )
    for event in rxstream.iterate(checked):
        at = f"{time.perf_counter() - began:4.1f} s |"
        if isinstance(event, ResponseOutputTextDeltaEvent):
            print(at, event.delta)
        elif isinstance(event, ModerationFlaggedEvent):
            print(at, f"  [{event.action}: {', '.join(event.verdict.categories)}]")


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            chat(live, OpenAIModeration(live))
    else:
        script = [answers.text(ANSWER)]
        with LocalServer(script, pace=40) as server, rxstream.Session("none", base_url=server.base_url) as local:
            chat(local, service)
