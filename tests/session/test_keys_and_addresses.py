"""Which key goes to which server: what an argument says wins over the environment, also where it says "nothing"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

import rxstream
from rxstream.errors import StatusError
from rxstream.testing import LocalServer, answers
from rxstream.transport import HttpTransport, MemoryTransport
from tests.session._modes import Heard, hear, in_session, modes

ENVIRONMENT = {
    "OPENAI_API_KEY": "sk-from-env",
    "OPENAI_ORG_ID": "org-from-env",
    "OPENAI_PROJECT_ID": "proj-from-env",
}
OFFICIAL = "https://api.openai.com/v1"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return monkeypatch


def sent(**options: Any) -> Mapping[str, str]:
    """The headers that a session sends to a server whose address it was given."""
    with LocalServer([answers.text("Hi")]) as server:
        assert hear("with", server, **{"api_key": None, **options}).completed()
        return server.log[0].headers


def sent_to(base_url: str, client_headers: Mapping[str, str] | None = None, **options: Any) -> httpx.Headers:
    """The headers that a session sends to an address on the network, which is not reached."""
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(404, stream=httpx.ByteStream(b""))

    async def body(session: rxstream.Session, client: httpx.AsyncClient) -> None:
        async with client:
            with pytest.raises(StatusError):
                await rxstream.result(session.response(model="m", input="Hi"))

    client = httpx.AsyncClient(headers=client_headers, transport=httpx.MockTransport(answer))
    with rxstream.Session(base_url=base_url, http_client=client, **options) as session:
        session.spawn(lambda: body(session, client))
    return seen[0]


@modes
def test_an_empty_address_is_refused_and_no_other_is_taken(environment: pytest.MonkeyPatch, mode: str) -> None:
    with LocalServer([answers.text("Hi")]) as server:
        environment.setenv("OPENAI_BASE_URL", server.base_url)

        def body(session: rxstream.Session) -> None:
            with pytest.raises(ValueError, match="https://"):
                session.response(model="m", input="Hi")

        in_session(mode, body, base_url="")
        assert not server.log


def test_an_empty_key_sends_none(environment: pytest.MonkeyPatch) -> None:
    assert sent()["authorization"] == "Bearer sk-from-env"
    assert "authorization" not in sent(api_key="")
    with pytest.raises(ValueError, match="expected an API key"):
        rxstream.Session("").response(model="m", input="Hi")


def test_an_empty_variable_counts_as_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OPENAI_BASE_URL", "")
    environment.setenv("OPENAI_API_KEY", "")
    with pytest.raises(ValueError, match="expected an API key"):
        rxstream.Session().response(model="m", input="Hi")


@pytest.mark.parametrize("base_url", [OFFICIAL, OFFICIAL + "/", "https://eu.api.openai.com/v1"])
def test_organization_and_project_of_the_environment_go_to_openai(
    environment: pytest.MonkeyPatch, base_url: str
) -> None:
    headers = sent_to(base_url)
    assert headers["openai-organization"] == "org-from-env"
    assert headers["openai-project"] == "proj-from-env"
    headers = sent_to(base_url, organization="", headers={"openai-project": "mine"})
    assert "openai-organization" not in headers
    assert headers["openai-project"] == "mine"


@pytest.mark.parametrize("base_url", ["https://api.example.com/v1", "https://api.openai.com.example.com/v1"])
def test_organization_and_project_of_the_environment_go_nowhere_else(
    environment: pytest.MonkeyPatch, base_url: str
) -> None:
    headers = sent_to(base_url)
    assert headers["authorization"] == "Bearer sk-from-env"
    assert "openai-organization" not in headers
    assert "openai-project" not in headers
    assert sent_to(base_url, organization="org-1")["openai-organization"] == "org-1"


@pytest.mark.parametrize("base_url", [OFFICIAL + "/", "https://eu.api.openai.com/v1", OFFICIAL + "?a=b"])
def test_every_spelling_of_the_official_address_needs_a_key(environment: pytest.MonkeyPatch, base_url: str) -> None:
    environment.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match="expected an API key"):
        rxstream.Session(base_url=base_url).response(model="m", input="Hi")
    assert sent_to(base_url, headers={"Authorization": "Bearer mine"})["authorization"] == "Bearer mine"


@pytest.mark.parametrize("name", ["api-key", "API-Key"])
def test_an_api_key_header_replaces_the_bearer(environment: pytest.MonkeyPatch, name: str) -> None:
    headers = sent(headers={name: "azure-key"})
    assert headers["api-key"] == "azure-key"
    assert "authorization" not in headers
    both = sent(headers={name: "azure-key", "Authorization": "Bearer mine"})
    assert (both["api-key"], both["authorization"]) == ("azure-key", "Bearer mine")


def test_an_api_key_header_of_a_client_replaces_the_bearer(environment: pytest.MonkeyPatch) -> None:
    headers = sent_to("https://azure.example.com/openai/v1", {"api-key": "azure-key"})
    assert headers["api-key"] == "azure-key"
    assert "authorization" not in headers


def test_a_transport_that_is_falsy_is_used() -> None:
    class Empty(MemoryTransport):
        def __len__(self) -> int:
            return 0

    transport = Empty(b"".join(answers.text("Hi").all_frames()))
    heard = Heard()
    with rxstream.Session(transport=transport) as session:
        heard.subscribe(session.response(model="m", input="Hi"))
    assert heard.completed()
    assert len(transport.requests) == 1


def test_a_transport_of_ones_own_keeps_to_the_same_rule() -> None:
    with pytest.raises(ValueError, match="empty"):
        HttpTransport(base_url=OFFICIAL, api_key="")
