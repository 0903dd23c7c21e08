"""LaunchDarkly's SSE contract tests, those that apply to a client that POSTs, over real loopback HTTP."""

import re
import sys

import anyio
import pytest

from tests._given import SSE, needs
from tests.conformance._service import contract_test_service

SECONDS = 90
APPLICABLE = 101

# The replayer mostly sleeps between bytes, so it runs four times at once; together these match every name once.
SHARES = [r"^linefeeds/LF ", r"^linefeeds/CRLF s", r"^linefeeds/CR ", r"^(?!linefeeds/(LF |CRLF s|CR ))"]


@needs(SSE)
@pytest.mark.anyio
async def test_every_contract_test_that_applies_passes() -> None:
    said: dict[str, str] = {}

    async def replay(url: str, only: str) -> None:
        command = [sys.executable, str(SSE / "ld_replay.py"), "--url", url, "--post", "applies", "--only", only]
        ended = await anyio.run_process([*command, "--max-seconds", str(SECONDS - 10)], check=False)
        said[only] = ended.stdout.decode() + ended.stderr.decode()

    with anyio.fail_after(SECONDS):
        async with contract_test_service() as url, anyio.create_task_group() as tasks:
            for only in SHARES:
                tasks.start_soon(replay, url, only)

    everything = "\n".join(said.values())
    counts = re.findall(r"^(\d+) passed, (\d+) failed", everything, re.MULTILINE)
    assert [int(failed) for _, failed in counts] == [0] * len(SHARES), everything
    assert sum(int(passed) for passed, _ in counts) == APPLICABLE, everything
