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
from tests.thinned import tries


def questions(server: LocalServer) -> list[list[str]]:
    """The texts of each request for a moderation that was answered with verdicts."""
    return [
        exchange.json["input"]
        for exchange in server.log
        if exchange.path == "/v1/moderations" and exchange.status == 200
    ]


@modes
def test_windows_of_many_streams_share_one_request(mode: str):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate(["no answer"], delay=0.02)
        streams = [Ended() for _ in range(tries(40, 100))]
        windows: list[Window] = []

        def body(session: Any) -> None:
            moderation = OpenAIModeration(session)

            def counted(window: Window) -> Any:
                windows.append(window)
                return moderation(window)

            for received in streams:
                answer = session.response(model="m", input="hi")
                received.subscribe(answer.pipe(debounce_moderation(counted, timeout=20)))

        in_session(mode, server, body)
        assert all(received.text == PROSE and received.types()[-1] == "response.completed" for received in streams)
        requests = questions(server)
        assert sum(map(len, requests)) == len(windows)
        assert len(requests) <= len(windows) / 8
        assert max(map(len, requests)) <= 32


@modes
def test_no_text_is_sent_again_beyond_the_context(mode: str):
    whole = " ".join(f"word{number:03}" for number in range(300))
    with LocalServer([answers.text(whole, split=9)]) as server:
        received = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            received.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), context=100)))

        in_session(mode, server, body)
        at = 0
        for sent in [one for texts in questions(server) for one in texts]:
            start = whole.index(sent)
            assert at - 100 <= start <= at, "text was sent again beyond the context, or left out"
            at = start + len(sent)
        assert at == len(whole)
        assert received.text == whole


@modes
def test_a_flag_of_the_endpoint_cuts_with_its_categories(mode: str):
    with LocalServer([answers.text(PROSE + "this is forbidden. " + PROSE, split=9)]) as server:
        server.moderate(lambda text: {"harassment": 0.91, "violence": 0.3} if "forbidden" in text else False)
        received = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            received.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session))))

        in_session(mode, server, body)
        (flag,) = [event for event in received.events if event.type == "rxstream.moderation.flagged"]
        assert flag.verdict.categories == ("harassment",)
        assert flag.verdict.scores["violence"] == pytest.approx(0.3)
        assert "forbidden" not in received.text
        assert (PROSE + "this is ").startswith(received.text)
        assert received.events[-1].response.incomplete_details.reason == "content_filter"


def test_thresholds_decide_instead_of_the_endpoint():
    with LocalServer([answers.text("mild words", split=4)]) as server:
        server.moderate(lambda text: {"harassment": 0.3, "violence": 0.9})
        for thresholds, action in (
            ({"harassment": 0.2}, "cut"),
            ({"harassment": 0.4}, "cut"),  # the endpoint flags "violence", which has no threshold
            ({"violence": 0.95, "harassment": 0.4}, None),
            ({}, "cut"),
        ):
            received = Ended()

            def body(session: Any, received: Ended = received, thresholds: dict[str, float] = thresholds) -> None:
                moderation = OpenAIModeration(session, thresholds=thresholds)
                received.subscribe(session.response(model="m", input="hi").pipe(debounce_moderation(moderation)))

            in_session("asyncio", server, body)
            flags = [event for event in received.events if event.type == "rxstream.moderation.flagged"]
            assert [event.action for event in flags] == ([action] if action else [])


@modes
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_transient_failure_is_retried(mode: str, status: int):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate([], failures=[answers.http_error(status, headers={"retry-after-ms": "10"})] * 2)
        received = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            received.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=20)))

        in_session(mode, server, body)
        assert received.text == PROSE
        exchanges = [exchange for exchange in server.log if exchange.path == "/v1/moderations"]
        assert [exchange.status for exchange in exchanges][:3].count(status) == 2
        assert all(exchange.headers["authorization"] == "Bearer k" for exchange in exchanges)


