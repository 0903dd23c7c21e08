"""`OpenAIModeration` over loopback HTTP: one endpoint for many streams."""

from typing import Any

import anyio
import pytest

import rxstream
from rxstream.errors import ProtocolError, StatusError
from rxstream.moderation import OpenAIModeration, Verdict, Window
from rxstream.operators import debounce_moderation
from rxstream.testing import LocalServer, answers
from tests.operators._sessions import PROSE, Ended, in_session
from tests.session._modes import modes


def questions(server: LocalServer) -> list[list[str]]:
    """The texts of each request for a moderation that was answered with verdicts."""
    return [
        exchange.json["input"]
        for exchange in server.log
        if exchange.path == "/v1/moderations" and exchange.status == 200
    ]


@modes
def test_windows_of_many_streams_ride_in_one_request(mode: str):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate(["never said"], delay=0.02)
        streams = [Ended() for _ in range(100)]
        windows: list[Window] = []

        def body(session: Any) -> None:
            moderation = OpenAIModeration(session)

            def counted(window: Window) -> Any:
                windows.append(window)
                return moderation(window)

            for heard in streams:
                answer = session.response(model="m", input="hi")
                heard.subscribe(answer.pipe(debounce_moderation(counted, timeout=20)))

        in_session(mode, server, body)
        assert all(heard.text == PROSE and heard.types()[-1] == "response.completed" for heard in streams)
        asked = questions(server)
        assert sum(map(len, asked)) == len(windows)
        assert len(asked) <= len(windows) / 8
        assert max(map(len, asked)) <= 32


@modes
def test_no_text_is_sent_again_beyond_the_context(mode: str):
    whole = " ".join(f"word{number:03}" for number in range(300))
    with LocalServer([answers.text(whole, split=9)]) as server:
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), context=100)))

        in_session(mode, server, body)
        at = 0
        for sent in [one for asked in questions(server) for one in asked]:
            start = whole.index(sent)
            assert at - 100 <= start <= at, "text was sent again beyond the context, or left out"
            at = start + len(sent)
        assert at == len(whole)
        assert heard.text == whole


@modes
def test_a_flag_of_the_endpoint_cuts_with_its_categories(mode: str):
    with LocalServer([answers.text(PROSE + "this is forbidden. " + PROSE, split=9)]) as server:
        server.moderate(lambda said: {"harassment": 0.91, "violence": 0.3} if "forbidden" in said else False)
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session))))

        in_session(mode, server, body)
        (flag,) = [event for event in heard.events if event.type == "rxstream.moderation.flagged"]
        assert flag.verdict.categories == ("harassment",)
        assert flag.verdict.scores["violence"] == pytest.approx(0.3)
        assert "forbidden" not in heard.text
        assert (PROSE + "this is ").startswith(heard.text)
        assert heard.events[-1].response.incomplete_details.reason == "content_filter"


def test_thresholds_decide_instead_of_the_endpoint():
    with LocalServer([answers.text("mild words", split=4)]) as server:
        server.moderate(lambda said: {"harassment": 0.3, "violence": 0.9})
        for thresholds, action in (({"harassment": 0.2}, "cut"), ({"harassment": 0.4}, None), ({}, None)):
            heard = Ended()

            def body(session: Any, heard: Ended = heard, thresholds: dict[str, float] = thresholds) -> None:
                moderation = OpenAIModeration(session, thresholds=thresholds)
                heard.subscribe(session.response(model="m", input="hi").pipe(debounce_moderation(moderation)))

            in_session("asyncio", server, body)
            flags = [event for event in heard.events if event.type == "rxstream.moderation.flagged"]
            assert [event.action for event in flags] == ([action] if action else [])


@modes
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_passes_is_survived(mode: str, status: int):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate([], failures=[answers.http_error(status, headers={"retry-after-ms": "10"})] * 2)
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=20)))

        in_session(mode, server, body)
        assert heard.text == PROSE
        asked = [exchange for exchange in server.log if exchange.path == "/v1/moderations"]
        assert [exchange.status for exchange in asked][:3].count(status) == 2
        assert all(exchange.headers["authorization"] == "Bearer k" for exchange in asked)


