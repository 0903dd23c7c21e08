"""The test kit: a local Responses API server, answers for it, marbles, laws and virtual time.

Nothing is loaded before it is asked for: pytest imports this package at every start, for the sake of its plugin.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rxstream.testing._clock import VirtualClock
    from rxstream.testing.answers._answer import Answer, Asked, Reply
    from rxstream.testing.answers._build import (
        disconnect,
        endless,
        error,
        events,
        failed,
        function_calls,
        hang,
        html,
        http_error,
        incomplete,
        reasoning_summary,
        refusal,
        silent,
        structured,
        tape,
        text,
        together,
        truncated,
        verbatim,
    )
    from rxstream.testing.answers._offline import events_of, frames_of, sse_bytes_of
    from rxstream.testing.laws._moderation_laws import MODERATION_LAWS, moderation_laws
    from rxstream.testing.laws._moderation_trial import ModerationTrial
    from rxstream.testing.laws._operator_laws import LAWS, operator_laws
    from rxstream.testing.marbles._marbles import (
        assert_marbles,
        check_marbles,
        cold,
        hot,
        marble_pictures,
        trial_of,
    )
    from rxstream.testing.marbles._picture import Picture
    from rxstream.testing.marbles._trial import Trial
    from rxstream.testing.server._log import Exchange
    from rxstream.testing.server._server import LocalServer

__all__ = [
    "LAWS",
    "MODERATION_LAWS",
    "Answer",
    "Asked",
    "Exchange",
    "LocalServer",
    "ModerationTrial",
    "Picture",
    "Reply",
    "Trial",
    "VirtualClock",
    "assert_marbles",
    "check_marbles",
    "cold",
    "disconnect",
    "endless",
    "error",
    "events",
    "events_of",
    "failed",
    "frames_of",
    "function_calls",
    "hang",
    "hot",
    "html",
    "http_error",
    "incomplete",
    "marble_pictures",
    "moderation_laws",
    "operator_laws",
    "reasoning_summary",
    "refusal",
    "silent",
    "sse_bytes_of",
    "structured",
    "tape",
    "text",
    "together",
    "trial_of",
    "truncated",
    "verbatim",
]

_HOMES = {
    "answers._answer": "Answer Asked Reply",
    "answers._build": "disconnect endless error events failed function_calls hang html http_error incomplete "
    "reasoning_summary refusal silent structured tape text together truncated verbatim",
    "_clock": "VirtualClock",
    "laws._operator_laws": "LAWS operator_laws",
    "server._log": "Exchange",
    "marbles._marbles": "assert_marbles check_marbles cold hot marble_pictures trial_of",
    "laws._moderation_laws": "MODERATION_LAWS moderation_laws",
    "laws._moderation_trial": "ModerationTrial",
    "answers._offline": "events_of frames_of sse_bytes_of",
    "marbles._picture": "Picture",
    "server._server": "LocalServer",
    "marbles._trial": "Trial",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
