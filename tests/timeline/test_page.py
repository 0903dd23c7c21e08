"""The page in a real browser: what it shows, the keyboard, and that a stream cannot run a script in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rxstream.cli import main
from rxstream.timeline import Inspection, timelines_of
from rxstream.timeline._html import CHUNK, page
from tests.timeline._chromium import Browser, chromium
from tests.timeline._streams import STREAM, delta, entries, item, response, write_tape

EVIL = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>\"'&\u2028]]><!--"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


def opened(browser: Browser, folder: Path, *arguments: str, width: int = 1200, dark: bool = False) -> Path:
    """Write the page of tapes, and open it."""
    file = folder / "page.html"
    main(["inspect", *arguments, "--html", str(file)])
    browser.problems.clear()
    browser.requests.clear()
    browser.size(width, 800, dark=dark)
    browser.open(file)
    return file


def assert_clean(browser: Browser, file: Path) -> None:
    assert browser.problems == []
    assert browser.requests == [file.as_uri()], "a page asks for nothing but itself"


def panel(browser: Browser) -> dict[str, Any]:
    return json.loads(browser.run("document.getElementById('panel-json').textContent"))


LABELS = "[...document.querySelectorAll('.lane:not(.axis) .label')].map((node) => node.textContent)"
INKED = """[...document.querySelectorAll('.lane canvas')].map((canvas) =>
    canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))"""


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_each_lane_is_drawn_wide_and_narrow_light_and_dark(
    browser: Browser, tmp_path: Path, width: int, dark: bool
) -> None:
    tape = write_tape(tmp_path / "a.tape", STREAM)
    file = opened(browser, tmp_path, str(tape), "--through", "text_only", width=width, dark=dark)
    assert browser.run(LABELS) == ["response", "0 get_weather", "1 message", "text 0", "text_only"]
    assert all(browser.run(INKED))
    assert browser.run("document.documentElement.scrollWidth") <= width
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(15, 19, 26)") is dark
    assert_clean(browser, file)


def test_a_click_shows_the_json_of_the_nearest_event(browser: Browser, tmp_path: Path) -> None:
    file = opened(browser, tmp_path, str(write_tape(tmp_path / "a.tape", STREAM)))
    x, y, width = browser.run(
        "(() => { const box = document.querySelectorAll('.lane canvas')[4].getBoundingClientRect();"
        " return [box.x, box.y, box.width]; })()"
    )
    browser.click(x + width * 4.0 / (4.3 * 1.01), y + 12)
    assert panel(browser)["delta"] == "very cold."
    assert not browser.run("document.getElementById('panel').hidden")
    browser.key("Escape")
    assert browser.run("document.getElementById('panel').hidden")
    assert_clean(browser, file)


def test_the_keyboard_reaches_every_event_and_a_screen_reader_hears_it(browser: Browser, tmp_path: Path) -> None:
    file = opened(browser, tmp_path, str(write_tape(tmp_path / "a.tape", STREAM)))
    for _ in range(20):
        browser.key("Tab")
        if browser.run("document.activeElement.className") == "timeline":
            break
    else:
        pytest.fail("Tab does not reach the timeline")
    for key, kind in [
        ("ArrowRight", "response.created"),
        ("ArrowRight", "response.completed"),
        ("Home", "response.created"),
        ("ArrowDown", "response.output_item.added"),
        ("ArrowRight", "response.function_call_arguments.delta"),
        ("ArrowDown", "response.output_item.added"),
        ("ArrowDown", "response.output_text.delta"),
        ("ArrowUp", "response.output_item.added"),
    ]:
        browser.key(key)
        assert panel(browser)["type"] == kind, key
    assert "response.output_item.added" in browser.run("document.getElementById('live').textContent")
    browser.key("+")
    browser.key("0")
    assert_clean(browser, file)


def test_the_table_has_every_lane_and_event(browser: Browser, tmp_path: Path) -> None:
    many = [
        STREAM[0],
        *((1 + number / 100, delta(f"{number} ")) for number in range(2 * CHUNK)),
        (60.0, response("completed")),
    ]
    opened(browser, tmp_path, str(write_tape(tmp_path / "a.tape", many)))
    browser.run("[...document.querySelectorAll('.tools button')].find((node) => node.textContent === 'Table').click()")
    rows = browser.run("[...document.querySelectorAll('.events tbody tr')].map((row) => row.innerText)")
    assert len(rows) == 100
    assert "response.created" in rows[0]
    lanes = browser.run("[...document.querySelectorAll('.table > .scroll tbody th')].map((cell) => cell.textContent)")
    assert lanes == ["response", "0 message", "text 0"]
    for _ in range(10):
        browser.run(
            "[...document.querySelectorAll('.pager button')].find((node) => node.textContent === 'Next').click()"
        )
    last = browser.run("[...document.querySelectorAll('.events tbody tr')].map((row) => row.innerText)")
    assert "response.completed" in last[-1]
    assert len(last) == 3  # the item, which is added, moves them by one


def test_a_hostile_stream_runs_no_script_and_is_shown_as_it_came(browser: Browser, tmp_path: Path) -> None:
    stream = [
        (0.1, response("created", model=EVIL)),
        (0.2, item("added", 0, type="function_call", name=EVIL, call_id=EVIL, arguments="")),
        (0.3, delta(EVIL, 1)),
        (0.4, {"type": EVIL, EVIL: EVIL}),
        (0.5, response("failed", error={"code": EVIL, "message": EVIL})),
    ]
    tape = write_tape(tmp_path / "a.tape", stream)
    file = opened(browser, tmp_path, str(tape), str(tape), "--compare", "--through", "text_only")
    browser.run("document.querySelectorAll('.tools button').forEach((node) => node.click())")
    browser.run("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
    browser.settle()
    assert browser.run("window.hacked") is None
    assert browser.run("document.images.length") == 0
    assert_clean(browser, file)
    browser.run("document.querySelector('.timeline').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown"):
        browser.key(key)
    assert panel(browser)["delta"] == EVIL


def test_the_policy_stops_a_script_that_got_in(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    main(["inspect", str(write_tape(tmp_path / "a.tape", STREAM)), "--html", str(file)])
    file.write_text(file.read_text("utf-8").replace("<main>", "<main><script>window.hacked = 1</script>"), "utf-8")
    browser.open(file)
    assert browser.run("window.hacked") is None


def test_a_tape_of_50000_events_opens_fast(browser: Browser, tmp_path: Path) -> None:
    count = 50_000
    stream = [
        STREAM[0],
        *((1 + number / 200, delta("word ")) for number in range(count - 2)),
        (300.0, response("completed")),
    ]
    inspection = Inspection("big.tape", timelines_of(entries(stream)), {}, frozenset())
    file = tmp_path / "page.html"
    file.write_text(page([inspection]), "utf-8")
    browser.size(1200, 800)
    browser.open(file)
    assert browser.run(LABELS) == ["response", "0 message", "text 0"]
    assert all(browser.run(INKED))
    ready = browser.run("Number(document.documentElement.dataset.ready)")
    assert ready < 10_000, "about 0.6 s on an idle machine; a page that draws each event alone takes minutes"
    assert browser.run("document.querySelectorAll('*').length") < 400, "the page has no element for each event"


def test_without_a_browser_the_page_names_no_other_file_and_counts_match() -> None:
    inspection = Inspection("a.tape", timelines_of(entries(STREAM)), {"x": 1}, frozenset())
    text = page([inspection])
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text)
    assert text.count("<script>") == 1
    blocks = re.findall(r'<script type="application/json" id="events0-\d+">(.*?)</script>', text, flags=re.DOTALL)
    assert sum(len(json.loads(block)) for block in blocks) == len(STREAM)
    data = json.loads(re.findall(r'id="data0">(.*?)</script>', text, flags=re.DOTALL)[0])
    assert sorted(entry for lane in data["lanes"] for entry in lane["entry"]) == list(range(len(STREAM)))
