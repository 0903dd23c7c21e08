"""Names of the package: no two classes or type aliases of one name; nouns and verbs, no participles or metaphors."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "rxstream"

PARTICIPLES = {"said", "told", "asked", "heard", "spoken", "meant", "given", "came", "held", "misnamed", "judging"}
"""Not in the place of a noun, as the last word of a name. `HeldEvent` is right, `held` is not."""

METAPHORS = {
    *("foretell", "steady", "hygiene", "likeness", "speaker"),
    *("door", "bridge", "tap", "shelf", "aside"),
}
"""In no place of a name."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text("utf-8"))


def place(path: Path, node: ast.stmt | ast.expr | ast.arg) -> str:
    return f"{path.relative_to(PACKAGE.parent)}:{node.lineno}"


def targets(statement: ast.stmt) -> list[ast.Name]:
    """The names that a statement binds by `=`."""
    match statement:
        case ast.Assign(targets=expressions):
            return [node for expression in expressions for node in ast.walk(expression) if isinstance(node, ast.Name)]
        case ast.AnnAssign(target=ast.Name() as name):
            return [name]
        case _:
            return []


def is_alias(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).endswith("TypeAlias")


def classes_and_aliases(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.stmt) and is_alias(node):
            yield from ((name.id, node) for name in targets(node))


def names(tree: ast.Module) -> Iterator[tuple[str, ast.stmt | ast.expr | ast.arg]]:
    """The names of classes, functions and parameters, and all names of the module."""
    for statement in tree.body:
        yield from ((name.id, name) for name in targets(statement))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.arg):
            yield node.arg, node


def is_plain(name: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)]
    return METAPHORS.isdisjoint(words) and PARTICIPLES.isdisjoint(words[-1:])


def test_the_words_of_a_name() -> None:
    assert all(map(is_plain, ["_", "HeldEvent", "asked_for", "taps", "doorway", "_JSONTape"]))
    assert not any(map(is_plain, ["held", "_MAX_HELD", "_AsCame", "not_asked2", "_HTTPBridge", "_ASIDE_END", "tap_of"]))


def test_no_two_classes_or_type_aliases_have_one_name() -> None:
    """Also nested ones, and those inside functions."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in trees():
        for name, node in classes_and_aliases(tree):
            places[name].append(place(path, node))
    doubles = [f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1]
    assert not doubles, "expected one class or alias of each name; rename all but one:\n" + "\n".join(doubles)


def test_names_are_made_of_nouns_and_verbs_of_the_field() -> None:
    found = [
        f"{place(path, node)}: {name}" for path, tree in trees() for name, node in names(tree) if not is_plain(name)
    ]
    files = [str(path.relative_to(PACKAGE.parent)) for path, _ in trees() if not is_plain(path.stem)]
    assert not found + files, "expected a noun of the field or a verb; rename:\n" + "\n".join(found + files)
