"""Every Python block of the documentation runs, offline, and prints what its page says; so does every example.

A program that names no server finds one in its environment: `OPENAI_BASE_URL` and `OPENAI_API_KEY` are those of a
`LocalServer` that answers what is asked for, as `python -m rxstream.testing` does. Where a ` ```text ` block follows a
program, it is what the program prints.
"""

import ast
import inspect
import io
import linecache
import re
import runpy
import signal
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import anyio
import pytest

from rxstream import probes
from rxstream.testing import LocalServer
from rxstream.testing._sample_answer import sample_answer
from tests.docs._blocks import FOREIGN, PAGES, ROOT, Block, foreign, hosted, installed, programs
from tests.docs._services import services
from tests.laws._operators import OPERATORS

PROGRAMS = [program for page in PAGES for program in programs(page) if not hosted(program)]
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*.py") if not path.name.startswith("_"))
SECONDS = 30
SCREEN = 64
"""Lines."""
SAID = "Hello from a server on your own machine."
BEFORE_THE_TREE = {
    "decode_sse",
    "parse_events",
    "normalize",
    "group_by_content_part",
    "debounce_moderation_text",
    "lift",
}
"""Operators that nobody looks for by what he wants of a stream: the table has them."""


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer([lambda request: sample_answer(request, SAID)], api_key="sk-local") as running:
        yield running


@pytest.fixture(scope="module")
def other_services() -> Iterator[dict[str, str]]:
    with services() as variables:
        yield variables


@pytest.fixture
def environment(
    server: LocalServer, other_services: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a user has set; and a folder to write into. Nothing ran in this process before."""
    probes.clear()
    monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")  # it would send to OpenAI
    monkeypatch.chdir(tmp_path)
    for name, value in other_services.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: str(program[0]))
def test_the_block_runs_and_prints_what_the_page_says(program: list[Block], monkeypatch: pytest.MonkeyPatch):
    modules = foreign(program)
    if missing := [FOREIGN[module] for module in modules if not installed(module)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if modules:
        (block,) = program
        assert block.prints is not None
        assert lines(printed_by_process(block)) == lines(block.prints), f"{block} prints something else"
        return
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    for block in program:
        printed = io.StringIO()
        with redirect_stdout(printed), at_most(SECONDS, str(block)):
            execute(block, module.__dict__)
        if block.prints is not None:
            assert lines(printed.getvalue()) == lines(block.prints), f"{block} prints something else"


def printed_by_process(block: Block) -> str:
    """What a block prints in a process of its own, where the warnings and threads of other packages stay."""
    done = subprocess.run(
        [sys.executable, "-c", block.code], capture_output=True, text=True, timeout=4 * SECONDS, check=False
    )
    assert done.returncode == 0, f"{block} failed:\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_runs_offline(example: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", [str(example)])
    printed = io.StringIO()
    with redirect_stdout(printed), at_most(SECONDS, example.name):
        runpy.run_path(str(example), run_name="__main__")
    assert printed.getvalue().strip(), "an example shows something"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_example_fits_on_a_screen(example: Path):
    assert len(example.read_text("utf-8").splitlines()) <= SCREEN


def execute(block: Block, names: dict[str, Any]) -> None:
    """Run a block as if it stood in its page; `await` outside functions is allowed, as in `python -m asyncio`."""
    source = "\n" * (block.line - 1) + block.code
    name = str(block)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    code = compile(source, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if code.co_flags & inspect.CO_COROUTINE:

        async def awaited() -> None:
            await eval(code, names)

        anyio.run(awaited)
    else:
        exec(code, names)


@contextmanager
def at_most(seconds: float, what: str) -> Iterator[None]:
    """Raise `TimeoutError` in the block where it takes longer; where there are no signals, wait for ever."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def late(*_: object) -> None:
        raise TimeoutError(f"{what} takes longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def lines(text: str) -> list[str]:
    """What is printed, without what nobody sees."""
    return [line.rstrip() for line in text.strip().splitlines()]


def test_the_reference_has_an_example_of_every_operator_and_a_place_in_its_tree():
    page = (ROOT / "docs" / "reference" / "operators.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", page, flags=re.DOTALL | re.MULTILINE))
    tree = page.partition("## Which operator do I need?")[2].partition("\n## ")[0]
    for name in [*OPERATORS, "lift"]:
        assert f"[`{name}`](#{name})" in page, f"{name} is not in the table"
        assert f"rxs.{name}(" in sections.get(name, ""), f"{name} has no example"
        assert name in tree or name in BEFORE_THE_TREE, f"{name} is not in the tree"
