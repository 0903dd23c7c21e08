"""Errors that end the stream: what they say is judged too."""

from typing import Any

import pytest

from rxstream.errors import (
    ProtocolError,
    RateLimitError,
    ReadTimeoutError,
    StatusError,
    TransportError,
    TruncatedError,
)
from tests.event_builders import created, text_delta
from tests.moderation._moderated import GOOD, SECRET, assert_hidden, moderated
