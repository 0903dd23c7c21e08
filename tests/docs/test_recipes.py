"""The programs of `docs/how-to/use-it-with.md`, run by the packages that they are for (the extra `recipes`).

Each shows the answer, and closes the socket to the model when somebody leaves.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest

from rxstream.testing import LocalServer, answers
from tests.docs._blocks import HOSTS, PAGES, ROOT, Block, foreign, hosted, programs
from tests.docs.test_blocks import execute
from tests.waiting import BOUND

PAGE = ROOT / "docs" / "how-to" / "use-it-with.md"
SAID = "The *Nile*, the Rhine."
SECONDS = 120


def block_with(module: str) -> Block:
    ((block,),) = [program for program in programs(PAGE) if module in foreign(program)]
    return block


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    with LocalServer([SAID], api_key="sk-local") as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
        yield server


def test_every_program_that_a_package_runs_itself_is_tried_here() -> None:
    found = [hosted(program) for page in PAGES for program in programs(page) if hosted(program)]
    assert sorted(found) == [[module] for module in HOSTS]


# ---------------------------------------------------------------------- notebooks


def in_async_form(code: str) -> str:
    return re.sub(r"^( *)(with|for) ", r"\1async \2 ", code, flags=re.MULTILINE)


@pytest.fixture
def notebook() -> Iterator[Any]:
    """A kernel, and a function that runs a cell in it and returns its outputs."""
    reason = "not installed: nbclient and ipykernel"
    nbclient, nbformat = pytest.importorskip("nbclient", reason=reason), pytest.importorskip("nbformat", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    client = nbclient.NotebookClient(nbformat.v4.new_notebook(), timeout=SECONDS, kernel_name="python3")

    def run(code: str) -> list[Any]:
        cell = nbformat.v4.new_code_cell(code)
        client.nb.cells.append(cell)
        client.execute_cell(cell, len(client.nb.cells) - 1)
        return cell.outputs

    with client.setup_kernel():
        run.client = client
        yield run


@pytest.mark.filterwarnings("ignore")  # of jupyter_client and its sockets
@pytest.mark.parametrize("form", [str, in_async_form])
def test_a_cell_shows_the_answer(form: Any, model: LocalServer, notebook: Any) -> None:
    cell = form(block_with("IPython").code)
    (shown,) = notebook(cell)
    assert shown["data"]["text/markdown"] == SAID
    (shown,) = notebook(cell)
    assert shown["data"]["text/markdown"] == SAID
    assert notebook("print(1)")[0]["text"] == "1\n"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", [str, in_async_form])
def test_interrupting_a_cell_closes_the_socket(form: Any, model: LocalServer, notebook: Any) -> None:
    from nbclient.exceptions import CellExecutionError

    def interrupt() -> None:
        model.wait_requests(1, timeout=BOUND)
        os.kill(notebook.client.km.provisioner.pid, signal.SIGINT)

    model.say(answers.endless("na ", pace=100))
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(CellExecutionError, match=r"KeyboardInterrupt|CancelledError"):
        notebook(form(block_with("IPython").code))
    thread.join()
    model.wait_closed(1, timeout=BOUND)
    assert notebook("print(1)")[0]["text"] == "1\n"


@pytest.mark.filterwarnings("ignore")
def test_a_plain_session_may_be_entered_in_one_cell_and_left_in_another(model: LocalServer, notebook: Any) -> None:
    notebook("import rxstream\nfrom rxstream import operators as rxs\nsession = rxstream.Session().__enter__()")
    notebook("answer = session.response(model='any', input='Hi').pipe(rxs.text_only(), rxs.coalesce(0.1))")
    assert notebook("print(''.join(rxstream.iterate(answer)))")[0]["text"] == f"{SAID}\n"
    assert notebook("session.__exit__(None, None, None)") == []


# ---------------------------------------------------------------------- Streamlit


@pytest.fixture
def streamlit_app() -> Any:
    testing = pytest.importorskip("streamlit.testing.v1", reason="not installed: streamlit")
    return testing.AppTest.from_string(block_with("streamlit").code, default_timeout=SECONDS)


@pytest.mark.filterwarnings("ignore")  # of Streamlit outside of its server
def test_streamlit_shows_the_answer_and_keeps_what_was_said(streamlit_app: Any, model: LocalServer) -> None:
    app = streamlit_app.run()
    for question in ("Rivers?", "Again?"):
        app.chat_input[0].set_value(question).run()
        assert not app.exception
    said = [(message.name, [each.value for each in message.markdown]) for message in app.chat_message]
    assert said == [("user", ["Rivers?"]), ("assistant", [SAID]), ("user", ["Again?"]), ("assistant", [SAID])]
    assert [exchange.json["input"] for exchange in model.log] == ["Rivers?", "Again?"]


@pytest.mark.filterwarnings("ignore")
def test_stopping_a_streamlit_script_closes_the_socket(streamlit_app: Any, model: LocalServer) -> None:
    app = streamlit_app.run()
    model.say(answers.endless("na ", pace=100))
    with pytest.raises(RuntimeError, match="timed out"):  # then AppTest stops the script, as the button does
        app.chat_input[0].set_value("Sing.").run(timeout=2)
    model.wait_closed(1, timeout=BOUND)


@pytest.mark.filterwarnings("ignore")
def test_streamlit_shows_what_came_before_an_error_and_the_error(streamlit_app: Any, model: LocalServer) -> None:
    app = streamlit_app.run()
    model.say(answers.failed("server_error", "It broke.", partial_text="The Nile,"))
    app.chat_input[0].set_value("Rivers?").run()
    assert app.chat_message[1].markdown[0].value == "The Nile,"
    assert "It broke." in app.exception[0].message


# ---------------------------------------------------------------------- Textual


@pytest.fixture
def textual_app() -> Any:
    pytest.importorskip("textual", reason="not installed: textual")
    module = types.ModuleType("textual_recipe")
    execute(block_with("textual"), module.__dict__)
    return module.Chat()


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_textual_shows_the_answer_and_leaves_the_one_before(textual_app: Any, model: LocalServer) -> None:
    from textual.widgets import Input, Markdown

    def shown() -> list[str]:
        return [view.source for view in textual_app.query(Markdown)]

    async with textual_app.run_test() as pilot:
        textual_app.query_one(Input).focus()
        await pilot.press("a", "enter")
        await textual_app.workers.wait_for_complete()
        await pilot.pause()
        assert shown() == [SAID]
        model.say(answers.endless("na ", pace=100))
        await pilot.press("b", "enter")
        await model.until_requests(2, timeout=BOUND)
        await pilot.press("c", "enter")
        await model.until_closed(1, timeout=BOUND)
        await model.until_requests(3, timeout=BOUND)
        assert shown()[0] == SAID
    await model.until_closed(2, timeout=BOUND)  # the app has ended
    assert [exchange.json["input"] for exchange in model.log] == ["a", "ab", "abc"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_textual_notifies_of_an_error(textual_app: Any, model: LocalServer) -> None:
    from textual.widgets import Input, Markdown

    model.say(answers.failed("server_error", "It broke.", partial_text="The Nile,"))
    async with textual_app.run_test(notifications=True) as pilot:
        textual_app.query_one(Input).focus()
        await pilot.press("a", "enter")
        await textual_app.workers.wait_for_complete()
        await pilot.pause()
        (notification,) = textual_app._notifications
        assert "It broke." in notification.message
        assert textual_app.query_one(Markdown).source == "The Nile,"


# ---------------------------------------------------------------------- the Agents SDK


def agents_program(code: str) -> str:
    """What a program prints in a process of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def without_tracing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("agents", reason="not installed: openai-agents")
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")


