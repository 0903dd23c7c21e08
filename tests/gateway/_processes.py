"""`rxstream serve` in processes of their own, which a test may kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.ports import free_port
from tests.waiting import BOUND, wait_for

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class ServeProcess:
    """One process."""

    process: subprocess.Popen[bytes]
    base_url: str

    def kill(self) -> None:
        """As `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        assert self.process.poll() is None, "rxstream serve has ended"
        try:
            url = self.base_url.removesuffix("/v1") + "/healthz"
            return httpx.get(url, trust_env=False, timeout=BOUND).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def serve_processes() -> Iterator[Callable[..., ServeProcess]]:
    """Starts processes with these arguments; all have ended afterwards."""
    running: list[ServeProcess] = []

    def start(*arguments: str) -> ServeProcess:
        port = free_port()
        command = [sys.executable, "-m", "rxstream", "serve", "--port", str(port), *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        running.append(ServeProcess(process, f"http://127.0.0.1:{port}/v1"))
        wait_for(running[-1].answers)
        return running[-1]

    try:
        yield start
    finally:
        for each in running:
            each.kill()
