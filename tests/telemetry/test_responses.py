"""The span of a response of a session: its name, its attributes, its parent, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from reactivex import operators as ops

import rxstream
from rxstream import operators as rxs
from rxstream.testing import LocalServer, answers
from rxstream.transport import MemoryTransport, Request
from tests.session._modes import Heard, in_session, modes, options_for
from tests.telemetry._collected import Collected, parsed


def ask(mode: str, script: list[Any], build: Any = lambda source: source, **request: Any) -> tuple[Collected, Heard]:
    """One response in a session with telemetry, subscribed to inside a span of the app."""
    collected, heard = Collected(), Heard()
    with LocalServer(script) as server:
        options = options_for(server) | {"telemetry": collected.telemetry()}

        def body(session: rxstream.Session) -> None:
            with collected.tracer.start_as_current_span("app"):
                heard.subscribe(build(session.response(**{"model": "m", "input": "Hi"} | request)))

        in_session(mode, body, **options)
    return collected, heard


@modes
def test_a_response_is_a_client_span_below_the_span_of_the_subscriber(mode: str) -> None:
    collected, heard = ask(mode, [answers.text("Hello there.")])
    assert heard.completed()
    assert collected.names == ["app", "chat m"]
    span = collected.span()
    assert span.kind is SpanKind.CLIENT
    assert collected.parent_of("chat m") == "app"
    assert span.status.status_code is StatusCode.UNSET
    response = heard.values[-1].response
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.response.id": response.id,
        "gen_ai.response.model": response.model,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": response.usage.input_tokens,
        "gen_ai.usage.output_tokens": response.usage.output_tokens,
        "openai.api.type": "responses",
        "server.address": "127.0.0.1",
        "rxstream.outcome": "completed",
    }
    attributes = collected.attributes()
    assert expected.items() <= attributes.items()
    assert attributes["gen_ai.response.time_to_first_chunk"] > 0
    assert "error.type" not in attributes


@modes
def test_what_is_called_for_the_subscriber_has_its_own_span_as_the_current_one(mode: str) -> None:
    seen: set[str] = set()

    def note(*_: object) -> None:
        seen.add(getattr(trace.get_current_span(), "name", "none"))

    def build(source: Any) -> Any:
        return source.pipe(ops.do_action(note, note, note))

    ask(mode, [answers.text("Hello there.")], build)
    assert seen == {"app"}


@modes
def test_the_request_is_sent_within_the_span(mode: str) -> None:
    seen: list[str] = []

    class Noting(MemoryTransport):
        def open(self, request: Request) -> Any:
            seen.append(getattr(trace.get_current_span(), "name", "none"))
            return super().open(request)

    collected, heard = Collected(), Heard()
    transport = Noting(answers.frames_of(answers.text("Hello.")))
    in_session(
        mode,
        lambda session: heard.subscribe(session.response(model="m", input="Hi")),
        transport=transport,
        telemetry=collected.telemetry(),
    )
    assert heard.completed()
    assert seen == ["chat m"]
    assert "server.address" not in collected.attributes()


def test_the_parameters_of_the_request_are_attributes() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
    collected, _ = ask(
        "with",
        [answers.text("{}")],
        temperature=0.5,
        top_p=1,
        max_output_tokens=50,
        conversation="conv_1",
        service_tier="flex",
        text={"format": form},
    )
    expected = {
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.output.type": "json",
        "openai.request.service_tier": "flex",
    }
    assert expected.items() <= collected.attributes().items()


@pytest.mark.parametrize(
    ("script", "error", "outcome"),
    [
        ([answers.failed(code="server_error", message="secret text")], "ResponseFailedError", "failed"),
        ([answers.error("invalid_prompt", "secret text")], "ApiError", "failed"),
        ([answers.truncated(answers.text("Hello there."), 5)], "TruncatedError", "failed"),
        ([answers.disconnect(answers.text("Hello there."), 5)], "DisconnectedError", "failed"),
        ([answers.http_error(400, message="secret text")], "StatusError", "failed"),
        ([answers.incomplete("Hel")], None, "incomplete"),
    ],
    ids=["failed", "error", "truncated", "disconnect", "status", "incomplete"],
)
@modes
def test_each_ending_is_told_apart(mode: str, script: list[Any], error: str | None, outcome: str) -> None:
    collected, heard = ask(mode, script)
    (span,) = (span for span in collected.spans if span.name != "app")
    attributes = collected.attributes()
    assert attributes["rxstream.outcome"] == outcome
    assert attributes.get("error.type") == error
    assert (span.status.status_code is StatusCode.ERROR) == (error is not None)
    if error is not None:
        assert type(heard.error).__name__ == error
        assert "secret" not in str(span.status.description)
    else:
        assert attributes["gen_ai.response.finish_reasons"] == ("length",)


@modes
def test_a_disposed_stream_ends_its_span_without_an_error(mode: str) -> None:
    collected, _ = ask(mode, [answers.endless("again ")], ops.take(4))
    attributes = collected.attributes()
    assert attributes["rxstream.outcome"] == "disposed"
    assert "error.type" not in attributes
    assert collected.span().status.status_code is StatusCode.UNSET
    assert attributes["gen_ai.response.id"]


@modes
def test_an_observer_that_raises_ends_its_span_with_its_error(mode: str) -> None:
    collected = Collected()

    def raising(event: object) -> None:
        raise ValueError("no")

    def body(session: rxstream.Session) -> None:
        session.response(model="m", input="Hi").subscribe(raising, lambda error: None)

    with LocalServer([answers.text("Hello")]) as server:
        in_session(mode, body, **options_for(server), telemetry=collected.telemetry())
    assert collected.attributes()["error.type"] == "ValueError"


@modes
def test_leaving_the_session_by_an_error_ends_the_span(mode: str) -> None:
    collected, heard = Collected(), Heard()

    def body(session: rxstream.Session) -> None:
        heard.subscribe(session.response(model="m", input="Hi"))
        raise KeyError("left")

    with LocalServer([answers.hang(answers.text("Hello there."), 5)]) as server, pytest.raises(KeyError):
        in_session(mode, body, **options_for(server), telemetry=collected.telemetry())
    assert collected.attributes()["error.type"] == "DisconnectedError"


def test_a_stream_that_is_not_subscribed_to_has_no_span_and_two_subscriptions_have_two() -> None:
    collected = Collected()
    with LocalServer([answers.text("One"), answers.text("Two")]) as server:
        with rxstream.Session(**options_for(server), telemetry=collected.telemetry()) as session:
            source = session.response(model="m", input="Hi")
            session.response(model="other", input="Hi")
            Heard().subscribe(source)
        assert collected.names == ["chat m"]
        with rxstream.Session(**options_for(server), telemetry=collected.telemetry()) as session:
            source = session.response(model="m", input="Hi")
            Heard().subscribe(source)
            Heard().subscribe(source.pipe(rxs.text_only()))
    assert collected.names == ["chat m"] * 3


@modes
def test_the_tries_of_the_session_are_one_span_and_subscribing_again_is_another(mode: str) -> None:
    collected, heard = Collected(), Heard()
    busy = answers.http_error(503, headers={"retry-after": "0"})
    script = [busy, busy, busy, answers.text("Hello")]
    with LocalServer(script) as server:
        options = options_for(server) | {"max_retries": 1, "telemetry": collected.telemetry()}

        def body(session: rxstream.Session) -> None:
            heard.subscribe(session.response(model="m", input="Hi").pipe(rxs.retry_transient(first_delay=0.001)))

        in_session(mode, body, **options)
    assert heard.completed()
    outcomes = [(span.attributes or {}).get("error.type") for span in collected.spans]
    assert outcomes == ["StatusError", None]


@modes
def test_a_fallback_is_a_span_of_its_own(mode: str) -> None:
    collected, heard = Collected(), Heard()
    with LocalServer([answers.http_error(400), answers.text("Hello")]) as server:

        def body(session: rxstream.Session) -> None:
            other = session.response(model="other", input="Hi")
            heard.subscribe(session.response(model="m", input="Hi").pipe(rxs.fallback_to(other)))

        in_session(mode, body, **options_for(server), telemetry=collected.telemetry())
    assert heard.completed()
    assert [(span.name, (span.attributes or {})["rxstream.outcome"]) for span in collected.spans] == [
        ("chat m", "failed"),
        ("chat other", "completed"),
    ]


def test_without_content_nothing_of_it_is_emitted_and_with_it_messages_are() -> None:
    for content in (False, True):
        collected, heard = Collected(), Heard()
        script = [answers.text("the answer"), answers.http_error(400, message="bad input: the question")]
        with LocalServer(script) as server:
            options = options_for(server) | {"telemetry": collected.telemetry(content=content)}

            def body(session: rxstream.Session, heard: Heard = heard) -> None:
                heard.subscribe(session.response(model="m", input="the question", instructions="the rules"))

            in_session("with", body, **options)
            in_session("with", body, **options)
        text = "".join(span.to_json() for span in collected.spans)
        assert ("the question" in text) == ("the rules" in text) == ("the answer" in text) == content
        if content:
            attributes = dict(collected.spans[0].attributes or {})
            part = {"type": "text", "content": "the question"}
            assert parsed(attributes, "gen_ai.input.messages") == [{"role": "user", "parts": [part]}]
            part = {"type": "text", "content": "the answer"}
            message = {"role": "assistant", "parts": [part], "finish_reason": "stop"}
            assert parsed(attributes, "gen_ai.output.messages") == [message]
            assert parsed(attributes, "gen_ai.system_instructions") == [{"type": "text", "content": "the rules"}]


def test_a_session_that_is_not_open_ends_the_span_too() -> None:
    collected = Collected()
    session = rxstream.Session("sk", base_url="http://127.0.0.1:1", telemetry=collected.telemetry())
    with pytest.raises(RuntimeError, match="not open"):
        session.response(model="m", input="Hi").subscribe()
    assert collected.attributes()["error.type"] == "RuntimeError"


def test_the_option_says_what_it_expects() -> None:
    with pytest.raises(TypeError, match=r"expects rxstream.telemetry.Telemetry\(\), got the class Telemetry"):
        rxstream.Session("sk", telemetry=type(Collected().telemetry()))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got bool"):
        rxstream.Session("sk", telemetry=True)  # type: ignore[arg-type]
