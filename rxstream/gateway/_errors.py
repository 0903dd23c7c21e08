"""Errors in the words of the API."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse

from rxstream.errors import (
    ApiError,
    ModerationError,
    ProducerLostError,
    RelayError,
    ResponseError,
    ResponseFailedError,
    RxStreamError,
    StatusError,
    StreamCancelledError,
    StreamTimeoutError,
)
from rxstream.web.formats._error_text import error_text


class RequestError(Exception):
    """A request that the gateway itself answers with an error."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        return _response(self.status, self.message, self.code, self.param, self.headers)


def not_found(response_id: str) -> RequestError:
    """In the words of the API. Also for the responses of other callers."""
    return RequestError(404, f"Response with id '{response_id}' not found.")


def refused_key() -> RequestError:
    """The server does not take the key of the gateway, which is not the caller's fault."""
    return RequestError(502, "The model refused the key of the gateway.", code="StatusError")


def text_of(error: Exception) -> str:
    """What a client is told of an error: nothing of its own text, which may name what is behind the gateway."""
    if isinstance(error, StreamCancelledError):
        return "The response was cancelled."
    if isinstance(error, ProducerLostError):
        return "The process that read this response has ended."
    if isinstance(error, StreamTimeoutError):
        return "The model took too long."
    return error_text(error)


def error_response(error: Exception, *, holds_key: bool) -> JSONResponse:
    """The answer to a request whose stream failed before its first event, or that wanted no stream.

    `holds_key`: that a server refuses the gateway's own key is not the caller's fault.
    """
    if isinstance(error, StatusError) and 400 <= error.status < 600:
        return _of_status(error, holds_key=holds_key)
    name = type(error).__name__
    if isinstance(error, ModerationError):
        return _response(400, text_of(error), "content_filter", None)
    if isinstance(error, ApiError | ResponseFailedError):
        passes = "rate_limit" in (error.code or "")
        return _response(429 if passes else 500, error.message, error.code, getattr(error, "param", None))
    if isinstance(error, StreamTimeoutError):
        return _response(504, text_of(error), name, None)
    if isinstance(error, RelayError):
        return _response(503, text_of(error), name, None)
    bad_gateway = isinstance(error, RxStreamError) and not isinstance(error, ResponseError)
    return _response(502 if bad_gateway else 500, text_of(error), name, None)


def _of_status(error: StatusError, *, holds_key: bool) -> JSONResponse:
    if holds_key and error.status in (401, 403):
        return refused_key().response()
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["retry-after"] = f"{error.retry_after:g}"
    if error.should_retry is not None:
        headers["x-should-retry"] = str(error.should_retry).lower()
    if error.request_id:
        headers["x-request-id"] = error.request_id
    try:
        body: Any = json.loads(error.body)
    except ValueError:
        body = None
    if isinstance(body, dict) and "error" in body:  # as the server worded it
        return JSONResponse(body, error.status, headers=headers)
    return _response(error.status, f"The model answered {error.status}.", error.code, None, headers)


def _response(
    status: int, message: str, code: str | None, param: str | None, headers: dict[str, str] | None = None
) -> JSONResponse:
    kind = "server_error" if status >= 500 else "requests" if status == 429 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, headers=headers)
