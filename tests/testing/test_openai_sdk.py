"""The official SDK reads the local server as it reads the API: the answers are faithful."""

from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from rxstream.testing import LocalServer, answers
from tests.waiting import BOUND

ASK: dict[str, Any] = {"model": "gpt-4o", "input": "Hi"}
CALLS = answers.function_calls([("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Oslo"})])
ANSWERS = {
    "text": answers.text("Hi there, how are you?", logprobs=True),
    "annotated": answers.text(
        "See there.",
        annotations=[
            {"type": "url_citation", "start_index": 0, "end_index": 3, "url": "https://a.example", "title": "A"}
        ],
    ),
    "calls": CALLS,
    "calls in turn": answers.function_calls([("a", {}), ("b", '{"x": 1}', "call_b")], interleaved=False),
    "structured": answers.structured({"name": "Ada", "age": 36}),
    "refusal": answers.refusal("I'm sorry, I can't assist with that."),
    "reasoning": answers.reasoning_summary(["I think.", "Therefore."], then="I am."),
    "together": answers.together(
        answers.reasoning_summary("Hm."), answers.text("Let me look."), CALLS, interleaved=True
    ),
}
ENDED = {
    "failed": (answers.failed("server_error", "Boom.", partial_text="Half a"), "failed"),
    "incomplete": (answers.incomplete("Half a", "max_output_tokens"), "incomplete"),
}


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(api_key="sk-local") as running:
        yield running


def connect(server: LocalServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-local", base_url=server.base_url, max_retries=0, timeout=BOUND)


def strictly(events: list[Any]) -> list[Any]:
    """Each event as JSON of the SDK's own model, validated strictly: the SDK itself never validates."""
    for event in events:
        fields = type(event).model_validate(event.to_dict(mode="json"))
        assert fields.type == event.type
    return events


@pytest.mark.parametrize("name", [*ANSWERS])
def test_create_reads_every_answer(server: LocalServer, name: str):
    server.say(ANSWERS[name])
    with connect(server) as client, client.responses.create(**ASK, stream=True) as stream:
        events = strictly(list(stream))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"


@pytest.mark.parametrize("name", [*ANSWERS])
def test_the_stream_helper_reads_every_answer(server: LocalServer, name: str):
    server.say(ANSWERS[name])
    with connect(server) as client, client.responses.stream(**ASK) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert final.output_text == deltas
    assert final.status == "completed"


@pytest.mark.parametrize("name", [*ENDED])
def test_both_read_the_other_endings(server: LocalServer, name: str):
    answer, status = ENDED[name]
    server.say(answer)
    with connect(server) as client:
        with client.responses.create(**ASK, stream=True) as stream:
            assert strictly(list(stream))[-1].response.status == status
        with client.responses.stream(**ASK) as helper:
            assert list(helper)[-1].type == f"response.{status}"


def test_calls_arrive_whole(server: LocalServer):
    server.say(CALLS)
    with connect(server) as client, client.responses.stream(**ASK) as stream:
        output = stream.get_final_response().output
    assert [call.arguments for call in output if call.type == "function_call"] == [
        '{"city":"Paris"}',
        '{"city":"Oslo"}',
    ]


def test_structured_output_is_parsed(server: LocalServer):
    server.say(answers.structured(Person(name="Ada", age=36)))
    with connect(server) as client, client.responses.stream(**ASK, text_format=Person) as stream:
        assert stream.get_final_response().output_parsed == Person(name="Ada", age=36)


def test_error_events(server: LocalServer):
    server.say(
        answers.error("server_error", "Boom.", partial_text="Half a"),
        answers.error("server_error", "Boom.", nested=False),
    )
    with connect(server) as client:
        with client.responses.create(**ASK, stream=True) as nested, pytest.raises(openai.APIError, match="Boom"):
            list(nested)
        with client.responses.create(**ASK, stream=True) as flat:
            assert strictly(list(flat))[-1].message == "Boom."


def test_http_errors(server: LocalServer):
    server.say(
        answers.http_error(429, headers={"retry-after": "1"}, code="rate_limit_exceeded"), answers.http_error(500)
    )
    with connect(server) as client:
        with pytest.raises(openai.RateLimitError) as limited:
            client.responses.create(**ASK, stream=True)
        assert limited.value.code == "rate_limit_exceeded"
        with pytest.raises(openai.InternalServerError):
            client.responses.create(**ASK, stream=True)
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="sk-other").responses.create(**ASK, stream=True)


def test_without_streaming(server: LocalServer):
    server.say("Hi there!")
    with connect(server) as client:
        response = client.responses.create(**ASK)
        assert response.output_text == "Hi there!"
        assert client.responses.retrieve(response.id).output_text == "Hi there!"


def test_an_earlier_answer_is_streamed_again(server: LocalServer):
    server.say("a b c")
    with connect(server) as client:
        response = client.responses.create(**ASK)
        with client.responses.retrieve(response.id, stream=True, starting_after=5) as rest:
            assert [event.sequence_number for event in rest][:2] == [6, 7]


def test_moderations(server: LocalServer):
    server.moderate(["darn"])
    with connect(server) as client:
        results = client.moderations.create(input=["fine", "darn"]).results
    assert [result.flagged for result in results] == [False, True]
    assert results[1].categories.violence


@pytest.mark.anyio
@pytest.mark.parametrize("name", [*ANSWERS])
async def test_the_async_client_reads_every_answer(server: LocalServer, name: str):
    server.say(ANSWERS[name])
    async with openai.AsyncOpenAI(api_key="sk-local", base_url=server.base_url, max_retries=0, timeout=BOUND) as client:
        async with await client.responses.create(**ASK, stream=True) as stream:
            assert strictly([event async for event in stream])[-1].type == "response.completed"
        async with client.responses.stream(**ASK) as helper:
            assert [event async for event in helper][-1].type == "response.completed"
