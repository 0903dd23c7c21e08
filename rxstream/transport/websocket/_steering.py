"""Input for the response that runs on a socket: what was sent, and what has become of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, cast

import anyio

from rxstream.errors import DisconnectedError, RxStreamError, SteerFailedError
from rxstream.transport.websocket._messages import response_begun, steering_event


class SteerAnswer:
    """The server's answer to one input."""

    def __init__(self) -> None:
        self._come = anyio.Event()
        self._event: Mapping[str, Any] | None = None
        self._error: RxStreamError | None = None

    def set(self, event: Mapping[str, Any]) -> None:
        self._event = event
        self._come.set()

    def fail(self, error: RxStreamError) -> None:
        self._error = error
        self._come.set()

    async def wait(self) -> Mapping[str, Any]:
        """The `response.steer.accepted` event. Raises: SteerFailedError, DisconnectedError."""
        await self._come.wait()
        if self._error is not None:
            raise self._error
        event = self._event or {}
        if event.get("type") != "response.steer.failed":
            return event
        found: object = event.get("error")
        error = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        raise SteerFailedError(
            str(error.get("message") or "the server did not take the input, and gave no reason"),
            code=str(error["code"]) if error.get("code") else None,
        )


class Steering:
    """The inputs for one response, in the order in which they were sent. The server answers in that order."""

    def __init__(self) -> None:
        self._unanswered: deque[SteerAnswer] = deque()
        self._accepted: set[str] = set()
        """The ids of those that wait for a successor."""
        self._answered: set[str] = set()
        self.used = False
        """Whether an input was sent. Messages are only read for it from then on."""

    @property
    def waits_for_answer(self) -> bool:
        return bool(self._unanswered)

    @property
    def open(self) -> bool:
        """Whether the server has still to answer, or to begin a successor."""
        return bool(self._unanswered or self._accepted)

    def sent(self) -> SteerAnswer:
        """An input is sent."""
        self.used = True
        answer = SteerAnswer()
        self._unanswered.append(answer)
        return answer

    def forget(self, answer: SteerAnswer) -> None:
        """It could not be sent."""
        if answer in self._unanswered:  # the stream may have ended meanwhile
            self._unanswered.remove(answer)

    def feed(self, text: str) -> str | None:
        """Note a message. Returns the id of the response that it begins."""
        begun = response_begun(text)
        if begun is not None:
            self._accepted.clear()
            return begun
        event = steering_event(text)
        if event is None:
            return None
        steer: object = event.get("steer")
        steer_id = str(cast("dict[str, Any]", steer).get("id") or "") if isinstance(steer, dict) else ""
        kind = event.get("type")
        if kind == "response.steer.accepted":
            self._accepted.add(steer_id)
        else:
            self._accepted.discard(steer_id)
        if kind != "response.steer.pending" and steer_id not in self._answered and self._unanswered:
            self._unanswered.popleft().set(event)
        if steer_id:
            self._answered.add(steer_id)
        return None

    def lost(self, request_id: str | None) -> None:
        """Nothing more is read."""
        while self._unanswered:
            self._unanswered.popleft().fail(
                DisconnectedError(
                    "the stream of the response ended before the server answered: whether it took the input is not "
                    "known",
                    request_id=request_id,
                )
            )
