"""A check that nothing private is logged, and nothing that asks for attention."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager

_LONGEST = 2048


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def assert_clean_log(*secrets: str, level: int = logging.DEBUG) -> Generator[list[logging.LogRecord]]:
    """Everything that is logged within the block is clean; it is logged from DEBUG on, by every logger.

    Args:
        secrets: texts that no record of any logger may hold: keys, prompts, outputs.
        level: the highest level that records of the logger `rxstream` may have. With DEBUG no retry, no second request
            and no failure was logged.

    Yields: the records so far, for checks of your own.
    Raises: AssertionError: on leaving: a record is above the level, holds one of `secrets`, or is of `rxstream` and has
        a control character or more than 2048 characters.
    """
    handler = _Records()
    root, ours = logging.getLogger(), logging.getLogger("rxstream")
    before = [(logger, logger.level, logger.disabled) for logger in (root, ours)]
    for logger in (root, ours):
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    loggers = [root] if ours.propagate else [root, ours]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield handler.records
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        for logger, old_level, disabled in before:
            logger.setLevel(old_level)
            logger.disabled = disabled
    faults = [fault for record in handler.records for fault in _faults(record, secrets, level)]
    if faults:
        raise AssertionError("expected a clean log, got:\n" + "\n".join(faults))


def _faults(record: logging.LogRecord, secrets: Iterable[str], level: int) -> Iterable[str]:
    text = record.getMessage()
    where = f"{record.levelname} of {record.name}: {text[:200]!r}"
    if record.name == "rxstream" or record.name.startswith("rxstream."):
        if record.levelno > level:
            yield f"a record above {logging.getLevelName(level)}: {where}"
        if not text.isprintable() or len(text) > _LONGEST:
            yield f"a control character, or more than {_LONGEST} characters: {where}"
    everything = text + logging.Formatter().format(record) + repr(record.__dict__)
    for number, secret in enumerate(secrets, 1):
        if secret and secret in everything:
            yield f"secret {number}: {record.levelname} of {record.name}, in {record.pathname}:{record.lineno}"
