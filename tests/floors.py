"""The lowest versions that pyproject.toml declares, installed and tried: `python tests/check.py floors`.

A virtual environment of its own gets exactly these versions of what the package needs, and of pytest, hypothesis and
trio. The demo and the tests below run in it. They need no other packages.
"""

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS_NEED = ("pytest", "hypothesis", "trio")
TESTS = (
    *(f"tests/session/test_{name}.py" for name in ("session", "endings", "leaving", "retries", "recording")),
    *(f"tests/session/test_{name}.py" for name in ("request_json", "transports", "context_variables")),
    "tests/transport/http/test_proxies.py",
    "tests/sinks/test_iterate_session.py",
)


def floors() -> list[str]:
    """Requirements such as `httpx==0.27`, for `httpx>=0.27`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_tests = [line for line in project["optional-dependencies"]["dev"] if line.split(">=")[0] in TESTS_NEED]
    return [line.replace(">=", "==") for line in [*project["dependencies"], *of_tests]]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"

        def run(*words: str) -> None:
            subprocess.run([python, "-m", *words], cwd=ROOT, check=True)

        print(*floors(), flush=True)
        run("pip", "install", "-q", "--disable-pip-version-check", *floors(), str(ROOT))
        run("rxstream", "demo")
        run("pytest", *TESTS)


if __name__ == "__main__":
    main()
