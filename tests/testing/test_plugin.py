"""The kit as a user gets it: its names, and its pytest plugin."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from rxstream import testing

ROOT = Path(__file__).parents[2]

A_USER_S_TEST = """
import httpx
import reactivex

def test_server(rxstream_server):
    rxstream_server.say("Hello.")
    got = httpx.post(f"{rxstream_server.base_url}/responses", json={"input": "Hi"}).json()
    assert got["output"][0]["content"][0]["text"] == "Hello."

def test_clock(rxstream_clock):
    seen = []
    reactivex.timer(5).subscribe(seen.append, scheduler=rxstream_clock.scheduler)
    rxstream_clock.advance(5)
    assert seen == [0]
"""


def test_the_fixtures_work_in_a_user_s_project(tmp_path: Path):
    (tmp_path / "test_mine.py").write_text(A_USER_S_TEST, "utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "rxstream.testing.plugin", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "2 passed" in run.stdout, run.stdout + run.stderr


def test_the_plugin_is_announced():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"rxstream": "rxstream.testing.plugin"}


def test_the_plugin_loads_nothing_of_the_kit():
    code = "import sys, rxstream.testing.plugin; print(*(m for m in sys.modules if m.startswith('rxstream.testing')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert loaded.split() == ["rxstream.testing", "rxstream.testing.plugin"]


@pytest.mark.parametrize("name", testing.__all__)
def test_every_public_name_is_there_and_documented(name: str):
    value = getattr(testing, name)
    assert name in dir(testing)
    assert name == "LAWS" or value.__doc__


def test_no_name_is_left_out():
    assert {*testing._HOME, "answers", "marbles"} == set(testing.__all__)
    for name, module in testing._HOME.items():
        assert getattr(import_module(f"rxstream.testing.{module}"), name) is getattr(testing, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        testing.nothing