@modes
def test_a_failure_that_stays_fails_closed_and_is_logged_without_text(mode: str, caplog: pytest.LogCaptureFixture):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate(
            [], failures=[answers.http_error(503, "the model said fox", headers={"retry-after-ms": "10"})] * 99
        )
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=20, retries=0)))

        in_session(mode, server, body)
        assert heard.text == ""
        (flag,) = [event for event in heard.events if event.type == "rxstream.moderation.flagged"]
        assert flag.cause == "check_error"
        assert "503" in caplog.text
        assert "fox" not in caplog.text


@modes
def test_a_moderation_that_hangs_ends_with_the_timeout_and_so_does_its_request(mode: str):
    with LocalServer([answers.text("some text")]) as server:
        server.moderate([], delay=30)
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=0.2, retries=0)))

        in_session(mode, server, body)
        assert heard.types()[-1] == "response.incomplete"
        assert heard.text == ""


@modes
def test_leaving_one_stream_does_not_cancel_the_request_of_the_others(mode: str):
    with LocalServer([answers.text(PROSE[:200], split=9)]) as server:
        server.moderate([], delay=0.1)
        first, second = Ended(), Ended()

        def body(session: Any) -> None:
            moderation = OpenAIModeration(session, batch_window=0.05)
            left: list[Any] = []

            def leaving(window: Window) -> Any:
                verdict = moderation(window)
                if len(left) == 1:
                    left.append(session.spawn(leave))
                return verdict

            async def leave() -> None:
                await anyio.sleep(0.1)
                left[0].dispose()

            left.append(first.subscribe(session.response(model="m", input="1").pipe(debounce_moderation(leaving))))
            second.subscribe(session.response(model="m", input="2").pipe(debounce_moderation(moderation)))

        in_session(mode, server, body)
        assert second.text == PROSE[:200]
        assert not first.over.is_set()


def test_a_text_that_the_endpoint_refuses_does_not_spoil_the_others():
    class Choosy:
        """A session whose endpoint refuses every request that holds a certain text."""

        def __init__(self) -> None:
            self.asked: list[int] = []

        def spawn(self, job: Any) -> Any:
            return self.session.spawn(job)

        async def request_json(self, method: str, path: str, body: Any = None) -> Any:
            assert (method, path) == ("POST", "/moderations")
            self.asked.append(len(body["input"]))
            if any("unfit" in one for one in body["input"]):
                raise StatusError("unfit", status=400)
            return {"results": [{"flagged": False, "categories": {}, "category_scores": {}} for _ in body["input"]]}

    choosy = Choosy()
    said: dict[str, list[Any]] = {}

    async def main() -> None:
        async with rxstream.Session(api_key="k") as choosy.session:  # type: ignore[attr-defined]
            moderation = OpenAIModeration(choosy)
            for number in range(8):
                words = "unfit" if number == 5 else f"fine {number}"
                heard = said.setdefault(words, [])
                moderation(Window(words)).subscribe(heard.append, heard.append)

    anyio.run(main)
    assert isinstance(said.pop("unfit")[0], StatusError)
    assert all(heard == [Verdict(False)] for heard in said.values())
    assert choosy.asked[0] == 8


def test_an_answer_that_is_no_answer_is_a_failure():
    for body in ('{"results": []}', '{"results": [{"flagged": true}]}', "[]", '{"results": [7]}'):
        with LocalServer() as server:
            server.moderate([], failures=[answers.Reply(200, body.encode(), {"content-type": "application/json"})] * 9)
            heard: list[Any] = []

            def body_of(session: Any, heard: list[Any] = heard) -> None:
                OpenAIModeration(session)(Window("text")).subscribe(heard.append, heard.append)

            in_session("asyncio", server, body_of)
            assert [type(one) for one in heard] == [ProtocolError]


def test_a_session_that_is_not_open_is_said_to_be_so(caplog: pytest.LogCaptureFixture):
    session = rxstream.Session(api_key="k")
    heard: list[Any] = []
    OpenAIModeration(session)(Window("text")).subscribe(heard.append, heard.append)
    assert isinstance(heard[0], RuntimeError)
    assert "not open" in caplog.text


@pytest.mark.parametrize("options", [{"batch_window": -1}, {"max_batch": 0}, {"max_retries": -1}])
def test_what_cannot_be_meant_is_refused(options: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(options))):
        OpenAIModeration(rxstream.Session(api_key="k"), **options)
