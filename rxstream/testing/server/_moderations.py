"""`POST /moderations` of the local server."""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from rxstream.testing.answers._answer import JsonDict, Reply, compact
from rxstream.testing.server._responses import error_reply

TextJudge: TypeAlias = Callable[[str], bool | Mapping[str, float]]
"""A function of one text: whether it is flagged, or its scores by category (flagged from 0.5)."""

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The thirteen categories of the endpoint."""

_FLAG_FROM = 0.5


class Moderations:
    """The answers of the endpoint."""

    def __init__(self, judge: "TextJudge | Iterable[str]") -> None:
        self._lock = threading.Lock()
        self._serial = 0
        self.script(judge, 0.0, ())

    def script(self, judge: "TextJudge | Iterable[str]", delay: float, failures: Iterable[Reply]) -> None:
        with self._lock:
            self._judge = judge if callable(judge) else _by_words(judge)
            self._delay = delay
            self._failures = deque(failures)

    def judge(self, body: Any) -> tuple[float, Reply]:
        """After how many seconds to answer, and what."""
        with self._lock:
            judge, delay = self._judge, self._delay
            failure = self._failures.popleft() if self._failures else None
            self._serial += 1
        if failure is not None:
            return delay, failure
        texts = _texts(body)
        if texts is None:
            return delay, error_reply(400, "Missing required parameter: 'input'.")
        answer = {
            "id": f"modr-{self._serial:08x}",
            "model": body.get("model", "omni-moderation-latest"),
            "results": [_result(judge(text)) for text in texts],
        }
        return delay, Reply(200, compact(answer).encode(), {"content-type": "application/json"})


def _texts(body: Any) -> list[str] | None:
    """The texts to judge, one for each result. The parts of one multi-modal input are one text."""
    value: object = cast(JsonDict, body).get("input") if isinstance(body, dict) else None
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        return None
    inputs = cast(list[Any], value)
    if all(isinstance(text, str) for text in inputs):
        return inputs
    return [" ".join(str(cast(JsonDict, part).get("text", "")) for part in inputs if isinstance(part, dict))]


def _by_words(words: Iterable[str]) -> TextJudge:
    alternatives = "|".join(map(re.escape, words))
    if not alternatives:
        return lambda text: False
    pattern = re.compile(alternatives, re.IGNORECASE)
    return lambda text: pattern.search(text) is not None


def _result(judgement: bool | Mapping[str, float]) -> JsonDict:
    flagged_scores = judgement if isinstance(judgement, Mapping) else {"violence": 0.97} if judgement else {}
    scores = {**dict.fromkeys(CATEGORIES, 0.0001), **flagged_scores}
    categories = {name: score >= _FLAG_FROM for name, score in scores.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in scores},
    }
