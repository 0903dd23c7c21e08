"""Every operator keeps the laws; what it breaks on purpose is written down here, with the reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import reactivex

from rxstream import events as ev
from rxstream import operators as rxs
from rxstream.testing import LAWS, answers, marbles
from rxstream.typing import Operator
from tests.laws._operators import OPERATORS
from tests.laws._virtual import NAMES, after_30ms, in_virtual_session


def one_text(items: Sequence[Any]) -> reactivex.Observable[Any]:
    """The last turn of a run."""
    return reactivex.from_iterable(answers.events_of(answers.text("It rains.")))


def all_of(values: Sequence[Any]) -> object:
    """Nothing may depend on the split: the very list of values."""
    return [str(value) for value in values]


@dataclass(frozen=True)
class Setting:
    """How an operator is tried, where it is not tried as its picture draws it."""

    make: Callable[[], Operator[Any, Any]] | None = None
    of: Any = None
    joined: Callable[[Sequence[Any]], object] | None = None
    responses: tuple[answers.Answer, ...] | None = None
    skip: dict[str, str] | None = None
    """Name of a law -> why the operator breaks it."""


DOCUMENT = {
    "title": "Fjord “tür”",
    "sizes": [1, -2.5, 30000],
    "steps": [{"text": "a\n"}, {"text": "\U0001f600"}],
    "ok": True,
}
JSON = (
    answers.structured(DOCUMENT),
    answers.together(answers.structured([1, {"a": None}]), answers.structured(DOCUMENT), interleaved=True),
)
"""What operators of JSON are fed: of two documents that interleave the second counts."""


SETTINGS = {
    "accumulate_function_args": Setting(joined=all_of),
    "accumulate_text": Setting(joined=lambda values: values[-1].text if values else ""),
    "decode_events": Setting(of="bytes"),
    "decode_sse": Setting(of="bytes", skip={"unknown events are harmless": "it passes on every frame"}),
    "fallback_to": Setting(
        lambda: rxs.fallback_to(reactivex.throw(LookupError())),
        skip={"an error passes": "an error before the first event goes to the others"},
    ),
    "for_each_async": Setting(lambda: rxs.for_each_async(after_30ms, max_in_flight=50)),
    "json_items": Setting(lambda: rxs.json_items("steps[*]"), responses=JSON, joined=all_of),
    "map_async": Setting(lambda: rxs.map_async(after_30ms, max_in_flight=50)),
    "measure": Setting(joined=lambda values: [values[-1].outcome, values[-1].characters, len(values[-1].items)]),
    "of_type": Setting(lambda: rxs.of_type(ev.ResponseOutputTextDeltaEvent, ev.ResponseOutputItemDoneEvent)),
    "parse_events": Setting(of="frames"),
    "parse_output": Setting(lambda: rxs.parse_output(dict[str, Any]), responses=JSON),
    "partial_json": Setting(rxs.partial_json, responses=JSON),
    "probe": Setting(lambda: rxs.probe("text", rxs.text_only())),
    "retry_transient": Setting(rxs.retry_transient),
    "run_tools": Setting(lambda: rxs.run_tools([], one_text)),
    "shared": Setting(
        skip={
            "cold": "it is one subscription for all",
            "two subscribers share nothing": "it is one subscription for all",
        }
    ),
    "timeouts": Setting(lambda: rxs.timeouts(first_event=1, first_text=5, between=3, total=60)),
}


def broken_on_purpose(name: str, law: str) -> str | None:
    return (SETTINGS.get(name, Setting()).skip or {}).get(law)


CASES = [(name, law) for name in OPERATORS for law in LAWS if not broken_on_purpose(name, law)]


@pytest.mark.parametrize(("name", "law"), CASES)
def test_the_operator_keeps_the_law(name: str, law: str):
    setting = SETTINGS.get(name, Setting())
    make = in_virtual_session(setting.make or OPERATORS[name])
    as_drawn = marbles.trial_of(make, names=NAMES, joined=setting.joined)
    otherwise = marbles.Trial(make, of=setting.of or "events", joined=setting.joined, answers=setting.responses)
    LAWS[law](otherwise if setting.make or setting.of else as_drawn)


def test_the_settings_are_for_operators_and_laws_that_exist():
    assert set(SETTINGS) <= set(OPERATORS)
    for setting in SETTINGS.values():
        assert set(setting.skip or {}) <= set(LAWS)
