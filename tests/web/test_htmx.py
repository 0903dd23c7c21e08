"""The page of htmx in docs/how-to/stream-to-a-browser.md, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse

from rxstream.testing import LocalServer, answers
from tests.docs._blocks import ROOT, blocks_of
from tests.docs.test_blocks import execute
from tests.waiting import wait_for
from tests.web._clients import FOLDER, SECONDS, browser, needs_chromium, needs_node
from tests.web._serving import served

pytestmark = [needs_chromium, needs_node]

HTMX = FOLDER / "node_modules" / "htmx.org" / "dist"
REPORTS = """
<script>
  addEventListener("load", () => {
    document.querySelector("input").value = "Rivers?";
    document.querySelector("form").requestSubmit();
    const report = () => fetch("/report", {
      method: "POST",
      body: JSON.stringify([document.getElementById("answer").textContent, !!document.querySelector("b")]),
    });
    new MutationObserver(report).observe(document.getElementById("answer"), { childList: true });
  });
</script>
"""


@contextmanager
def page_shown(model: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Ask a question in the page. What is in the answer is reported whenever it changes."""
    page = ROOT / "docs" / "how-to" / "stream-to-a-browser.md"
    blocks = blocks_of(page, page.read_text("utf-8"))
    ((number, program),) = [(n, block) for n, block in enumerate(blocks) if "StreamFormat(" in block.code]
    names: dict[str, Any] = {"__name__": "htmx_page"}
    execute(program, names)
    app, reports = names["app"], []

    async def show(request: Request) -> HTMLResponse:
        return HTMLResponse(f"<!doctype html><meta charset=utf-8><body>{blocks[number + 1].code}{REPORTS}")

    async def script(request: Request) -> FileResponse:
        return FileResponse(next(HTMX.rglob(request.url.path[1:])))

    async def report(request: Request) -> JSONResponse:
        reports.append(await request.json())
        return JSONResponse({})

    app.add_route("/", show)
    app.add_route("/report", report, methods=["POST"])
    app.add_route("/htmx.min.js", script)
    app.add_route("/hx-sse.min.js", script)
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with served(app, lifespan=True) as url, browser(f"{url}/"):
        yield reports


def test_htmx_shows_each_piece_as_text_and_asks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = ["Rivers <b>of", " ", "\n", "\n  Europe</b>", " & more.", "\r\n!"]
    with LocalServer([answers.text(pieces)]) as model:
        with page_shown(model, monkeypatch) as reports:
            wait_for(lambda: reports and reports[-1][0].endswith("!"), SECONDS)
            assert reports[-1] == ["".join(pieces).replace("\r\n", "\n"), False]
        assert [exchange.json["input"] for exchange in model.log] == ["Rivers?"]


def test_the_stream_is_left_with_the_page_and_an_error_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalServer([answers.endless("na ", pace=50)]) as model:
        with page_shown(model, monkeypatch) as reports:
            wait_for(lambda: reports, SECONDS)
        model.wait_closed(timeout=SECONDS)
        model.say(answers.failed("server_error", "It broke.", partial_text="The Nile,"))
        with page_shown(model, monkeypatch) as reports:
            wait_for(lambda: reports and "broke off" in reports[-1][0], SECONDS)
        assert reports[-1][0] == "The Nile,The answer broke off."
