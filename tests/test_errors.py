"""What errors say of themselves."""

import pickle

import pytest

from rxstream import errors


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (errors.ConnectError("x"), True),
        (errors.ConnectError("x", should_retry=False), False),
        (errors.DisconnectedError("x"), True),
        (errors.ConnectionLimitError("x"), True),
        (errors.IdleTimeoutError("x"), True),
        (errors.StatusError("x", status=400), False),
        (errors.StatusError("x", status=429), True),
        (errors.StatusError("x", status=503, should_retry=False), False),
        (errors.PreviousResponseNotFoundError("x", status=400), False),
        (errors.ProtocolError("x"), False),
        (errors.TruncatedError("x"), False),
        (errors.ApiError("x", code="server_error"), True),
        (errors.ApiError("x", code="429"), True),
        (errors.ApiError("x", code="invalid_prompt"), False),
        (errors.ApiError("x", retry_after=2), True),
        (errors.ResponseFailedError("x", code="rate_limit_exceeded"), True),
        (errors.ResponseCancelledError("x", code="server_error"), False),
        (errors.RefusalError("x"), False),
        (errors.SchemaError("x"), False),
    ],
)
def test_whether_the_same_request_may_succeed_later(error: errors.RxStreamError, retryable: bool) -> None:
    assert error.retryable is retryable
    assert pickle.loads(pickle.dumps(error)).retryable is retryable
