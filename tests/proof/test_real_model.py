"""A run that a real model has answered: what it called, and what it made of the result, as llama.cpp sent them."""

from __future__ import annotations

from typing import Any

import rxstream
from rxstream import operators as rxs
from rxstream.moderation import Verdict, Window
from rxstream.testing import LocalServer, answers
from rxstream.tools import RunFinishedEvent, tool
from tests._given import OWN_RECORDINGS
from tests.session._modes import Heard, in_session, modes, options_for

TURNS = [answers.tape(OWN_RECORDINGS / f"llamacpp-run{number}.sse") for number in (1, 2)]
ANSWER = "It is 21 degrees and sunny in Paris."


@modes
def test_the_tool_runs_and_the_model_answers(mode: str) -> None:
    asked: list[str] = []
    judged: list[str] = []
    heard = Heard()

    @tool
    async def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return f"{city}: 21 degrees, sunny."

    def check(window: Window) -> Verdict:
        judged.append(window.text)
        return Verdict(flagged=False)

    def body(session: rxstream.Session) -> None:
        moderated = rxs.debounce_moderation(check, mode="hold")
        heard.subscribe(
            session.run(model="m", input="What is the weather in Paris?", tools=[weather], through=(moderated,))
        )

    with LocalServer(TURNS) as server:
        in_session(mode, body, **options_for(server))
        sent: list[Any] = [record.json["input"] for record in server.log]
    assert heard.completed()
    assert asked == ["Paris"]
    text = "".join(event.delta for event in heard.values if event.type == "response.output_text.delta")
    assert text == ANSWER
    assert ANSWER in "".join(judged)
    call, output = sent[1][1:]
    assert (call["name"], call["arguments"]) == ("weather", '{"city": "Paris"}')
    assert output == {"type": "function_call_output", "call_id": call["call_id"], "output": "Paris: 21 degrees, sunny."}
    last = heard.values[-1]
    assert isinstance(last, RunFinishedEvent)
    assert (last.turn, last.stopped_by, last.usage.input_tokens) == (2, "answer", 322 + 358)
