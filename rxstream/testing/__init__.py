"""The test kit: a local Responses API server, answers for it, marbles, laws and virtual time.

Its modules are imported on use, because pytest imports this package at every start for its plugin.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rxstream.testing import answers, marbles
    from rxstream.testing._clean_log import assert_clean_log
    from rxstream.testing._clock import VirtualClock
    from rxstream.testing.laws._log_laws import LOG_LAWS, LogTrial, log_laws
    from rxstream.testing.laws._moderation_laws import MODERATION_LAWS
    from rxstream.testing.laws._moderation_runs import moderation_laws
    from rxstream.testing.laws._moderation_trial import ModerationTrial
    from rxstream.testing.laws._operator_laws import LAWS, operator_laws
    from rxstream.testing.marbles._marbles import assert_marbles, check_marbles
    from rxstream.testing.server._log import Exchange
    from rxstream.testing.server._server import LocalServer

__all__ = [
    "LAWS",
    "LOG_LAWS",
    "MODERATION_LAWS",
    "Exchange",
    "LocalServer",
    "LogTrial",
    "ModerationTrial",
    "VirtualClock",
    "answers",
    "assert_clean_log",
    "assert_marbles",
    "check_marbles",
    "log_laws",
    "marbles",
    "moderation_laws",
    "operator_laws",
]

_HOMES = {
    "_clean_log": "assert_clean_log",
    "_clock": "VirtualClock",
    "laws._log_laws": "LOG_LAWS LogTrial log_laws",
    "laws._moderation_laws": "MODERATION_LAWS",
    "laws._moderation_runs": "moderation_laws",
    "laws._moderation_trial": "ModerationTrial",
    "laws._operator_laws": "LAWS operator_laws",
    "marbles._marbles": "assert_marbles check_marbles",
    "server._log": "Exchange",
    "server._server": "LocalServer",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name in ("answers", "marbles"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
