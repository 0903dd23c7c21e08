"""Where a request goes and what it may carry: refused here, before anything is sent."""

import warnings

import pytest

from rxstream.transport import HttpTransport, Request, join_url
from rxstream.transport.http._address import is_loopback, same_origin

KEY = "sk-test-canary-1234567890"

JOINED = [
    ("https://api.openai.com/v1", "/responses", "https://api.openai.com/v1/responses"),
    ("https://api.openai.com/v1/", "/responses", "https://api.openai.com/v1/responses"),
    ("https://api.openai.com", "/responses", "https://api.openai.com/responses"),
    ("https://api.openai.com/", "responses", "https://api.openai.com/responses"),
    ("http://localhost:8080/a/b/v1//", "/responses", "http://localhost:8080/a/b/v1/responses"),
    ("http://[::1]:1/v1", "/responses", "http://[::1]:1/v1/responses"),
    ("https://u:p@host.example/v1", "/responses", "https://u:p@host.example/v1/responses"),
    ("https://x.example/openai/v1?api-version=p&b=1", "/responses", "https://x.example/openai/v1/responses?api-version=p&b=1"),
    ("https://x.example/v1#part", "/responses", "https://x.example/v1/responses"),
    ("https://x.example/v1?a=1", "/responses/resp%2F1?stream=true", "https://x.example/v1/responses/resp%2F1?a=1&stream=true"),
]  # fmt: skip


@pytest.mark.parametrize(("base", "path", "url"), JOINED)
def test_join_url(base: str, path: str, url: str) -> None:
    assert join_url(base, path) == url


def test_join_url_with_params() -> None:
    assert join_url("http://h/v1?a=1", "/r", {"b": "x y&", "c": 3}) == "http://h/v1/r?a=1&b=x+y%26&c=3"


@pytest.mark.parametrize(
    "base",
    ["", "api.openai.com/v1", "ftp://x/", "http://", "http:///v1", "http://x:a/", "http://[::1/", "http://x/\r\nA: b"],
)
def test_a_base_url_that_is_none(base: str) -> None:
    with pytest.raises(ValueError, match=r"write it like https://api\.openai\.com/v1"):
        HttpTransport(base_url=base)
    with pytest.raises(ValueError, match=r"write it like https://api\.openai\.com/v1"):
        join_url(base, "/responses")


@pytest.mark.parametrize("path", ["/responses/a b", "/responses/a\r\nX: y", "/responses/\0"])
def test_a_path_that_is_none(path: str) -> None:
    with pytest.raises(ValueError, match="percent-encode it"):
        join_url("http://h/v1", path)


@pytest.mark.parametrize("key", ["", f"{KEY}\n", f"{KEY}\r\nX: y", f"{KEY}\0", f" {KEY}", "schlüssel", "a b"])
def test_a_key_that_cannot_be_sent(key: str) -> None:
    with pytest.raises(ValueError, match="OPENAI_API_KEY") as caught:
        HttpTransport(base_url="https://h/v1", api_key=key)
    assert not key or key.strip() not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0b", "é", "\x1b"])
@pytest.mark.parametrize("name", ["X-A", "Authorization"])
def test_a_header_value_that_cannot_be_sent(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"header '{name}'") as caught:
        HttpTransport(base_url="https://h/v1", headers={name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\r\nA", "X\0", "Ä"])
def test_a_header_name_that_cannot_be_sent(name: str) -> None:
    with pytest.raises(ValueError, match="a header's name must be letters"):
        HttpTransport(base_url="https://h/v1", headers={name: "x"})


@pytest.mark.anyio
async def test_a_request_that_cannot_be_sent() -> None:
    transport = HttpTransport(base_url="http://127.0.0.1:1")
    for request in (
        Request("GET", "/a\nb"),
        Request("GET", "/a", headers={"X": "a\nb"}),
        Request("POST", "/a", json={"x": float("nan")}),
    ):
        with pytest.raises(ValueError, match=r"percent-encode|take out line ends|JSON"):
            async with transport.open(request):
                pass


INSECURE = ["http://api.example.com/v1", "http://192.168.1.10:8080", "http://[fe80::1]/v1"]
SECURE = [
    "https://api.example.com/v1",
    "http://localhost:1",
    "http://127.0.0.1:1",
    "http://[::1]:1",
    "http://a.localhost",
]


@pytest.mark.parametrize("url", INSECURE)
@pytest.mark.parametrize("options", [{"api_key": KEY}, {"headers": {"Api-Key": KEY}}])
def test_a_key_without_encryption_warns(url: str, options: dict[str, object]) -> None:
    with pytest.warns(UserWarning, match="without encryption: use https://") as caught:
        HttpTransport(base_url=url, **options)  # type: ignore[arg-type]
    assert len(caught) == 1
    assert KEY not in str(caught[0].message)
    assert caught[0].filename == __file__


def test_nothing_to_warn_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for url in SECURE:
            HttpTransport(base_url=url, api_key=KEY)
        for url in INSECURE:
            HttpTransport(base_url=url, headers={"X-Other": "1"})


def test_loopback_and_origins() -> None:
    assert not is_loopback("http://127.0.0.1.evil.example")
    assert same_origin("http://a/x", "http://a:80/y")
    assert same_origin("http://a/x", "https://a/y")
    assert not same_origin("https://a/x", "http://a/y")
    assert not same_origin("http://a:8080/x", "https://a/y")
    assert not same_origin("http://a/x", "http://b/x")
    assert not same_origin("http://a/x", "http://a:81/x")


def test_reprs_tell_neither_key_nor_prompt() -> None:
    request = Request("POST", "/responses", json={"input": "the-prompt"}, headers={"Authorization": KEY})
    transport = HttpTransport(base_url="https://h/v1", api_key=KEY)
    for text in (repr(request), str(request), repr(transport)):
        assert KEY not in text
        assert "the-prompt" not in text
