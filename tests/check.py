"""Everything that is checked, one line each: `python tests/check.py`. Exits 1 where anything fails."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHECKS = {
    "format": ["ruff", "format", "--check", "."],
    "lint": ["ruff", "check", "."],
    "types": ["pyright"],
    "tests": ["pytest"],
}


def main(names: list[str]) -> int:
    failed = 0
    for name, command in CHECKS.items():
        if names and name not in names:
            continue
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name:8} {time.monotonic() - began:6.1f} s", flush=True)
        if done.returncode:
            failed = 1
            print(done.stdout + done.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
