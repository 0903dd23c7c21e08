"""Moderation over real loopback HTTP: the endpoint shared by many streams, and a cut that closes the socket."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import reactivex

import rxstream
from rxstream import operators as rxs
from rxstream.errors import ModerationError, ProtocolError, StatusError
from rxstream.operators import Blocklist, OpenAIModeration, Verdict, Window, debounce_moderation
from rxstream.testing import LocalServer, Reply, endless, http_error, text
from tests.source._modes import MODES

PROSE = "The quick brown fox jumps over the lazy dog. It is said, e.g. by Dr. Smith, to be 3.14 m long. " * 12
modes = pytest.mark.parametrize("mode", MODES)


def in_session(mode: str, server: LocalServer, body: Callable[[Any], None], **options: Any) -> None:
    """Run `body(session)` inside a session of each kind; leaving it waits for what runs."""
    known = {"api_key": "k", "base_url": server.base_url, **options}
    if mode == "with":
        with rxstream.Session(**known) as session:
            body(session)
        return

    async def main() -> None:
        with anyio.fail_after(30):
            async with rxstream.Session(**known) as session:
                body(session)

    anyio.run(main, backend=mode)


class Ended:
    """What a subscriber heard."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.error: Exception | None = None
        self.over = threading.Event()

    def subscribe(self, source: Any) -> Any:
        return source.subscribe(self.events.append, self._failed, self.over.set)

    def _failed(self, error: Exception) -> None:
        self.error = error
        self.over.set()

    @property
    def text(self) -> str:
        return "".join(event.delta for event in self.events if event.type == "response.output_text.delta")

    def types(self) -> list[str]:
        return [event.type for event in self.events]


def questions(server: LocalServer) -> list[list[str]]:
    """The texts of each request for a moderation that was answered with verdicts."""
    return [
        exchange.json["input"]
        for exchange in server.log
        if exchange.path == "/v1/moderations" and exchange.status == 200
    ]


# ---------------------------------------------------------------------- a cut


@modes
def test_a_cut_closes_the_socket_of_the_stream(mode: str):
    with LocalServer([endless(" and", pace=500)]) as server:
        heard = Ended()
        count = 0

        def third(window: Window) -> bool:
            nonlocal count
            count += 1
            return count == 3

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(third, first_chars=20, max_chars=20)))

        in_session(mode, server, body)
        (exchange,) = server.wait_closed()
        assert exchange.closed_by_client
        assert heard.types()[-1] == "response.incomplete"
        assert heard.error is None
        assert heard.text in (" and" * 10)[:41]
        snapshots: list[Any] = []
        reactivex.from_iterable(heard.events).pipe(rxs.snapshots()).subscribe(snapshots.append)
        assert snapshots[-1].response.output_text == heard.text
        assert snapshots[-1].response.status == "incomplete"


@modes
def test_what_comes_out_of_a_blocklist_over_http_is_a_whole_response(mode: str):
    with LocalServer([text(PROSE + "my password is hunter2, keep it.", split=5)]) as server:
        heard = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            heard.subscribe(answer.pipe(debounce_moderation(Blocklist(["hunter2"]), on_flag="replace")))

        in_session(mode, server, body)
        assert heard.error is None
        assert heard.text == PROSE + "my password is [removed], keep it."
        assert heard.events[-1].response.output_text == heard.text
        assert not any("hunter2" in event.model_dump_json() for event in heard.events)


@modes
def test_an_async_check_runs_in_the_session(mode: str):
    with LocalServer([text(PROSE, split=7)]) as server:
        heard = Ended()

        async def check(window: Window) -> Verdict:
            await anyio.sleep(0.01)
            return Verdict("Smith" in window.text)

        def body(session: Any) -> None:
            heard.subscribe(session.response(model="m", input="hi").pipe(debounce_moderation(check, on_flag="error")))

        in_session(mode, server, body)
        assert isinstance(heard.error, ModerationError)
        assert "Smith" not in heard.text


@modes
def test_a_dispose_in_the_middle_of_a_check_leaves_nothing_behind(mode: str):
    with LocalServer([text(PROSE, split=7)]) as server:
        heard = Ended()
        cancelled: list[bool] = []
        subscriptions: list[Any] = []

        async def check(window: Window) -> bool:
            try:
                subscriptions[0].dispose()
                await anyio.sleep(30)
            finally:
                cancelled.append(True)
            return False

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            subscriptions.append(heard.subscribe(answer.pipe(debounce_moderation(check, in_flight=1, timeout=60))))

        in_session(mode, server, body)
        assert cancelled == [True]
        assert not heard.text
        assert not heard.over.is_set()


async def _passes_later(window: Window) -> bool:
    await anyio.sleep(0.02)
    return False


async def _flags_later(window: Window) -> bool:
    await anyio.sleep(0.02)
    return True


@modes
@pytest.mark.parametrize("check", [lambda window: True, _flags_later])
def test_an_error_that_nobody_handles_is_raised_from_leaving_the_session(mode: str, check: Any):
    with LocalServer([text(PROSE, split=7)]) as server:

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            answer.pipe(debounce_moderation(check, on_flag="error")).subscribe()

        with pytest.raises(ModerationError):
            in_session(mode, server, body)


@modes
@pytest.mark.parametrize("check", [lambda window: False, _passes_later])
@pytest.mark.parametrize("handled", [True, False])
def test_what_an_observer_raises_is_never_swallowed(mode: str, check: Any, handled: bool):
    def broken(event: Any) -> None:
        if event.type == "response.output_text.delta":
            raise LookupError("the observer is broken")

    for answer in (text(PROSE, split=7), text("short"), endless(pace=200)):
        with LocalServer([answer]) as server:
            heard: list[Exception] = []

            def body(session: Any, heard: list[Exception] = heard) -> None:
                moderated = session.response(model="m", input="hi").pipe(debounce_moderation(check))
                moderated.subscribe(broken, heard.append if handled else None)

            if handled:
                in_session(mode, server, body)
                assert [type(error) for error in heard] == [LookupError]
            else:
                with pytest.raises(LookupError):
                    in_session(mode, server, body)


# ---------------------------------------------------------------------- the moderation endpoint


@modes
def test_windows_of_many_streams_ride_in_one_request(mode: str):
    with LocalServer([text(PROSE, split=9)]) as server:
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
    with LocalServer([text(whole, split=9)]) as server:
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
    with LocalServer([text(PROSE + "this is forbidden. " + PROSE, split=9)]) as server:
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
    with LocalServer([text("mild words", split=4)]) as server:
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
    with LocalServer([text(PROSE, split=9)]) as server:
        server.moderate([], failures=[http_error(status, headers={"retry-after-ms": "10"})] * 2)
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
    with LocalServer([text(PROSE, split=9)]) as server:
        server.moderate([], failures=[http_error(503, "the model said fox", headers={"retry-after-ms": "10"})] * 99)
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
    with LocalServer([text("some text")]) as server:
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
    with LocalServer([text(PROSE[:200], split=9)]) as server:
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
            server.moderate([], failures=[Reply(200, body.encode(), {"content-type": "application/json"})] * 9)
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
