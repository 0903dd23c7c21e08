"""`python -m rxstream.testing`, as the README tells newcomers to use it, and `python -m rxstream`."""

import re
import signal
import subprocess
import sys

import rxstream
from rxstream import operators as rxs
from tests.waiting import BOUND


def test_the_server_to_try_programs_with() -> None:
    run = subprocess.Popen([sys.executable, "-m", "rxstream.testing"], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        told = "".join(run.stdout.readline() for _ in range(3))
        address = re.search(r"export OPENAI_BASE_URL=(http://127\.0\.0\.1:\d+/v1)", told)
        assert address is not None
        with rxstream.Session(base_url=address[1]) as session:
            said = "".join(rxstream.iterate(session.response(model="m", input="Hi").pipe(rxs.text_only())))
        assert said.startswith("Double bubble bath")
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=BOUND)
    assert run.returncode == 0


def test_the_package_is_the_command_too() -> None:
    run = subprocess.run([sys.executable, "-m", "rxstream", "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"rxstream {rxstream.__version__}\n"
