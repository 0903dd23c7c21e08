"""The moderator as a machine: its offsets after every single step, for any verdicts at any time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rxstream.moderation.machine._commands import COMMANDS, CancelCheck, Complete, DropSource, Fail, StartCheck
from rxstream.moderation.machine._machine import Moderator, Output, Phase
from rxstream.moderation.machine._options import CheckOptions, Options
from rxstream.moderation.machine._stage import Stage
from rxstream.moderation.machine._window import TextPlace, Verdict
from rxstream.testing.laws._moderation_script import TimedDelta, answer_of, place_of
from tests.thinned import tries

PLACES = [(0, 0, "text"), (0, 1, "text"), (1, 0, "refusal"), (2, 0, "function_args")]
PASS, FLAG, SUSPECT = Verdict(False), Verdict(True), Verdict(False, suspect=True)
KEEP = Verdict(False, holdback=15)

steps = st.lists(
    st.one_of(
        st.just("feed"),
        st.tuples(st.just("answer"), st.integers(0, 3), st.sampled_from([PASS, PASS, KEEP, KEEP, FLAG, SUSPECT, None])),
        st.tuples(st.just("tick"), st.sampled_from([0.0, 0.05, 0.3, 4.0])),
    ),
    max_size=60,
)
script = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(["a", "word ", "e\u0301", "A sentence. ", "x" * 50, " "])),
    min_size=1,
    max_size=25,
)
options = st.builds(
    Options,
    mode=st.sampled_from(["hold", "bounded", "optimistic"]),
    first_chars=st.sampled_from([1, 10]),
    max_chars=st.sampled_from([10, 60]),
    holdback=st.sampled_from([0, 7, "word"]),
    checks=st.sampled_from(
        [(CheckOptions(),), (CheckOptions(), CheckOptions(on_flag="annotate")), (CheckOptions(),) * 3]
    ),
    max_exposure=st.sampled_from([0, 12]),
    in_flight=st.integers(1, 3),
    retries=st.integers(0, 1),
    on_flag=st.sampled_from(["cut", "error", "refuse", "annotate"]),
    on_check_error=st.sampled_from(["cut", "pass"]),
    include=st.just(frozenset(("text", "refusal", "function_args"))),
)


class MachineDriver:
    """Runs a machine and checks its offsets after each step."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.machine = Moderator(options)
        self.now = 0.0
        self.open: list[StartCheck] = []
        self.emitted: list[Any] = []
        self.commands: list[Any] = []
        self.offsets: dict[tuple[TextPlace, int], tuple[int, int, int]] = {}

    def take(self, outputs: Any) -> None:
        for output in outputs:
            assert not self.commands or not isinstance(self.commands[-1], Complete | Fail), "an output after the end"
            if isinstance(output, StartCheck):
                self.open.append(output)
            elif isinstance(output, CancelCheck):
                assert output.id in [check.id for check in self.open]
                self.open = [check for check in self.open if check.id != output.id]
            if isinstance(output, COMMANDS):
                self.commands.append(output)
            else:
                self.emitted.append(output)
        self.check_marks()

    def check_marks(self) -> None:
        lanes = [(lane.place, lane) for response in self.machine._responses for lane in response.lanes]
        for place, lane in lanes:
            following = lane.text.length
            for stage in lane.stages:
                key = (place, stage.number)
                offsets = (stage.verified, stage.held_back_from, stage.safe)
                assert all(map(int.__ge__, offsets, self.offsets.get(key, (0, 0, 0))))
                self.offsets[key] = offsets
                assert 0 <= stage.held_back_from <= stage.verified <= stage.windows_end <= following
                assert stage.safe <= stage.verified
                holdback = self.options.holdback_of(stage.number)
                assert stage.safe <= max(min(stage.verified - holdback, stage.held_back_from), stage.passed_end)
                assert stage.running <= self.options.in_flight
                assert self.ended or stage.running == sum(1 for check in self.open if self._is_of(check, stage))
                following = stage.safe
            if self.options.mode == "hold":
                assert lane.shown <= lane.safe
            elif self.options.mode == "bounded":
                assert lane.shown <= max(lane.verified + self.options.max_exposure, lane.passed_end)

    def _is_of(self, command: StartCheck, stage: Stage) -> bool:
        call = self.machine.calls._running.get(command.id)
        return call is not None and call.check.stage is stage

    @property
    def ended(self) -> bool:
        return self.machine.phase is Phase.ENDED


