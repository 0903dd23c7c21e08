"""`python -m rxstream.testing`, as the README tells newcomers to use it, and `python -m rxstream`."""

import re
import signal
import subprocess
import sys

import rxstream
from rxstream import operators as rxs
from rxstream.tools import ToolFinishedEvent
from tests.waiting import BOUND


def test_the_server_to_try_programs_with() -> None:
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    server = subprocess.Popen([sys.executable, "-m", "rxstream.testing"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        told = "".join(server.stdout.readline() for _ in range(3))
        address = re.search(r"export OPENAI_BASE_URL=(http://127\.0\.0\.1:\d+/v1)", told)
        assert address is not None
        with rxstream.Session(base_url=address[1]) as session:
            said = "".join(rxstream.iterate(session.response(model="m", input="Hi").pipe(rxs.text_only())))
            assert said.startswith("Double bubble bath")
            run = session.run(model="m", input="Hi", tools=[double])
            (finished,) = rxstream.iterate(run.pipe(rxs.of_type(ToolFinishedEvent)))
            assert finished.output == "2"
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=BOUND)
    assert server.returncode == 0


def test_the_package_is_the_command_too() -> None:
    run = subprocess.run([sys.executable, "-m", "rxstream", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"rxstream {rxstream.__version__}\n"
