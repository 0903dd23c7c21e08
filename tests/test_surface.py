"""The shop window: what can be imported, and what importing it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import version
from inspect import isfunction

import pytest

import rxstream

SHOWN = {
    "Handlers",
    "ModerationError",
    "OutputError",
    "ProtocolError",
    "ResponseError",
    "RxStreamError",
    "Session",
    "StreamingEvent",
    "TransportError",
    "TruncatedError",
    "__version__",
    "from_async_iterable",
    "from_iterable",
    "from_openai",
    "iterate",
    "parse_event",
    "result",
}


def test_the_shop_window_shows_this_and_no_more() -> None:
    assert set(rxstream.__all__) == SHOWN
    for name in SHOWN:
        assert getattr(rxstream, name) is not None
    public = {name for name in vars(rxstream) if name.isidentifier() and not name.startswith("_")}
    packages = {name for name in public if f"rxstream.{name}" in sys.modules}
    assert public - packages - {"import_module", "TYPE_CHECKING"} <= SHOWN
    with pytest.raises(AttributeError, match="nonsense"):
        _ = rxstream.nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    [
        "rxstream",
        "rxstream.events",
        "rxstream.gateway",
        "rxstream.moderation",
        "rxstream.moderation.patterns",
        "rxstream.operators",
        "rxstream.probes",
        "rxstream.results",
        "rxstream.sinks",
        "rxstream.session",
        "rxstream.sse",
        "rxstream.telemetry",
        "rxstream.testing",
        "rxstream.tools",
        "rxstream.transport",
        "rxstream.web",
    ],
)
def test_what_a_package_lists_can_be_imported_and_is_sorted(name: str) -> None:
    package = importlib.import_module(name)
    names = list(package.__all__)
    assert len(names) == len(set(names))
    for each in names:
        assert getattr(package, each) is not None


def test_operators_are_functions_and_results_and_the_words_of_moderation_are_classes() -> None:
    operators, results = importlib.import_module("rxstream.operators"), importlib.import_module("rxstream.results")
    assert all(isfunction(getattr(operators, name)) for name in operators.__all__)
    assert not any(isfunction(getattr(results, name)) for name in results.__all__)


def test_every_public_function_and_class_is_documented() -> None:
    packages = ("", ".operators", ".events", ".sinks", ".session", ".moderation", ".moderation.patterns", ".tools")
    for name in (f"rxstream{package}" for package in (*packages, ".web", ".telemetry", ".probes")):
        package = importlib.import_module(name)
        for each in package.__all__:
            thing = getattr(package, each)
            if callable(thing) and getattr(thing, "__module__", "").startswith("rxstream"):
                assert (thing.__doc__ or "").strip(), f"{name}.{each} has no docstring"


def test_the_version_is_written_once() -> None:
    assert rxstream.__version__ == version("rxstream")


def test_importing_loads_nothing_that_is_used_later() -> None:
    code = "import sys, rxstream; rxstream.Session; rxstream.operators; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "rxstream.operators" in loaded
    later = {"httpx", "httpx2", "aiohttp", "openai", "trio", "argparse", "rxstream.testing", "rxstream.web"}
    assert not later.intersection(loaded)


def test_importing_what_is_for_browsers_loads_no_web_framework() -> None:
    code = "import sys, rxstream.web; rxstream.web.to_ui_messages(); rxstream.web.EventStream; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"starlette", "fastapi", "ag_ui", "httpx"}.intersection(loaded)
