"""assert_clean_log."""

from __future__ import annotations

import logging

import pytest

from rxstream.testing import assert_clean_log

log = logging.getLogger("rxstream")


def test_a_clean_log_passes_and_gives_its_records() -> None:
    with assert_clean_log("canary") as records:
        log.debug("fine")
        logging.getLogger("other").warning("not ours")
    assert [record.getMessage() for record in records] == ["fine", "not ours"]


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING])
def test_a_record_above_the_level(level: int) -> None:
    with pytest.raises(AssertionError, match=r"a record above DEBUG: .* of rxstream: 'retry'"), assert_clean_log():
        log.log(level, "retry")
    with assert_clean_log(level=level):
        log.log(level, "retry")


@pytest.mark.parametrize("name", ["rxstream", "httpx", "other.logger"])
def test_a_secret_in_a_message_an_argument_or_a_traceback(name: str) -> None:
    other = logging.getLogger(name)
    for write in (
        lambda: other.debug("the canary"),
        lambda: other.debug("%s", {"key": "canary"}),
        lambda: other.debug("x", extra={"more": "canary"}),
        lambda: other.debug("x", exc_info=ValueError("canary")),
    ):
        with pytest.raises(AssertionError, match="secret 2") as caught, assert_clean_log("nothing", "canary"):
            write()
        assert "canary" not in str(caught.value) or "the canary" in str(caught.value)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "x" * 3000])
def test_what_would_break_a_log(text: str) -> None:
    with pytest.raises(AssertionError, match="control character"), assert_clean_log():
        log.debug(text)


def test_the_error_of_the_block_goes_first() -> None:
    with pytest.raises(KeyError), assert_clean_log():
        log.warning("x")
        raise KeyError


def test_loggers_are_left_as_they_were() -> None:
    log.setLevel(logging.ERROR)
    handlers = logging.getLogger().handlers[:]
    try:
        with assert_clean_log():
            assert log.isEnabledFor(logging.DEBUG)
        assert log.level == logging.ERROR
        assert logging.getLogger().handlers == handlers
    finally:
        log.setLevel(logging.NOTSET)
