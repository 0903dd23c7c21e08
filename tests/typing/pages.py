"""Both type checkers, as strict as they can be, over every program of the documentation.

`python -m tests.typing.pages`. A program becomes a module in a temporary folder, and keeps the lines that it has in its
page. So a message about a module holds for the page, once the name of the file is replaced.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.docs._blocks import FOREIGN, PAGES, ROOT, Block, foreign, installed, programs


def main() -> int:
    with TemporaryDirectory() as folder:
        found = [program for page in PAGES for program in programs(page)]
        modules = write_modules(Path(folder).resolve(), [program for program in found if is_complete(program)])
        config = Path(folder, "pyrightconfig.json")
        config.write_text(
            json.dumps({"typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}), "utf-8"
        )
        failed = 0
        for command in (["pyright", "--project", str(config)], ["mypy", *map(str, modules)]):
            done = subprocess.run(
                [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
            )
            print(with_pages(done.stdout, modules) + done.stderr)
            failed |= done.returncode
    return failed


UNTYPED = {"IPython"}
"""Packages whose functions have no types."""


def is_complete(program: list[Block]) -> bool:
    """Whether all packages that a program imports are installed, and have types."""
    if UNTYPED & {*foreign(program)}:
        return False
    missing = [FOREIGN[module] for module in foreign(program) if not installed(module)]
    if missing:
        print(f"{program[0]} is not checked: not installed: {', '.join(missing)}")
    return not missing


def write_modules(folder: Path, found: list[list[Block]]) -> dict[Path, str]:
    """Write each program to a file of its own; return which page each file is from."""
    modules: dict[Path, str] = {}
    for program in found:
        lines: list[str] = []
        for block in program:
            lines += [""] * (block.line - 1 - len(lines)) + block.lines
        page = program[0].page.relative_to(ROOT).as_posix()
        module = folder / (re.sub(r"\W", "_", f"{page}_{program[0].line}") + ".py")
        module.write_text("\n".join(lines) + "\n", "utf-8")
        modules[module] = page
    return modules


def with_pages(messages: str, modules: dict[Path, str]) -> str:
    """What a checker says of modules, said of their pages."""
    for module, page in modules.items():
        messages = messages.replace(str(module), page)
    return messages


if __name__ == "__main__":
    sys.exit(main())
