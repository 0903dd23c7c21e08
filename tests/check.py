"""Everything that is checked, one line each: `python tests/check.py`. Exits 1 where anything fails."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHECKS = [
    ("format", "ruff format --check ."),
    ("lint", "ruff check ."),
    ("types", "pyright"),
    ("types", "mypy"),
    ("types", "tests.typing.pages"),
    ("tests", "pytest"),
]
ON_DEMAND = [("floors", "tests.floors")]
"""Run only where they are named: they install packages."""


def main(names: list[str]) -> int:
    failed = 0
    for name, command in [*CHECKS, *ON_DEMAND] if names else CHECKS:
        if names and name not in names:
            continue
        began = time.monotonic()
        words = [sys.executable, "-m", *command.split()]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok  " if done.returncode == 0 else "FAIL"
        print(f"{verdict} {name:8} {command:22} {time.monotonic() - began:6.1f} s", flush=True)
        if done.returncode:
            failed = 1
            print(done.stdout + done.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
