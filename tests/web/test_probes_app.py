"""The page of probes: its event stream, its headers, and what it shows in headless Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import reactivex
from reactivex import operators as ops
from reactivex.subject import Subject
from starlette.applications import Starlette
from starlette.routing import Mount

from rxstream import operators as rxs
from rxstream import probes
from rxstream.testing import answers
from rxstream.web import probes_app
from tests.timeline._chromium import Browser, chromium
from tests.waiting import wait_for
from tests.web._serving import served

EVENTS = answers.events_of(answers.text(["Snow ", "is ", "late."]))


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    probes.clear()
    yield
    probes.clear()


@pytest.fixture
def url() -> Iterator[str]:
    with served(Starlette(routes=[Mount("/watch", probes_app(every=0.05))])) as base:
        yield f"{base}/watch/"


def read(url: str, count: int) -> list[Any]:
    """The first snapshots of the event stream."""
    with httpx.stream("GET", url + "events", trust_env=False) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = (line for line in answer.iter_lines() if line.startswith("data: "))
        return [json.loads(next(lines).removeprefix("data: ")) for _ in range(count)]


def test_the_event_stream_has_the_snapshots_of_all_streams(url: str) -> None:
    reactivex.from_iterable(EVENTS).pipe(rxs.probe("server"), rxs.probe("text", rxs.text_only())).subscribe()
    first, second = read(url, 2)
    assert first == second
    (stream,) = first
    assert stream["state"] == "completed"
    assert [(stage["name"], stage["events_in"], stage["events_out"]) for stage in stream["stages"]] == [
        ("server", 11, 11),
        ("text", 11, 3),
    ]


def test_the_page_may_run_its_own_script_only_and_is_not_kept(url: str) -> None:
    answer = httpx.get(url, trust_env=False)
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; connect-src 'self'; script-src 'sha256-")
    assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "")


def test_the_time_between_two_snapshots_is_checked() -> None:
    with pytest.raises(ValueError, match="every"):
        probes_app(every=0)


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def browser(one_browser: Browser, url: str) -> Iterator[Browser]:
    """It leaves the page before the server stops."""
    one_browser.problems.clear()
    one_browser.requests.clear()
    yield one_browser
    one_browser.run("location.replace('about:blank')")


def cells(browser: Browser) -> list[list[str]]:
    script = "[...document.querySelectorAll('#rows tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
    rows: list[list[str]] = browser.run(script)
    return rows


def test_the_page_shows_streams_as_they_go(browser: Browser, url: str, tmp_path: Path) -> None:
    source: Subject[Any] = Subject()
    name = "<img src=x onerror=alert(1)>"
    source.pipe(rxs.probe("server"), rxs.probe(name, ops.skip(2)), rxs.probe("text", rxs.text_only())).subscribe()
    reactivex.throw(LookupError()).pipe(rxs.probe("broken")).subscribe(on_error=lambda error: None)
    browser.size(1200, 500)
    browser.open(url)
    for event in EVENTS[:6]:
        source.on_next(event)
    wait_for(lambda: ["text", "4", "2"] in [[row[0], *row[2:4]] for row in cells(browser)])
    rows = {row[0]: row for row in cells(browser)}
    assert rows["broken"][1] == "failed: LookupError"
    assert rows[name][2:4] == ["6", "4"]
    assert rows["server"][1] == "running"
    assert browser.run("document.getElementById('about').textContent") == "1 running, 1 ended"
    for event in EVENTS[6:]:
        source.on_next(event)
    source.on_completed()
    wait_for(lambda: browser.run("document.getElementById('about').textContent") == "0 running, 2 ended")
    browser.screenshot(tmp_path / "probes.png")
    assert not browser.problems
    assert {request.split("/watch")[0] for request in browser.requests} == {url.removesuffix("/watch/")}


def test_a_held_page_stands_still_until_it_goes_on(browser: Browser, url: str) -> None:
    browser.open(url)
    browser.run("document.getElementById('hold').click()")
    reactivex.from_iterable(EVENTS).pipe(rxs.probe("server")).subscribe()
    browser.run("new Promise((done) => { source.addEventListener('message', () => done(), { once: true }); })")
    assert cells(browser) == []
    browser.run("document.getElementById('hold').click()")
    wait_for(lambda: len(cells(browser)) == 2)


def test_the_page_may_be_mounted_without_its_last_slash(browser: Browser, url: str) -> None:
    reactivex.from_iterable(EVENTS).pipe(rxs.probe("server")).subscribe()
    browser.open(url.removesuffix("/"))
    wait_for(lambda: len(cells(browser)) == 2)
