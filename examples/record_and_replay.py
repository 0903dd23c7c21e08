"""Record a stream, look at what is on the tape, and play it again: faster, and without the server.

python examples/record_and_replay.py            a server on this machine answers: no key, no network
python examples/record_and_replay.py --live     OPENAI_API_KEY, and OPENAI_BASE_URL if you have one
"""

import sys
import tempfile
import time
from pathlib import Path

from reactivex import Observable

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer
from rxstream.transport import read_tape

TAPE = Path(tempfile.gettempdir()) / "rxstream-example.tape"


def show(what: str, stream: Observable[rxstream.StreamingEvent]) -> None:
    began = time.monotonic()
    print(f"{what}: ", end="")
    for piece in rxstream.iterate(stream.pipe(rxs.text_only())):
        print(piece, end="", flush=True)
    print(f"   [{time.monotonic() - began:.2f} s]")


def main(session: rxstream.Session) -> None:
    show("live", session.response(model="gpt-4o-mini", input="Count to ten, in words."))


if __name__ == "__main__":
    if "--live" in sys.argv:
        with rxstream.Session(tape=TAPE) as live:
            main(live)
    else:
        said = ["one two three four five six seven eight nine ten"]
        with (
            LocalServer(said, pace=20) as server,
            rxstream.Session("none", base_url=server.base_url, tape=TAPE) as local,
        ):
            main(local)

    tape = read_tape(TAPE)
    times = [batch.at for batch in tape.batches if batch.at is not None]
    print(f"\n{TAPE}: {len(tape.frames)} frames over {times[-1] - times[0]:.2f} s, recorded {tape.header['created']}\n")

    with rxstream.Session() as player:  # no key, no server
        show("as it came", player.replay(TAPE))
        show("four times as fast", player.replay(TAPE, speed=4))
        show("at once", player.replay(TAPE, speed=None))
