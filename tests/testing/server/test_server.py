"""The local server as any HTTP client sees it."""

import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from rxstream.testing import LocalServer, answers
from rxstream.testing.answers._answer import events_in
from tests._given import RECORDINGS, needs
from tests.waiting import BOUND, wait_for

ASK = {"model": "m", "input": "Hi", "stream": True}

get = partial(httpx.get, timeout=BOUND)
send = partial(httpx.post, timeout=BOUND)


def post(server: LocalServer, **options: Any) -> httpx.Response:
    return send(f"{server.base_url}/responses", json=ASK, **options)


def events(response: httpx.Response) -> list[dict[str, Any]]:
    return events_in(response.content)


def read_into(got: bytearray, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        got += piece


@contextmanager
def streaming(server: LocalServer) -> Iterator[httpx.Response]:
    with (
        httpx.Client(timeout=BOUND) as client,
        client.stream("POST", f"{server.base_url}/responses", json=ASK) as response,
    ):
        yield response


def test_an_answer_is_a_chunked_event_stream_in_the_order_of_the_live_api():
    with LocalServer(answers=[answers.text("Hi there!")]) as server:
        response = post(server)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["transfer-encoding"] == "chunked"
    assert response.headers["x-request-id"].startswith("req_")
    got = events(response)
    assert [event["type"].removeprefix("response.") for event in got] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in got] == list(range(len(got)))
    assert response.content.startswith(b'event: response.created\ndata: {"type":"response.created","sequence_number":0')


def test_the_final_response_holds_what_was_streamed_and_what_was_asked():
    with LocalServer(answers=[answers.text("Hi there!")]) as server:
        final = events(post(server))[-1]["response"]
    assert final["status"] == "completed"
    assert final["model"] == "m"
    assert final["output"][0]["content"][0]["text"] == "Hi there!"
    assert final["usage"]["output_tokens"] == 2


def test_answers_come_in_turn_and_the_last_repeats():
    with LocalServer(answers=["one", answers.text("two")]) as server:
        texts = [events(post(server))[-1]["response"]["output"][0]["content"][0]["text"] for _ in range(3)]
    assert texts == ["one", "two", "two"]


def test_a_function_of_the_request_may_answer():
    with LocalServer(answers=[lambda request: answers.text(f"You said {request['input']}.")]) as server:
        assert "You said Hi." in post(server).text


def test_a_script_that_raises_is_a_500_and_is_raised_from_leaving():
    def broken(request: dict[str, Any]) -> str:
        raise KeyError("no such thing")

    with pytest.raises(KeyError, match="no such thing"), LocalServer(answers=[broken]) as server:
        assert post(server).status_code == 500


def test_every_answer_has_its_own_ids():
    with LocalServer(answers=["a"]) as server:
        assert len({events(post(server))[0]["response"]["id"] for _ in range(3)}) == 3


def test_without_stream_the_response_is_json():
    with LocalServer(answers=["a"]) as server:
        response = send(f"{server.base_url}/responses", json={"model": "m", "input": "Hi"})
    assert response.json()["output"][0]["content"][0]["text"] == "a"


def test_obfuscation_is_left_out_where_the_request_says_so():
    with LocalServer(answers=["a b"]) as server:
        plain = send(f"{server.base_url}/responses", json={**ASK, "stream_options": {"include_obfuscation": False}})
        assert "obfuscation" in post(server).text
    assert "obfuscation" not in plain.text


def test_parallel_function_calls_interleave():
    answer = answers.function_calls([("get_weather", {"city": "Paris"}, "call_1"), ("get_time", '{"zone":"CET"}')])
    with LocalServer(answers=[answer]) as server:
        got = events(post(server))
    deltas = [event["output_index"] for event in got if event["type"].endswith("arguments.delta")]
    assert deltas[:4] == [0, 1, 0, 1]
    output = got[-1]["response"]["output"]
    assert [(item["name"], json.loads(item["arguments"])) for item in output] == [
        ("get_weather", {"city": "Paris"}),
        ("get_time", {"zone": "CET"}),
    ]
    assert output[0]["call_id"] == "call_1"


