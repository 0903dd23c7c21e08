"""One request and four readers: a screen, a file, a counter, and one that fails and harms no other.

python examples/fan_out.py            a server on this machine answers: no key, no network
python examples/fan_out.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
import tempfile
from pathlib import Path

import anyio
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.events import Response
from rxstream.testing import LocalServer

FILE = Path(tempfile.gettempdir()) / "rxstream-fan-out.txt"


def show(piece: str) -> None:
    print(piece, end="", flush=True)


async def save(response: Response) -> None:
    await anyio.Path(FILE).write_text(response.output_text, encoding="utf-8")
    print(f"\n[saved to {FILE}]")


def fail(word: str) -> str:
    raise ValueError(f"no use for the word {word!r}")


def main(session: rxstream.Session) -> None:
    answer = session.response(model="gpt-4o-mini", input="Name five rivers.").pipe(rxs.shared())
    answer.pipe(rxs.words(), ops.map(fail)).subscribe(show, lambda error: print(f"\n[one reader fails: {error}]"))
    answer.pipe(rxs.text_only()).subscribe(show)
    answer.pipe(rxs.words()).pipe(ops.count()).subscribe(lambda count: print(f"\n[{count} words]"))
    answer.pipe(rxs.final_response(), rxs.for_each_async(save)).subscribe()
    # leaving the session waits for all of them


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session() as live:
            main(live)
    else:
        with (
            LocalServer(["Loire, Vistula, Tagus, Danube and Rhine."], pace=40) as server,
            rxstream.Session("none", base_url=server.base_url) as local,
        ):
            main(local)
        print(f"\n[{len(server.log)} request]")
