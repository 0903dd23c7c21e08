"""Everything that a server or the wire may do to an answer: it ends as the table says, in time, and leaves nothing."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

import rxstream
from tests.chaos._environments import KEY, environments, in_environment, nothing_left
from tests.chaos._faults import ID, ILL, PASSING, SENT, WELL, Fault
from tests.chaos._server import FaultServer, fault_server
from tests.session._modes import Heard


def hear_all(environment: str, faults: Mapping[str, Fault], **options: Any) -> tuple[FaultServer, dict[str, Heard]]:
    """A stream for each fault, all in one session at the same time. Every connection is closed before it is left."""
    heard = {name: Heard() for name in faults}

    def body(session: rxstream.Session) -> None:
        for name, fault in faults.items():
            request: dict[str, Any] = {"extra_headers": {"x-fault": name}, "timeout": fault.timeout}
            heard[name].subscribe(session.response(model="m", input="Hi", **request))

    sends = {name: fault.send for name, fault in faults.items()}
    with nothing_left(), fault_server(sends, lambda name: len(heard[name].values)) as server:
        in_environment(environment, server.base_url, body, **options)
        server.wait_closed()
    return server, heard


def judged(name: str, fault: Fault, heard: Heard) -> None:
    known = [event for event in heard.values if event.type not in fault.extra]
    got = [event.model_dump() for event in known]
    if not fault.ends:
        assert heard.completed()
        assert got == SENT
        return
    error: Any = heard.error
    assert isinstance(error, fault.ends), repr(error)
    assert got == SENT[: len(got)]
    assert fault.count is None or len(got) == fault.count
    assert error.response_id == (ID if got else None)
    if error.sequence_number is not None or got:
        assert error.sequence_number == [e for e in heard.values if e.sequence_number is not None][-1].sequence_number
    assert KEY not in repr(error) + str(error) + str(pickle.dumps(error))


def check(
    faults: Mapping[str, Fault], server: FaultServer, heard: Mapping[str, Heard], *, method: str = "POST"
) -> None:
    wrong: dict[str, str] = {}
    for name, fault in faults.items():
        try:
            judged(name, fault, heard[name])
            assert server.requests[name, method] == fault.requests, "requests"
        except AssertionError as error:
            wrong[name] = f"{error} {heard[name].errors!r}"[:800]
    assert wrong == {}


@environments
def test_what_changes_nothing(environment: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "rxstream")
    check(WELL, *hear_all(environment, WELL))


@environments
def test_what_ends_with_an_error(environment: str) -> None:
    check(ILL, *hear_all(environment, ILL, retry_stream_errors=False))


@environments
def test_what_passes(environment: str) -> None:
    check(PASSING, *hear_all(environment, PASSING, max_retries=2))


@environments
def test_what_was_answered_is_not_sent_again(environment: str) -> None:
    """Once the server has answered 200, a second request may be a second bill."""
    begun = {name: fault for name, fault in ILL.items() if fault.count}
    check(begun, *hear_all(environment, begun, max_retries=2))