@pytest.mark.parametrize(
    ("answer", "last", "holds"),
    [
        (
            answers.failed("rate_limit_exceeded", "Slow down.", partial_text="Half a"),
            "response.failed",
            "rate_limit_exceeded",
        ),
        (answers.incomplete("Half a", "content_filter"), "response.incomplete", "content_filter"),
        (answers.error("server_error", "Boom."), "error", '"error":{"type":"server_error"'),
        (answers.error("server_error", "Boom.", nested=False), "error", '"code":"server_error"'),
        (answers.error("server_error", "Boom.", then_failed=True), "response.failed", '"error":{"type":"server_error"'),
        (answers.refusal("I'm sorry."), "response.completed", '"refusal":"I\'m sorry."'),
        (answers.structured({"a": [1, 2]}), "response.completed", '{\\"a\\":[1,2]}'),
        (answers.reasoning_summary(["First.", "Then."], then="So."), "response.completed", '"summary_index":1'),
    ],
)
def test_every_ending_has_its_event(answer: answers.Answer, last: str, holds: str):
    with LocalServer(answers=[answer]) as server:
        response = post(server)
    assert events(response)[-1]["type"] == last
    assert holds in response.text


def test_several_answers_go_into_one_response():
    answer = answers.together(answers.text("Let me look."), answers.function_calls([("look", {})]))
    with LocalServer(answers=[answer]) as server:
        output = events(post(server))[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call"]


def test_http_errors_carry_their_headers_and_the_api_s_json():
    limited = answers.http_error(429, headers={"retry-after": "3"}, code="rate_limit_exceeded", message="Slow down.")
    with LocalServer(answers=[limited, answers.http_error(503, "down"), answers.html()]) as server:
        first, second, third = post(server), post(server), post(server)
    assert (first.status_code, first.headers["retry-after"]) == (429, "3")
    assert first.json()["error"]["code"] == "rate_limit_exceeded"
    assert (second.status_code, second.text) == (503, "down")
    assert third.headers["content-type"].startswith("text/html")


def test_a_wrong_key_is_a_401_as_the_api_words_it():
    with LocalServer(api_key="sk-right") as server:
        wrong = post(server, headers={"authorization": "Bearer sk-wrong"})
        right = post(server, headers={"authorization": "Bearer sk-right"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
    assert right.status_code == 200


def test_other_paths_are_404_and_bad_json_is_400():
    with LocalServer() as server:
        assert get(f"{server.url}/nowhere").json()["error"]["type"] == "invalid_request_error"
        assert get(f"{server.base_url}/responses/resp_unknown").status_code == 404
        assert send(f"{server.base_url}/responses", content=b"{").status_code == 400


def test_a_polite_end_in_the_middle():
    with LocalServer(answers=[answers.truncated(answers.text("a b c"), after=5, plus=20)]) as server:
        response = post(server)
        assert server.log[0].finished
    assert len(events(response)) == 5
    assert response.content.endswith(b"event: response.outp")


@pytest.mark.parametrize("how", ["rst", "fin", "chunk", "length"])
def test_a_broken_wire_breaks_after_the_events_asked_for(how: Any):
    got = bytearray()
    with LocalServer(answers=[answers.disconnect(answers.text("a b c"), after=5, how=how)]) as server:
        with streaming(server) as response:
            pieces = response.iter_raw()
            with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
                read_into(got, pieces)
        assert not server.log[0].closed_by_client
    assert len(events_in(bytes(got))) == 5


def test_a_silent_server_says_nothing_more():
    with LocalServer(answers=[answers.hang(after=3), answers.silent()]) as server:
        with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=1) as client:
            client.post(f"{server.base_url}/responses", json=ASK)
        with pytest.raises(httpx.ReadTimeout), httpx.Client(timeout=1) as client:
            client.post(f"{server.base_url}/responses", json=ASK)
        first, second = server.wait_closed(2, BOUND)
    assert (first.events_sent, first.status) == (3, 200)
    assert (second.events_sent, second.status) == (0, None)


def test_the_client_s_close_is_noticed_while_the_server_waits_for_its_pace():
    with LocalServer(answers=[answers.endless()], pace=0.01) as server:
        with streaming(server) as response:
            pieces = response.iter_raw()  # kept: httpx closes the connection with the iterator
            next(pieces)
            assert not server.log[0].over
            closed_from = time.monotonic()
        record = server.wait_closed(1, BOUND)[0]
    assert record.closed_by_client
    assert not record.finished
    assert record.events_sent == 1
    assert record.ended_at is not None
    assert record.ended_at >= closed_from


def test_the_client_s_close_is_noticed_in_an_endless_answer():
    with LocalServer(answers=[answers.endless()]) as server:
        with streaming(server) as response:
            for _, _ in zip(range(20), response.iter_raw(), strict=False):
                pass
        record = server.wait_closed(1, BOUND)[0]
    assert record.events_sent > 20
    assert record.bytes_sent > 1000


def test_one_connection_serves_many_requests():
    with LocalServer() as server, httpx.Client(timeout=BOUND) as client:
        for _ in range(3):
            client.post(f"{server.base_url}/responses", json=ASK)
        assert [record.connection for record in server.log] == [1, 1, 1]


def test_the_log_knows_the_request():
    with LocalServer() as server:
        post(server, headers={"x-mine": "yes"})
        record = server.wait_over(1, BOUND)[0]
    assert (record.method, record.path, record.json) == ("POST", "/v1/responses", ASK)
    assert record.headers["x-mine"] == "yes"
    assert (record.status, record.finished, record.closed_by_client) == (200, True, False)
    assert "x-mine" not in repr(record)


def test_waiting_in_vain_tells_what_was_seen():
    with LocalServer() as server:
        post(server)
        with pytest.raises(TimeoutError, match=r"expected 2 requests within 0\.\d+ s, got 1 requests"):
            server.wait_requests(2, timeout=0.01)


@pytest.mark.anyio
async def test_it_serves_any_async_loop():
    with LocalServer(answers=[answers.endless()], pace=500) as server:
        port = int(server.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as wire:
            body = json.dumps(ASK)
            head = f"POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
            await wire.send((head + body).encode())
            with anyio.fail_after(BOUND):
                assert (await wire.receive()).startswith(b"HTTP/1.1 200 OK")
            await server.until_requests(1, BOUND)
        (record,) = await server.until_closed(1, BOUND)
        assert record.closed_by_client
        with pytest.raises(TimeoutError):
            await server.until_closed(2, timeout=0.01)


def test_pace_spreads_the_events():
    with LocalServer(answers=[answers.text("a b c d e f g h i j")], pace=200) as server:
        with streaming(server) as response:
            pieces = list(response.iter_raw())
        (record,) = server.wait_over(1, BOUND)
    assert len(pieces) > 3
    assert record.ended_at is not None
    assert record.ended_at - record.opened_at >= 16 / 200  # a promise about "not sooner", true on any machine


def test_an_earlier_answer_can_be_read_again_from_any_event():
    with LocalServer(answers=[answers.disconnect(answers.text("a b c"), after=5, how="fin")]) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            post(server)
        url = f"{server.base_url}/responses/resp_{1:048x}"
        rest = get(url, params={"stream": "true", "starting_after": 4})
        again = get(url, params={"stream": "true"})
        whole = get(url).json()
        assert get(url, params={"stream": "true", "starting_after": "x"}).status_code == 400
    assert [event["sequence_number"] for event in events(rest)] == list(range(5, 11))
    assert [event["sequence_number"] for event in events(again)] == list(range(11))
    assert whole == events(rest)[-1]["response"]


def test_resumes_can_be_cut_too():
    with LocalServer(answers=["a b c"]) as server:
        post(server)
        server.on_resume(lambda rest: answers.truncated(rest, 2), lambda rest: answers.http_error(500))
        url = f"{server.base_url}/responses/resp_{1:048x}?stream=true&starting_after=3"
        assert [event["sequence_number"] for event in events(get(url))] == [4, 5]
        assert get(url).status_code == 500
        assert events(get(url))[0]["sequence_number"] == 4


def test_moderations_judge_each_input():
    with LocalServer(moderation=["darn"]) as server:
        url = f"{server.base_url}/moderations"
        both = send(url, json={"input": ["fine", "DARN it"]}).json()
        parts = send(url, json={"input": [{"type": "text", "text": "darn"}]}).json()
        assert send(url, json={}).status_code == 400
        server.moderate(lambda text: {"hate": len(text) / 10}, failures=[answers.http_error(429)])
        limited, scored = send(url, json={"input": "123456"}), send(url, json={"input": "123456"}).json()
    assert [result["flagged"] for result in both["results"]] == [False, True]
    assert [result["flagged"] for result in parts["results"]] == [True]
    assert limited.status_code == 429
    assert scored["results"][0]["categories"]["hate"]
    assert scored["results"][0]["category_scores"]["hate"] == 0.6
    assert len(both["results"][0]["categories"]) == 13


@needs(RECORDINGS)
def test_a_tape_is_sent_as_it_is():
    path = RECORDINGS / "llamacpp-text.sse"
    with LocalServer(answers=[answers.tape(path), answers.tape(path.read_bytes(), pace=1e6)]) as server:
        assert post(server).content == path.read_bytes()
        assert post(server).content == path.read_bytes()


@needs(RECORDINGS)
def test_a_tape_can_keep_its_times():
    answer = answers.tape(RECORDINGS / "mship-short.sse", pace="recorded")
    assert isinstance(answer.pace, list)
    assert len(answer.pace) == len(list(answer.all_frames()))
    assert answer.pace == sorted(answer.pace)


def test_these_very_bytes():
    http = b'HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {"type":"keepalive"}\n\n'
    with LocalServer(answers=[answers.verbatim(http)]) as server:
        assert post(server).text == 'data: {"type":"keepalive"}\n\n'


def test_the_base_url_may_have_another_path():
    with LocalServer(prefix="/openai/v1") as server:
        assert server.base_url == f"{server.url}/openai/v1"
        assert post(server).status_code == 200
        assert send(f"{server.url}/v1/responses", json=ASK).status_code == 404


def test_leaving_cuts_whoever_is_still_connected():
    with LocalServer(answers=[answers.hang(after=2)]) as server:
        client = httpx.Client(timeout=BOUND)
        response = client.send(client.build_request("POST", f"{server.base_url}/responses", json=ASK), stream=True)
        pieces = response.iter_raw()
        next(pieces)
    with pytest.raises(httpx.HTTPError):
        read_into(bytearray(), pieces)
    response.close()
    client.close()
    assert server.log[0].over
    assert not server.log[0].closed_by_client


def test_it_can_be_started_again_but_not_twice():
    server = LocalServer()
    with pytest.raises(RuntimeError, match="not running"):
        server.url
    for _ in range(2):
        with server:
            assert post(server).status_code == 200
            with pytest.raises(RuntimeError, match="already"):
                server.start()
    server.close()


@pytest.mark.skipif(sys.platform != "linux", reason="counts the open descriptors in /proc")
def test_nothing_is_left_behind():
    def open_things() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    def no_more_than_before() -> bool:
        return all(now <= then for now, then in zip(open_things(), before, strict=True))

    with LocalServer() as server:
        post(server)
    before = open_things()
    for _ in range(10):
        with LocalServer(answers=["a", answers.disconnect(answers.text("a b"), 3), answers.hang(after=1)]) as server:
            post(server)
            with pytest.raises(httpx.HTTPError):
                post(server)
            with pytest.raises(httpx.ReadTimeout):
                send(f"{server.base_url}/responses", json=ASK, timeout=httpx.Timeout(BOUND, read=0.02))
    wait_for(no_more_than_before)


def test_a_client_that_connects_while_it_closes() -> None:
    for _ in range(20):
        with LocalServer() as server:
            client = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.close()
    gc.collect()  # what was left open warns now, and a warning is an error
