"""The recorded streams and specifications that lie beside the repository, where they are there."""

import json
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

GIVEN = Path(__file__).resolve().parents[2] / "shared"
STREAMS = GIVEN / "streams"
RECORDINGS = GIVEN / "recordings"
RECORDINGS2 = GIVEN / "recordings2"
SPEC = GIVEN / "spec"
SSE = GIVEN / "sse"


OWN_RECORDINGS = Path(__file__).resolve().parent / "proof" / "recordings"
"""Streams that lie in the repository."""


def recordings() -> list[Path]:
    """All streams that were recorded for this project, from those folders that are there."""
    return [path for folder in (RECORDINGS, RECORDINGS2, OWN_RECORDINGS) for path in sorted(folder.glob("*.sse"))]


def needs(folder: Path) -> pytest.MarkDecorator:
    """Skip where the folder is not beside the repository."""
    return pytest.mark.skipif(not folder.is_dir(), reason=f"the folder {folder.name}/ is not beside the repository")


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """Name of each recorded stream -> what is known of it; empty where the folder is missing."""
    if not STREAMS.is_dir():
        return {}
    lines = (STREAMS / "manifest.jsonl").read_text("utf-8").splitlines()
    return {entry["name"]: entry for entry in map(json.loads, lines)}


def each_stream(names: Iterable[str]) -> Callable[[Callable[[str], None]], Callable[[], None]]:
    """Make one test of a test of one stream: thousands of small tests cost more than what they test."""

    def decorate(test: Callable[[str], None]) -> Callable[[], None]:
        def of_all() -> None:
            failures: dict[str, Exception] = {}
            for name in names:
                try:
                    test(name)
                except Exception as error:
                    failures[name] = error
            for error in failures.values():
                error.add_note(f"failed in: {', '.join(failures)}")
                raise error

        of_all.__name__, of_all.__doc__ = test.__name__, test.__doc__
        return of_all

    return decorate


def stream_bytes(name: str) -> bytes:
    """The bytes of one recorded stream."""
    return (STREAMS / f"{name}.sse").read_bytes()
