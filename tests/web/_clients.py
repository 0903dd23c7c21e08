"""The clients of the formats: Node with the packages of `node/package.json`, and Chromium.

`npm ci --prefix tests/web/node` installs the packages. Without Node, the packages or Chromium the tests that need them
are skipped; where the variable CI is set they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "node"
SECONDS = 240

_CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
_REQUIRED = os.environ.get("RXSTREAM_CLIENTS") == "required"


def _skipped(missing: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(missing and not _REQUIRED, reason=reason)


needs_node = _skipped(
    shutil.which("node") is None or not all((FOLDER / "node_modules" / name).is_dir() for name in ("ai", "openai")),
    "Node or its packages are missing: npm ci --prefix tests/web/node",
)
needs_chromium = _skipped(not _CHROMIUM, "Chromium is missing: apt-get install chromium")


def run_node(script: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a script makes of JSON. Raises: AssertionError: it failed; with what it printed."""
    done = subprocess.run(
        ["node", script],
        cwd=FOLDER,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@cache
def bundled(script: str) -> str:
    """A script of the folder with all that it imports, for a page."""
    command = ["node", "node_modules/esbuild/bin/esbuild", script, "--bundle", "--format=iife", "--jsx=automatic"]
    define = ['--define:process.env.NODE_ENV="production"']
    done = subprocess.run([*command, *define], cwd=FOLDER, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@contextmanager
def browser(url: str) -> Iterator[None]:
    """Show a page in headless Chromium, until the block is left."""
    # Chromium's other processes may write for a moment after it has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        process = subprocess.Popen(
            [_CHROMIUM, *options, *quiet, f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(SECONDS)
