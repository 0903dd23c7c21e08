"""What a gateway costs: `python -m tests.bench.gateway [--litellm PATH-OF-litellm]`.

The same streams are read from a local server, through the least that passes bytes on, through `rxstream serve`, through
it with a log in memory, and through LiteLLM's proxy, if its command is named. For each: the time from a request to its
first event, and CPU of the process between for each event. Every event comes and goes alone, as those of a model do, so
the kernel's part is large.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx

from rxstream.testing import LocalServer, answers
from tests.gateway._processes import ROOT
from tests.ports import free_port

STREAMS = 30
AT_ONCE = 10
EVENTS_A_SECOND = 100.0
ANSWER = answers.text("A word for each event. " * 30)
MODEL = "openai/gpt-4o"


def read(base_url: str, most: int = 1_000_000) -> tuple[float, int]:
    """Seconds to the first event, and how many there were, up to `most`."""
    body = {"model": "gpt-4o", "input": "Hi", "stream": True}
    began, first, count = time.perf_counter(), 0.0, 0
    with httpx.Client(trust_env=False, timeout=60.0) as client:
        headers = {"authorization": "Bearer sk-bench"}
        with client.stream("POST", f"{base_url}/responses", json=body, headers=headers) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    first = first or time.perf_counter() - began
                    count += 1
                    if count == most:
                        break
    return first, count


def processor_seconds(process: subprocess.Popen[bytes] | None) -> tuple[float, float]:
    """Of a process and its children: in their own code, and in the kernel."""
    if process is None:
        return 0.0, 0.0
    pids = [process.pid]
    for pid in pids:
        pids += [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    tick = os.sysconf("SC_CLK_TCK")
    return sum(int(each[11]) for each in fields) / tick, sum(int(each[12]) for each in fields) / tick


def measure(name: str, base_url: str, process: subprocess.Popen[bytes] | None = None) -> None:
    for _ in range(3):
        read(base_url, 1)
    alone = [read(base_url, 1)[0] for _ in range(10)]
    before = processor_seconds(process)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(read, [base_url] * STREAMS))
    after = processor_seconds(process)
    events = sum(count for _, count in results)
    own, kernel = ((then - now) / events * 1e6 for now, then in zip(before, after, strict=True))
    print(
        f"{name:28} first event {statistics.median(alone) * 1000:6.1f} ms alone, "
        f"{statistics.median(first for first, _ in results) * 1000:6.1f} ms of {AT_ONCE} at once; "
        f"{own:6.0f} µs of CPU an event, and {kernel:4.0f} in the kernel ({events // STREAMS} events a stream)",
        flush=True,
    )


@contextmanager
def running(command: list[str], base_url: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process, from its first answer on."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 120
        while True:
            try:
                if read(base_url, 6)[1] > 5:
                    break
            except httpx.TransportError:
                pass  # it is not up yet
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < give_up, "it does not answer"
            time.sleep(0.2)
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--litellm", help="the command of LiteLLM, of an environment of its own")
    options = parser.parse_args()
    with LocalServer([ANSWER], pace=EVENTS_A_SECOND) as server:
        measure("the server itself", server.base_url)
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "tests.bench._passing:app", "--port", str(port)]
        with running(command, f"http://127.0.0.1:{port}/v1", UPSTREAM=server.base_url) as process:
            measure("bytes, and nothing else", f"http://127.0.0.1:{port}/v1", process)
        for name, more in (("rxstream serve", []), ("rxstream serve, --relay memory", ["--relay", "memory"])):
            port = free_port()
            command = [sys.executable, "-m", "rxstream", "serve", "--port", str(port), "--upstream", server.base_url]
            with running([*command, *more], f"http://127.0.0.1:{port}/v1") as process:
                measure(name, f"http://127.0.0.1:{port}/v1", process)
        if options.litellm:
            port = free_port()
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as config:
                config.write(
                    "model_list:\n- model_name: gpt-4o\n  litellm_params:\n"
                    f"    model: {MODEL}\n    api_base: {server.base_url}\n    api_key: sk-bench\n"
                )
                config.flush()
                command = [options.litellm, "--config", config.name, "--port", str(port)]
                variables = {"LITELLM_MASTER_KEY": "sk-bench", "LITELLM_TELEMETRY": "False", "PYTHONPATH": ""}
                with running(command, f"http://127.0.0.1:{port}/v1", **variables) as process:
                    measure("LiteLLM's proxy", f"http://127.0.0.1:{port}/v1", process)


if __name__ == "__main__":
    main()
