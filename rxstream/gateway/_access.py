"""What a caller may ask for."""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from rxstream.gateway._callers import AllowReference, Authorize, stream_id_of
from rxstream.gateway._errors import RequestError, not_found
from rxstream.gateway._references import references_in
from rxstream.gateway._stored import has_stream
from rxstream.relay import Log


class NamedResponse:
    """A response that a request names, and its stream in the log.

    Args:
        log: None: it cannot have the stream, because the caller has no name.
    """

    def __init__(self, response_id: str, log: Log | None, stream_id: str) -> None:
        self.response_id = response_id
        self.log = log
        self.stream_id = stream_id
        self.path = f"/responses/{quote(response_id, safe='')}"
        """At the server."""

    async def kept_by(self) -> Log | None:
        """The log, if it has the stream, which is then the caller's. Raises: LogUnavailableError."""
        return self.log if self.log is not None and await has_stream(self.log, self.stream_id) else None


class Access:
    """Whose responses are whose.

    Args:
        holds_key: whether callers share an account at the server, which gives each of them all that is in it.
        moderates: whether the server's own answer is not to be seen.
    """

    def __init__(
        self,
        authorize: Authorize,
        allow_reference: AllowReference | None,
        log: Log | None,
        *,
        holds_key: bool,
        moderates: bool,
    ) -> None:
        self._authorize = authorize
        self._allow_reference = allow_reference
        self._log = log
        self._holds_key = holds_key
        self._moderates = moderates

    async def caller(self, request: Request, response_id: str | None = None) -> str:
        """The name of the caller. Raises: RequestError: refused."""
        caller = await _value_of(self._authorize(request, response_id))
        if isinstance(caller, str):
            return caller
        if response_id is not None:
            raise not_found(response_id)
        raise RequestError(401, "The API key is not accepted.", code="invalid_api_key")

    async def named_response(self, request: Request) -> NamedResponse:
        """The response of the path. Raises: RequestError: refused."""
        response_id: str = request.path_params["response_id"]
        caller = await self.caller(request, response_id)
        return NamedResponse(response_id, self._log if caller else None, stream_id_of(caller, response_id))

    def check_unkept(self, named: NamedResponse, *, shows_text: bool = True) -> None:
        """Whether the server may be asked for a response that the log does not have.

        Raises: RequestError: with a key of the gateway it would give any caller's, and it knows nothing of moderation.
        """
        if self._holds_key or (self._moderates and shows_text):
            raise not_found(named.response_id)

    def check_input_items(self, named: NamedResponse, *, is_kept: bool) -> None:
        """Raises: RequestError: as `check_unkept`; the input has what earlier responses said, also unmoderated."""
        if self._moderates or (self._holds_key and not is_kept):
            raise not_found(named.response_id)

    async def check_references(self, caller: str, body: dict[str, Any]) -> None:
        """What the body of a new response names.

        Raises: RequestError: with a key of the gateway, a response that is not the caller's, or a conversation;
        something that `allow_reference` refuses.
        """
        if self._holds_key:
            await self._check_conversation(caller, body)
        if self._allow_reference is not None:
            for place, name in references_in(body):
                if not await _value_of(self._allow_reference(caller, place, name)):
                    raise RequestError(400, f"'{place}' names an object that was not found.", param=place)

    async def _check_conversation(self, caller: str, body: dict[str, Any]) -> None:
        previous = body.get("previous_response_id")
        if previous is not None:
            log = self._log if caller else None
            if log is None or not await has_stream(log, stream_id_of(caller, str(previous))):
                message = f"Previous response with id '{previous}' not found."
                raise RequestError(400, message, code="previous_response_not_found", param="previous_response_id")
        if body.get("conversation") is not None:
            raise RequestError(400, "The gateway has no conversations: send the items.", param="conversation")


async def _value_of(answer: Any) -> Any:
    """Of a function that may be async."""
    return await answer if inspect.isawaitable(answer) else answer