@settings(max_examples=tries(50, 150), deadline=None)
@given(script, steps, options)
def test_the_marks_hold_after_every_step(script: list[Any], steps: list[Any], options: Options):
    events = [event for _, event in answer_of([TimedDelta(0.0, place, text) for place, text in script])]
    texts: dict[Any, str] = {}
    for event in events:
        place = place_of(event)
        if place:
            texts[place] = texts.get(place, "") + event.delta  # type: ignore[union-attr]
    driver = MachineDriver(options)
    machine = driver.machine
    waiting = list(events)
    completed = False
    for step in [*steps, *["feed"] * len(events)]:
        if step == "feed":
            if waiting:
                driver.take(machine.feed(waiting.pop(0), driver.now))
            elif not completed:
                completed = True
                driver.take(machine.source_completed(driver.now))
        elif step[0] == "answer" and driver.open:
            check = driver.open.pop(step[1] % len(driver.open))
            driver.take(machine.check_ended(check.id, step[2], driver.now))
        elif step[0] == "tick":
            driver.now += step[1]
            driver.take(machine.tick(driver.now))
    if not completed:
        driver.take(machine.source_completed(driver.now))
    for _ in range(500):
        if driver.ended:
            break
        if driver.open:
            driver.take(machine.check_ended(driver.open.pop(0).id, PASS, driver.now))
        else:
            assert machine.wake is not None, "it waits for nothing"
            driver.now = max(driver.now, machine.wake)
            driver.take(machine.tick(driver.now))
    assert driver.ended
    assert not driver.open
    assert machine.wake is None
    assert isinstance(driver.commands[-1], Complete | Fail)
    shown: dict[Any, str] = {}
    for event in driver.emitted:
        place = place_of(event)
        if place and not event.synthetic:
            shown[place] = shown.get(place, "") + event.delta
    for place, text in shown.items():
        assert texts[place].startswith(text)
    if not any(isinstance(command, DropSource) for command in driver.commands):
        assert {place: text for place, text in texts.items() if text} == shown


def test_the_verdict_of_a_check_that_does_not_run_is_ignored():
    machine = Moderator(Options())
    assert machine.check_ended(7, FLAG, 0.0) == []
    (event,) = [event for _, event in answer_of([TimedDelta(0.0, (0, 0, "text"), "x" * 60)])][3:4]
    (start,) = machine.feed(event, 0.0)
    assert isinstance(start, StartCheck)
    outputs: list[Output] = list(machine.tick(3.0))
    assert [type(one) for one in outputs] == [CancelCheck, StartCheck]
    assert machine.check_ended(start.id, FLAG, 3.1) == []


def test_there_are_no_outputs_after_the_end():
    machine = Moderator(Options())
    assert [type(one) for one in machine.source_failed(ConnectionError(), 0.0)] == [Fail]
    events = [event for _, event in answer_of([TimedDelta(0.0, (0, 0, "text"), "x" * 60)])]
    assert [machine.feed(event, 0.0) for event in events] == [[]] * len(events)
    assert not any(
        (
            machine.tick(9.0),
            machine.source_completed(9.0),
            machine.source_failed(ValueError(), 9.0),
        )
    )


def test_released_text_without_a_verdict_is_retracted_when_the_source_fails():
    machine = Moderator(Options(mode="optimistic"))
    events = [event for _, event in answer_of([TimedDelta(0.0, (0, 0, "text"), "never checked")])][:4]
    for event in events:
        machine.feed(event, 0.0)
    back, end = machine.source_failed(ConnectionError(), 0.1)
    assert (back.type, back.start, back.end) == ("rxstream.moderation.retracted", 0, 13)  # type: ignore[union-attr]
    assert isinstance(end, Fail)


@pytest.mark.parametrize("quiet", [0.0, 0.2])
def test_the_clock_may_be_early_or_late(quiet: float):
    machine = Moderator(Options(quiet=quiet, max_delay=1.0))
    events = [event for _, event in answer_of([TimedDelta(0.0, (0, 0, "text"), "word")])][:4]
    outputs = [output for event in events for output in machine.feed(event, 100.0)]
    started = any(isinstance(output, StartCheck) for output in outputs)
    if not started:
        assert machine.wake == pytest.approx(100.0 + quiet)
        assert not any(isinstance(output, StartCheck) for output in machine.tick(100.0 + quiet - 0.01))
        assert machine.wake == pytest.approx(100.0 + quiet)
        outputs = list(machine.tick(100.0 + quiet - 1e-7))
    assert any(isinstance(output, StartCheck) for output in outputs)
