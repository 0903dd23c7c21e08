"""The rules that stop a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from rxstream.events import Usage
from rxstream.tools import RunProgress, StopRule, called, seconds, tokens, tool_calls, turns
from rxstream.tools._stopping import as_rule


def after(**fields: Any) -> RunProgress:
    usual = {"turns": 1, "tool_calls": 1, "seconds": 1.0, "usage": None, "called": ("look",)}
    return RunProgress(**{**usual, **fields})


@pytest.mark.parametrize(
    ("rule", "before", "reached"),
    [
        (turns(3), {"turns": 2}, {"turns": 3}),
        (tool_calls(3), {"tool_calls": 2}, {"tool_calls": 4}),
        (seconds(3), {"seconds": 2.9}, {"seconds": 3.0}),
        (seconds(timedelta(minutes=1)), {"seconds": 59.0}, {"seconds": 60.0}),
        (tokens(30), {"usage": Usage(total_tokens=29)}, {"usage": Usage(total_tokens=30)}),
        (tokens(30), {"usage": None}, {"usage": Usage(input_tokens=20, output_tokens=20)}),
        (called("finish"), {"called": ("look",)}, {"called": ("look", "finish")}),
    ],
)
def test_a_rule(rule: StopRule, before: dict[str, Any], reached: dict[str, Any]) -> None:
    assert rule.stopped_by(after(**before)) is None
    assert rule.stopped_by(after(**reached)) == repr(rule)


def test_rules_of_ones_own_and_combined() -> None:
    def enough(progress: RunProgress) -> bool:
        return progress.tool_calls > 5

    for rule in (turns(2) | enough | called("finish"), turns(2) | (called("finish") | enough)):
        assert rule.stopped_by(after()) is None
        assert rule.stopped_by(after(turns=2, tool_calls=6)) == "turns(2)"
        assert rule.stopped_by(after(tool_calls=6)) == "enough"
        assert rule.stopped_by(after(called=("finish",))) == "called('finish')"
    assert (enough | turns(2)).stopped_by(after(turns=2, tool_calls=6)) == "enough"
    assert repr(turns(2) | enough) == "turns(2) | enough"
    assert as_rule(enough).stopped_by(after(tool_calls=6)) == "enough"


def test_what_is_no_rule() -> None:
    for make in [
        lambda: turns(0),
        lambda: turns(True),
        lambda: tool_calls(1.5),  # type: ignore[arg-type]
        lambda: tokens(-1),
        lambda: seconds(0),
        lambda: seconds(float("inf")),
    ]:
        with pytest.raises(ValueError, match="expects"):
            make()
    with pytest.raises(TypeError, match=r"expected a rule such as turns\(16\)"):
        _ = turns(1) | 3  # type: ignore[operator]
    with pytest.raises(TypeError, match=r"expected a rule such as turns\(16\)"):
        as_rule(None)  # type: ignore[arg-type]