def changed(code: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        assert before in code
        code = code.replace(before, after)
    return code


A_TOOL = "def look(city: str) -> str:\n    return 'wet'\n"
A_FUNCTION = "async def upper(text: str) -> str:\n    await asyncio.sleep(0)\n    return text.upper()\n"


@pytest.mark.usefixtures("without_tracing")
def test_the_events_of_all_turns_of_an_agent_reach_the_operators(model: LocalServer) -> None:
    code = changed(
        block_with("agents").code,
        ("from agents import ", "from agents import function_tool, "),
        ('"gpt-4o-mini")', '"gpt-4o-mini", tools=[function_tool(look)])'),
    )
    model.say(answers.function_calls([("look", {"city": "Bonn"})]), "It is wet. The Rhine.")
    assert agents_program(A_TOOL + code) == "It is wet.\nThe Rhine.\n"
    assert len(model.log) == 2


@pytest.mark.usefixtures("without_tracing")
def test_operators_that_await_have_a_session_around_the_run_of_an_agent(model: LocalServer) -> None:
    code = changed(
        block_with("agents").code,
        ("rxs.sentences()", "rxs.sentences(), rxs.map_async(upper)"),
        (
            "asyncio.run(main())",
            "async def around() -> None:\n    async with rxstream.Session():\n        await main()",
        ),
    )
    model.say("It is wet. The Rhine.")
    assert agents_program(f"import rxstream\n{A_FUNCTION}{code}\nasyncio.run(around())") == "IT IS WET.\nTHE RHINE.\n"


@pytest.mark.usefixtures("without_tracing")
def test_cancelling_the_run_of_an_agent_closes_the_socket(model: LocalServer) -> None:
    model.say(answers.endless("na ", pace=100))
    leaves = " " * 16 + "if 'delta' in event.data.type:\n" + " " * 20 + "break\n"
    code = changed(
        block_with("agents").code,
        ("                events.on_next", f"{leaves}                events.on_next"),
        ("        run.cancel()", "        run.cancel()\n        await asyncio.sleep(3600)"),
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        model.wait_closed(1, timeout=SECONDS)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
