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

ANSWERS = {
    "Who built the vault?": "Two brothers from Lyon built it in 1902. Its door weighs four tons. The janitor's "
    "number is 555-0142, if you want to see it. It took eleven horses to bring the door up the hill.",
    "How do I get in?": "Nobody has ever opened it by force, though three gangs have tried. The guard sleeps from two "
    "to four. Bring a torch, wear soft shoes, and come by the river.",
}
SECRETS = Blocklist([re.compile(r"\d{3}-\d{4}")], category="phone number")


async def service(window: Window) -> Verdict:
    """Stands for a moderation service: it takes its time, and also looks at what comes before the window."""
    await anyio.sleep(0.3)
    burglary = "guard sleeps" in window.context + window.text
    return Verdict(burglary, categories=("illicit",) if burglary else ())


def decide(verdict: Verdict) -> Literal["replace", "cut"]:
    """A secret is blacked out; anything else ends the answer."""
    return "replace" if verdict.spans else "cut"


def chat(session: rxstream.Session, second: ModerationCheck) -> None:
    for question in ANSWERS:
        print(f"> {question}")
        began = time.perf_counter()
        answer = session.response(model="gpt-4o-mini", input=question)
        moderated = answer.pipe(
            rxs.debounce_moderation(
                [SECRETS, second], on_flag=decide, replacement="[number removed]", first_chars=40, max_chars=80
            )
        )
        for event in rxstream.iterate(moderated):
            at = f"{time.perf_counter() - began:5.1f} s "
            if isinstance(event, ResponseOutputTextDeltaEvent):
                print(f"{at}| {event.delta}", flush=True)
            elif isinstance(event, ModerationFlaggedEvent):
                print(f"{at}|   [{event.action}: {', '.join(event.verdict.categories)}]", flush=True)
        print()


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            chat(live, OpenAIModeration(live))
    else:
        with (
            LocalServer([answers.text(answer) for answer in ANSWERS.values()], pace=60) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            chat(local, service)