@modes
def test_a_permanent_failure_cuts_and_is_logged_without_text(mode: str, caplog: pytest.LogCaptureFixture):
    with LocalServer([answers.text(PROSE, split=9)]) as server:
        server.moderate(
            [], failures=[answers.http_error(503, "the model said fox", headers={"retry-after-ms": "10"})] * 99
        )
        received = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            received.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=20, retries=0)))

        in_session(mode, server, body)
        assert received.text == ""
        (flag,) = [event for event in received.events if event.type == "rxstream.moderation.flagged"]
        assert flag.cause == "check_error"
        assert "503" in caplog.text
        assert "fox" not in caplog.text


@modes
def test_a_moderation_that_hangs_ends_with_the_timeout_and_so_does_its_request(mode: str):
    with LocalServer([answers.text("some text")]) as server:
        server.moderate([], delay=30)
        received = Ended()

        def body(session: Any) -> None:
            answer = session.response(model="m", input="hi")
            received.subscribe(answer.pipe(debounce_moderation(OpenAIModeration(session), timeout=0.2, retries=0)))

        in_session(mode, server, body)
        assert received.types()[-1] == "response.incomplete"
        assert received.text == ""


@modes
def test_disposing_one_stream_does_not_cancel_the_request_of_the_others(mode: str):
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


def test_a_text_that_the_endpoint_refuses_fails_alone():
    class Choosy:
        """A session whose endpoint refuses every request that holds a certain text."""

        def __init__(self) -> None:
            self.batch_sizes: list[int] = []

        def spawn(self, job: Any) -> Any:
            return self.session.spawn(job)

        async def request_json(self, method: str, path: str, body: Any = None) -> Any:
            assert (method, path) == ("POST", "/moderations")
            self.batch_sizes.append(len(body["input"]))
            if any("unfit" in one for one in body["input"]):
                raise StatusError("unfit", status=400)
            return {"results": [{"flagged": False, "categories": {}, "category_scores": {}} for _ in body["input"]]}

    choosy = Choosy()
    verdicts: dict[str, list[Any]] = {}

    async def main() -> None:
        async with rxstream.Session(api_key="k") as choosy.session:  # type: ignore[attr-defined]
            moderation = OpenAIModeration(choosy)
            for number in range(8):
                words = "unfit" if number == 5 else f"fine {number}"
                received = verdicts.setdefault(words, [])
                moderation(Window(words)).subscribe(received.append, received.append)

    anyio.run(main)
    assert isinstance(verdicts.pop("unfit")[0], StatusError)
    assert all(received == [Verdict(False)] for received in verdicts.values())
    assert choosy.batch_sizes[0] == 8


def test_an_invalid_body_of_the_endpoint_is_a_failure():
    for body in ('{"results": []}', '{"results": [{"flagged": true}]}', "[]", '{"results": [7]}'):
        with LocalServer() as server:
            server.moderate([], failures=[answers.Reply(200, body.encode(), {"content-type": "application/json"})] * 9)
            received: list[Any] = []

            def body_of(session: Any, received: list[Any] = received) -> None:
                OpenAIModeration(session)(Window("text")).subscribe(received.append, received.append)

            in_session("asyncio", server, body_of)
            assert [type(one) for one in received] == [ProtocolError]


CATEGORIES = {"harassment": False, "violence": False, "illicit": None}
SCORES = {"harassment": 0.1, "violence": 0.2, "illicit": None}


def judged(result: Any, thresholds: dict[str, float] | None = None, results: int = 1) -> Any:
    """What the check says when the endpoint answers with these results."""
    received: list[Any] = []

    class Session:
        async def request_json(self, method: str, path: str, body: Any = None) -> Any:
            return {"results": [result] * results}

        def spawn(self, job: Any) -> Any:
            return self.session.spawn(job)

    async def main() -> None:
        session = Session()
        async with rxstream.Session(api_key="k") as session.session:  # type: ignore[attr-defined]
            moderation = OpenAIModeration(session, thresholds=thresholds)
            moderation(Window("text")).subscribe(received.append, received.append)

    anyio.run(main)
    (answer,) = received
    return answer


