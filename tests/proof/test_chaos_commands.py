"""A small part of the commands that try many faults."""

import sys

import pytest

from tests.proof import disposals, fault_schedules


@pytest.mark.parametrize("kind", fault_schedules.KINDS)
def test_fault_schedules(kind: str) -> None:
    assert fault_schedules.wrong(kind, 7_000, 10) == []


def test_disposals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(disposals, "ENVIRONMENTS", ["asyncio httpx"])
    monkeypatch.setattr(disposals, "SOCKETS", [])
    monkeypatch.setattr(sys, "argv", ["disposals", "--moments", "3", "--cycles", "20"])
    assert disposals.main() == 0
    assert capsys.readouterr().out.startswith("asyncio httpx: 3 moments")
