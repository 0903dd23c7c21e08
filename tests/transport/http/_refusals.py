"""The error of a request that a test server refuses, once it is known to keep the secrets."""

import json
import logging
import pickle
import traceback
from typing import Any

import pytest

from rxstream.errors import RxStreamError
from rxstream.transport import HttpTransport, Request
from tests.transport.http._peer import Handler, Peer, serve
from tests.transport.http.conftest import Clients

KEY = "sk-test-canary-1234567890"
AZURE = "azure-canary-1234567890"
PROMPT = "the-secret-prompt"
CREATE = Request("POST", "/responses", json={"model": "m", "input": PROMPT})


def assert_keeps_secrets(error: BaseException, logged: str) -> None:
    """Neither key nor prompt in what the error shows, holds, pickles to or hangs on, nor in the logs."""
    shown = [logged, "".join(traceback.format_exception(error))]
    seen: BaseException | None = error
    while seen is not None:
        assert not hasattr(seen, "request"), "an error that holds the request holds the key"
        shown += [repr(seen), str(seen), str(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)
    for text in [*shown, str(pickle.dumps(error))]:
        assert KEY not in text
        assert AZURE not in text
        assert PROMPT not in text


async def failure(transport: HttpTransport, request: Request = CREATE) -> RxStreamError:
    """What opening and reading fails with."""
    with pytest.raises(RxStreamError) as caught:
        async with transport.open(request) as wire:
            async for _ in wire:
                pass
    return caught.value


async def refusal(
    clients: Clients, answer: bytes | str | Handler, log: pytest.LogCaptureFixture, **options: Any
) -> Any:
    """The error for an answer, once it is known to keep the secrets, and the socket to be closed."""

    async def handler(peer: Peer) -> None:
        if callable(answer):
            await answer(peer)
        else:
            await peer.send(answer)

    log.set_level(logging.DEBUG)
    async with clients() as client, serve(handler) as server:
        headers = {"api-key": AZURE, **options.pop("headers", {})}
        transport = HttpTransport(client, base_url=server.url, api_key=KEY, headers=headers, **options)
        error = await failure(transport)
        assert_keeps_secrets(error, log.text)
        assert f"127.0.0.1:{server.port}" in str(error)
        assert len(server.peers) == 1
    return error


def answered(status: str, *fields: str, body: bytes | str = "") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return (
        "\r\n".join(
            [f"HTTP/1.1 {status}", *fields, "Connection: close", f"Content-Length: {len(raw)}", "", ""]
        ).encode()
        + raw
    )


def api_error(message: str, code: Any = None, **more: Any) -> str:
    return json.dumps({"error": {"message": message, "type": "some_error", "code": code, **more}})
