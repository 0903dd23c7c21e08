"""The applications of the page "stream to a browser", served and asked as a browser asks them."""

from __future__ import annotations

import sys
import types
from typing import Any

import httpx
import pytest

from rxstream.testing import LocalServer, answers
from tests.docs._blocks import ROOT, programs
from tests.waiting import BOUND
from tests.web._serving import served

PROGRAMS = programs(ROOT / "docs" / "how-to" / "stream-to-a-browser.md")
MESSAGES = {"messages": [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}]}
RUN = {"threadId": "t", "runId": "r", "messages": [{"id": "m", "role": "user", "content": "Hi"}]}
REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "/api/chat", MESSAGES),
    ("POST", "/api/chat", MESSAGES),
    ("GET", "/story", None),
    ("GET", "/", None),
    ("GET", "/ask?question=Hi", None),
    ("POST", "/agent", RUN),
]


def test_each_program_has_a_request() -> None:
    assert len(PROGRAMS) == len(REQUESTS)


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_the_application_answers(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    method, path, body = REQUESTS[number]
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    with LocalServer([answers.text("Hello.")]) as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-local")
        exec("\n".join(block.code for block in PROGRAMS[number]), module.__dict__)
        app: Any = module.__dict__["app"]
        if path == "/":
            with module.__dict__["session"], served(app) as url:
                response = httpx.get(url, timeout=BOUND, trust_env=False)
        else:
            with served(app, lifespan=True) as url:
                response = httpx.request(method, url + path, json=body, timeout=BOUND, trust_env=False)
    assert response.status_code == 200
    assert "Hello." in response.text
