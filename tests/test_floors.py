"""An import only goes down a floor; rooms of one floor never meet (docs/explanation/the-house.md)."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rxstream"

PICTURE = PACKAGE.parent / "docs" / "explanation" / "the-house.md"

FLOORS = [
    ["errors", "typing", "_version"],
    ["sse", "events", "segmentation", "partial_json"],
    ["response"],
    ["timing", "rx", "transport", "tools"],
    ["moderation", "sinks", "relay", "timeline", "telemetry", "probes"],
    ["operators"],
    ["results", "session", "web"],
    ["gateway", "testing"],
    ["cli"],
]
"""The rooms, from the ground up."""

INNER_FLOORS = {
    "response": [["decoding", "history", "calls", "output_json"]],
    "transport": [["http", "tape"], ["websocket"]],
    "moderation": [["machine"], ["checks"]],
    "web": [["formats"]],
    "telemetry": [["conventions"]],
    "testing": [["answers"], ["server", "marbles"], ["laws"]],
}
"""The rooms within a room. The files beside them may use them and be used by them, but not in a circle."""

PURE = [
    *("segmentation", "partial_json", "response", "timing", "tools", "timeline"),
    *("moderation/machine", "web/formats", "telemetry/conventions"),
]
"""They import no Rx, no event loop and no clock."""

LONGEST_TEST_FILE = 450
"""Lines. A longer one has several subjects, and is divided by them."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name[0] != "_")
WINDOW = {PACKAGE / "__init__.py", PACKAGE / "__main__.py"}


def module(path: Path) -> str:
    """`partial_json._paths` of `rxstream/partial_json/_paths.py`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module(path) for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """The modules of rxstream that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.split(".")[0] == "rxstream")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rxstream":
            assert node.level == 0, f"{path}: relative imports hide the floor"
            inner = (node.module or "").removeprefix("rxstream").removeprefix(".")
            for alias in node.names:
                below = f"{inner}.{alias.name}".removeprefix(".")
                found.add(f"rxstream.{below if below in NAMES else inner}")
    assert "rxstream" not in found, f"{path}: nothing inside imports the shop window"
    return {name.removeprefix("rxstream.") for name in found}


def floor_of(room: str, floors: list[list[str]]) -> int:
    return next(number for number, rooms in enumerate(floors) if room in rooms)


def test_the_floors_hold_every_room_and_no_other() -> None:
    rooms = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert rooms - {"py.typed"} == {room for floor in FLOORS for room in floor if room[0] != "_"}
    for room, floors in INNER_FLOORS.items():
        inner = {path.name for path in (PACKAGE / room).iterdir() if path.is_dir() and path.name != "__pycache__"}
        assert inner == {room for floor in floors for room in floor}


def test_the_picture_of_the_house_shows_these_floors() -> None:
    picture = PICTURE.read_text("utf-8").split("```text")[1].split("```")[0]
    floors: list[list[str]] = []
    inner: dict[str, set[str]] = {}
    for line in picture.strip().splitlines()[1:]:
        drawn = re.fullmatch(r" {2}(\d| )( +)(\w+)(?:/|\.py) .*", line)
        assert drawn, line
        number, indent, room = drawn.groups()
        if len(indent) > 1:
            inner.setdefault(floors[0][-1], set()).add(room)
            continue
        if number != " ":
            assert not floors or int(number) == len(FLOORS) - len(floors)
            floors.insert(0, [])
        floors[0].append(room)
    assert [set(floor) for floor in floors] == [set(floor) - {"_version"} for floor in FLOORS]
    assert inner == {room: {name for floor in inside for name in floor} for room, inside in INNER_FLOORS.items()}


@pytest.mark.parametrize("path", MODULES, ids=module)
def test_imports_only_go_down(path: Path) -> None:
    here, *inner = module(path).split(".")
    for name in imported(path):
        there, *below = name.split(".")
        if there != here:
            assert floor_of(there, FLOORS) < floor_of(here, FLOORS), f"{module(path)} imports {name}"
        elif len(inner) > 1 and len(below) > 1 and inner[0] != below[0]:
            floors = INNER_FLOORS[here]
            assert floor_of(below[0], floors) < floor_of(inner[0], floors), f"{module(path)} imports {name}"


def test_a_transport_knows_frames_and_no_events() -> None:
    for path in (PACKAGE / "transport").rglob("*.py"):
        assert not {name.split(".")[0] for name in imported(path)} & {"events", "response"}, path


def test_no_files_import_each_other_in_a_circle() -> None:
    TopologicalSorter({module(path): imported(path) - {module(path)} for path in MODULES}).prepare()


@pytest.mark.parametrize("room", PURE)
def test_what_is_pure_knows_no_rx_no_loop_and_no_clock(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"reactivex", "asyncio", "anyio", "trio", "time"}, path


def test_only_one_file_of_a_room_makes_tasks() -> None:
    makers = {"create_task", "ensure_future", "start_soon", "create_task_group"}
    found = {
        module(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in makers and module(path).split(".")[0] not in ("testing",)
    }
    assert {name for name in found if not name.startswith("transport.")} <= {"session._tasks", "web._event_stream"}


def test_the_top_level_holds_only_what_belongs_there() -> None:
    shown = {path.name for path in PACKAGE.parent.iterdir() if not path.name.startswith(".")}
    assert shown <= {"pyproject.toml", "README.md", "LICENSE", "rxstream", "tests", "examples", "docs"}


@pytest.mark.parametrize("path", [path for path in MODULES if path.name == "__init__.py"], ids=module)
def test_every_room_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def test_a_file_of_tests_has_one_subject_and_can_be_read_at_one_sitting() -> None:
    files = [path for path in Path(__file__).parent.rglob("*.py") if "node_modules" not in path.parts]
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in files}
    assert not {path.name: length for path, length in lengths.items() if length > LONGEST_TEST_FILE}
