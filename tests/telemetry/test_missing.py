"""Without OpenTelemetry: nothing of it is imported, and the option says what to install."""

from __future__ import annotations

import subprocess
import sys

HIDDEN = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


def output_of(code: str) -> str:
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return run.stdout.strip()


def test_a_session_imports_nothing_of_it() -> None:
    code = """
import sys, rxstream
from rxstream.testing import LocalServer, answers
with LocalServer([answers.text("Hello")]) as server:
    with rxstream.Session("sk", base_url=server.base_url) as session:
        session.response(model="m", input="Hi").subscribe()
print(*[name for name in sys.modules if name.startswith(("opentelemetry", "rxstream.telemetry"))])
"""
    assert output_of(code) == ""


def test_the_option_says_what_to_install() -> None:
    code = """
import rxstream.telemetry, rxstream
try:
    rxstream.Session("sk", telemetry=rxstream.telemetry.Telemetry())
except ModuleNotFoundError as error:
    print(error, error.name)
"""
    text = "Telemetry needs a package that is not installed: pip install 'rxstream[otel]' opentelemetry"
    assert output_of(HIDDEN + code) == text
