"""Who asks, and which streams are theirs."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from starlette.requests import Request

Authorize: TypeAlias = Callable[[Request, str | None], "Awaitable[str | None] | str | None"]
"""`authorize(request, response_id)`: the name of the caller, to whom streams belong; None: the request is refused.

`response_id` is the response that is asked for; None: a new one. A refusal is a 401 for a new one, and otherwise the
404 of a response that does not exist. `""` is a caller of whom nothing is kept: no stream can be asked for again.
"""

AllowReference: TypeAlias = Callable[[str, str, str], "Awaitable[bool] | bool"]
"""`allow_reference(caller, place, id)`: whether a request may name an object of the account at the server.

It is asked for each id of a file, a vector store, a container, a skill, a prompt or an item (`item_reference`) in the
body of a new response. `caller` is what `authorize` returned, `place` where the id stands, as
`tools[0].vector_store_ids[1]` or `input[2].content[0].file_id`. False: the request is a 400, and nothing goes up.
"""


def token_of(request: Request, _: str | None = None) -> str | None:
    """The caller's own key, from `Authorization`, or `api-key` as Azure's clients send it; "" without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return (token.strip() or scheme) or request.headers.get("api-key", "") or request.headers.get("x-api-key", "")


def one_of(tokens: Sequence[str]) -> Authorize:
    """Lets those in who send one of `tokens` as their key.

    Raises: ValueError: there is none, or one is empty.
    """
    if not tokens or not all(tokens):
        raise ValueError("expected one token or more for callers, and none of them empty")
    allowed = [token.encode() for token in tokens]

    def authorize(request: Request, _: str | None) -> str | None:
        token = (token_of(request) or "").encode("latin-1", "replace")
        matches = [hmac.compare_digest(token, each) for each in allowed]  # all of them, so that the time says nothing
        return token.decode("latin-1") if any(matches) else None

    return authorize


def stream_id_of(caller: str, response_id: str) -> str:
    """The id in the log of a caller's stream. Without the caller's name it cannot be computed from that of a response.

    So a stream is found by the one who asked for it only, and the log holds no key of a caller.
    """
    return "gateway-" + hmac.digest(caller.encode(), response_id.encode("utf-8", "replace"), "sha256").hex()
