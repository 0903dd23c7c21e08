"""The picture in characters: to scale, one line a lane, and safe."""

from __future__ import annotations

from rxstream.timeline import Inspection, timelines_of
from rxstream.timeline._compare import compare
from rxstream.timeline._layout import as_ascii, columns_of, fit, wrap
from rxstream.timeline._text import lines_of
from tests.timeline._streams import MESSAGE, STREAM, Timed, delta, entries, item, response


def inspection(stream: list[Timed], name: str = "a.tape") -> Inspection:
    return Inspection(name, timelines_of(entries(stream)), {"response.created": 1}, frozenset())


def text(stream: list[Timed], width: int = 60) -> list[str]:
    return ["".join(run.text for run in line).rstrip() for line in lines_of([inspection(stream)], width)]


def test_the_picture_is_to_scale() -> None:
    lines = text(STREAM)
    start = next(number for number, line in enumerate(lines) if line.startswith("response"))
    assert lines[start - 1 : start + 5] == [
        "               |0 s                |2 s                |4 s",
        "response       ····├───────────────────────────────────────■",
        "0 get_weather       ├▆▆┤",
        "1 message               ├────────────────────────────────┤",
        "  text 0                 ▅▅·····························█",
        "silence                   ├┄┄┄┄┄┄┄┄┄┄┄3.00 s┄┄┄┄┄┄┄┄┄┄┄┄┤",
    ]


def test_the_head_has_the_ending_and_the_numbers() -> None:
    head = text(STREAM)[:7]
    assert head == [
        "a.tape · tiny",
        "completed",
        "11 events, 37 characters in 4.30 s",
        "first event after 400 ms · first text after 1.00 s",
        "between deltas: p50 200 ms, p95 2.60 s, longest 3.00 s",
        "1 stall, 3.00 s in all",
        "12 tokens in, 7 tokens out (3 of reasoning)",
    ]


def test_no_line_is_wider_than_the_terminal_or_holds_a_control_character() -> None:
    evil = "\x1b]52;c;aGk=\x07\x9b\u202e\r日本語日本語 " * 20
    stream = [
        (0.1, response("created", model=evil)),
        (0.2, item("added", 0, type=f"x{evil}", name=evil)),
        (0.3, item("added", 1, **MESSAGE)),
        (0.4, delta(f"{evil}\n\t{evil}", 1)),
        (0.5, {"type": f"odd{evil}"}),
        (0.6, response("failed", error={"code": evil, "message": evil})),
    ]
    for width in (40, 73, 200):
        for line in text(stream, width):
            assert columns_of(line) <= width, line
            assert not any(sign in line for sign in "\x1b\x07\x9b\u202e\r\n"), line


def test_a_long_text_is_cut_and_says_how_much_is_left() -> None:
    assert wrap("a" * 100, 10, 3) == ["a" * 10, "a" * 10, "a" * 10, "… 70 more characters"]
    assert wrap("one two three", 8, 9) == ["one two", "three"]
    assert wrap("a\x1bb", 80, 9) == ["a\\x1bb"]


def test_wide_characters_take_two_columns() -> None:
    assert columns_of("日a") == 3
    assert fit("日本語", 4) == "日…"


def test_in_ascii_the_picture_keeps_its_columns() -> None:
    lines = list(lines_of([inspection(STREAM)], 60))
    for line, plain in zip(lines, as_ascii(lines), strict=True):
        written = "".join(run.text for run in plain)
        assert written.isascii()
        assert len(written) == len("".join(run.text for run in line))


def test_two_tapes_are_compared_by_ending_times_calls_and_text() -> None:
    other = [
        (at + 0.5, {**event, "delta": '"Rome"}'} if event.get("delta") == '"Oslo"}' else event)
        for at, event in STREAM[:-2]
    ]
    other[4] = (
        1.3,
        item("done", 0, type="function_call", name="get_weather", call_id="c", arguments='{"city":"Rome"}'),
    )
    rows = {row.what: row for row in compare(inspection(STREAM), inspection(other))}
    assert rows["ending"].change == "differs"
    assert rows["first event"].change == "+500 ms, × 2.25"
    assert rows["call 1"].second == 'get_weather({"city":"Rome"})'
    assert rows["call 1"].change == "differs from character 10 of 15 and 15"
    assert rows["text"].change == ""
    assert rows["stalled"].change == ""


def test_a_call_that_only_one_tape_has_is_said_so() -> None:
    rows = {row.what: row for row in compare(inspection(STREAM), inspection([STREAM[0], *STREAM[5:]]))}
    assert (rows["call 1"].second, rows["call 1"].change) == ("none", "only in the first")
