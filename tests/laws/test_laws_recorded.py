"""The laws of the operators over streams that were recorded for this project, with the dialects of their servers."""

from typing import Any

import pytest
import reactivex

from rxstream import operators as rxs
from rxstream.testing import LAWS, answers, marbles
from tests._given import recordings
from tests.laws._operators import OPERATORS
from tests.laws._virtual import in_virtual_session
from tests.laws.test_laws import CASES, SETTINGS, Setting
from tests.thinned import one_in


def last(answer: answers.Answer) -> dict[str, Any]:
    return list(answer.events(answers.ReceivedRequest()))[-1]


TAPES = [answers.tape(path) for path in recordings()]
WHOLE = tuple(tape for tape in TAPES if last(tape).get("response", {}).get("status") == "completed")
ARGUMENTS = {
    "coalesce": lambda: rxs.coalesce(0.05),
    "debounce_moderation": lambda: rxs.debounce_moderation(lambda window: False),
    "gate_until": lambda: rxs.gate_until(reactivex.just(False)),
    "heartbeat": lambda: rxs.heartbeat(1000),
    "probe": lambda: rxs.probe("server"),
}
OTHERS = {"tee_to_tape": "it needs a file for each run", "debounce_moderation_text": "it takes texts"}
JSON = {name for name, setting in SETTINGS.items() if setting.responses}
"""Operators of JSON, which these streams do not have."""
LAWS_OF_STREAMS = ("completes once", "splitting changes nothing", "unknown events are harmless")


@pytest.mark.parametrize(
    ("name", "law"),
    [(name, law) for name, law in CASES if law in LAWS_OF_STREAMS and name not in JSON and name not in OTHERS],
)
def test_the_operator_keeps_the_law_over_recordings(name: str, law: str) -> None:
    setting = SETTINGS.get(name, Setting())
    make = in_virtual_session(setting.make or ARGUMENTS.get(name) or OPERATORS[name])
    step = 9 if setting.of == "bytes" else 3  # each byte is an input of its own where bytes are split
    tapes = one_in(step, WHOLE, list(OPERATORS).index(name) + LAWS_OF_STREAMS.index(law))
    LAWS[law](marbles.Trial(make, of=setting.of or "events", joined=setting.joined, answers=tapes))
