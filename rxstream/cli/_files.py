"""Python files that arguments name."""

from __future__ import annotations

import importlib.util
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from types import ModuleType


def load_file(name: str, form: str, prefix: str) -> ModuleType:
    """The module of a file. What lies beside it can be imported. `form` says what the argument should be.

    Raises: ArgumentTypeError: it cannot be loaded.
    """
    path = Path(name).resolve()
    if not path.is_file():
        raise ArgumentTypeError(f"{form}, and there is no file {name!r}")
    module_name = f"{prefix}_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ArgumentTypeError(f"{form}, got a file with another ending: {name!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and annotations look it up
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # the last: what lies beside the file must hide no package
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ArgumentTypeError(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
    return module
