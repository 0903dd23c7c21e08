"""A seeded part of `python -m tests.proof.decoding_fuzz`."""

import logging

import pytest

from tests.proof.decoding_fuzz import difference


@pytest.mark.parametrize("part", range(4))
def test_one_step_gives_what_three_steps_give(part: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "rxstream")  # lost events are reported
    assert [found for seed in range(part * 150, part * 150 + 150) if (found := difference(seed))] == []