@pytest.mark.parametrize("thresholds", [None, {"violence": 0.5}])
@pytest.mark.parametrize(
    "field",
    [
        *({"flagged": value} for value in (None, 0, 1, [], "", "false", {})),
        *({"categories": value} for value in (None, [], "violence", {"violence": None}, {"violence": 0})),
        {"categories": {"violence": "false"}},
        *({"category_scores": value} for value in (None, [], {"violence": "0.1"}, {"violence": None})),
        *({"category_scores": {"violence": value}} for value in (True, float("nan"), -0.1, 1.5, float("inf"))),
        *({name: ...} for name in ("flagged", "categories", "category_scores")),
    ],
    ids=str,
)
def test_a_result_that_is_not_well_formed_is_a_failed_check(field: dict[str, Any], thresholds: Any):
    result = {"flagged": False, "categories": CATEGORIES, "category_scores": SCORES} | field
    result = {name: value for name, value in result.items() if value is not ...}
    assert isinstance(judged(result, thresholds), ProtocolError)


def test_another_number_of_results_is_a_failed_check():
    result = {"flagged": False, "categories": CATEGORIES, "category_scores": SCORES}
    assert judged(result) == Verdict(False, scores={"harassment": 0.1, "violence": 0.2})
    for results in (0, 2):
        assert isinstance(judged(result, results=results), ProtocolError)


@pytest.mark.parametrize("scores", [{}, {"harassment": 0.1}, {"illicit": None}])
def test_a_score_that_a_threshold_needs_must_be_there(scores: dict[str, Any]):
    result = {"flagged": False, "categories": CATEGORIES, "category_scores": scores}
    assert isinstance(judged(result, {"illicit": 0.5}), ProtocolError)
    assert judged(result) == Verdict(False, scores={name: score for name, score in scores.items() if score})


@pytest.mark.parametrize(
    ("flagged", "own", "thresholds", "categories"),
    [
        (True, {"hate": True}, {"violence": 0.5}, ("hate",)),  # without a threshold: the endpoint's own verdict
        (True, {"violence": True}, {"violence": 0.5}, ()),  # with one: the score
        (False, {"violence": False}, {"violence": 0.2}, ("violence",)),
        (False, {"hate": True}, {}, ("hate",)),  # the answer contradicts itself
        (True, {"hate": False}, {"violence": 0.5}, ()),
    ],
)
def test_thresholds_decide_their_own_categories_only(
    flagged: bool, own: dict[str, bool], thresholds: dict[str, float], categories: tuple[str, ...]
):
    scores = {"violence": 0.2, "hate": 0.3}
    verdict = judged({"flagged": flagged, "categories": own, "category_scores": scores}, thresholds)
    assert verdict.categories == categories
    assert verdict.flagged is (bool(categories) or not any(own.values()))


@pytest.mark.parametrize(
    ("model", "name", "hint"),
    [
        ("omni-moderation-latest", "self_harm", "Did you mean 'self-harm'"),
        ("omni-moderation-2024-09-26", "pii", "It has: harassment, .*illicit/violent"),
        ("text-moderation-latest", "illicit", "has no category"),
    ],
)
def test_a_threshold_of_an_unknown_category_is_an_error(model: str, name: str, hint: str):
    session = rxstream.Session(api_key="k")
    with pytest.raises(ValueError, match=hint):
        OpenAIModeration(session, model=model, thresholds={name: 0.5})
    OpenAIModeration(session, model="my-own-classifier", thresholds={name: 0.5})


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan"), float("inf"), "0.5", None, True])
def test_a_threshold_is_a_number_from_0_to_1(least: Any):
    with pytest.raises((ValueError, TypeError), match="must be a number from 0 to 1"):
        OpenAIModeration(rxstream.Session(api_key="k"), thresholds={"hate": least})


def test_the_log_names_a_session_that_is_not_open(caplog: pytest.LogCaptureFixture):
    session = rxstream.Session(api_key="k")
    received: list[Any] = []
    OpenAIModeration(session)(Window("text")).subscribe(received.append, received.append)
    assert isinstance(received[0], RuntimeError)
    assert "not open" in caplog.text


@pytest.mark.parametrize("options", [{"batch_window": -1}, {"max_batch": 0}, {"max_retries": -1}])
def test_options_out_of_range_are_errors(options: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(options))):
        OpenAIModeration(rxstream.Session(api_key="k"), **options)
