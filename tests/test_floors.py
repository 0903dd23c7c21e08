"""An import may only go down a floor; packages on one floor never meet (docs/explanation/the-house.md)."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rxstream"

FLOORS = {
    "errors": 0,
    "_typing": 0,
    "_context": 0,
    "_loops": 0,
    "_version": 0,
    "sse": 1,
    "events": 1,
    "cores": 2,
    "transport": 2,
    "source": 3,
    "operators": 3,
    "sinks": 3,
    "testing": 4,
    "cli": 5,
    "__main__": 6,
}

MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The package or module under rxstream/ that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms of rxstream that a file imports, at its top or inside a function."""
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            names = [node.module or ""]
            if node.module == "rxstream":
                names = [f"rxstream.{alias.name}" for alias in node.names]
        rooms.update(name.split(".")[1] for name in names if name.startswith("rxstream."))
        assert "rxstream" not in names, f"{path}: nothing inside imports the shop window"
    return rooms


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in MODULES} - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    for there in imported(path) - {here}:
        assert FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] == 0, f"{here} imports {there}"


def test_only_the_bridge_makes_tasks() -> None:
    makers = {"create_task", "ensure_future", "start_soon", "create_task_group"}
    found = {
        str(path.relative_to(PACKAGE))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in makers and room(path) in ("source", "operators", "sinks")
    }
    assert found <= {"source/_bridge.py"}


def test_the_top_level_holds_only_what_belongs_there() -> None:
    shown = {path.name for path in PACKAGE.parent.iterdir() if not path.name.startswith(".")}
    assert shown <= {"pyproject.toml", "README.md", "LICENSE", "rxstream", "tests", "examples", "docs"}


@pytest.mark.parametrize("package", [name for name in FLOORS if (PACKAGE / name).is_dir()])
def test_every_package_says_what_it_is(package: str) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / package / "__init__.py").read_text("utf-8")))
