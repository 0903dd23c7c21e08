"""Speak an answer while it is written: each sentence goes to a speech service as soon as it is whole.

python examples/speak_sentences.py            a server on this machine answers: no key, no network
python examples/speak_sentences.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import asyncio
import sys

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers

TEXT = "Dr. Moreau measured 3.14 metres of snow. Did anybody believe her? The next morning the village was gone."


async def synthesise(sentence: str) -> str:
    """Stands for a speech service. Return the sentence with its sound; here it has none."""
    await asyncio.sleep(0.2)
    return f"♪ {sentence}"


async def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="A very short story, please.")
    # two sentences are made at a time, and come out in their order; what waits pauses the stream
    sounds = answer.pipe(rxs.sentences(), rxs.map_async(synthesise, max_in_flight=2))
    async for sound in rxstream.iterate(sounds):
        print(sound, flush=True)  # play it here


async def live() -> None:
    async with rxstream.Session() as session:
        await main(session)


async def offline() -> None:
    with LocalServer([answers.text(TEXT)], pace=40) as server:
        async with rxstream.Session("none", base_url=server.base_url) as session:
            await main(session)


if __name__ == "__main__":
    asyncio.run(live() if "--live" in sys.argv else offline())
