"""A stream that is cut anywhere, inside a character too, is with resuming exactly the uncut sequence."""

from __future__ import annotations

from itertools import accumulate, product
from typing import Any
from urllib.parse import parse_qs, urlsplit

import rxstream
from tests.chaos._environments import environments, in_environment, nothing_left
from tests.chaos._faults import FRAMES, INSIDE_UTF8, SENT, WHOLE
from tests.chaos._server import Send, chunk, fault_server, head
from tests.session._modes import Heard
from tests.session.test_resuming import no_wait
from tests.transport.http._peer import LAST, Peer

ENDS = {"FIN": "", "RST": None, "chunk": "40\r\nevent: resp", "polite": LAST}
EVENTS = [*accumulate(map(len, FRAMES))][:-1]
"""The cuts behind each event, in bytes."""
CUTS = sorted({*EVENTS, INSIDE_UTF8, *range(len(FRAMES[0]), len(WHOLE), 307)})


class CutAnswer:
    """A stream that is cut after so many bytes, and the rest for whoever asks for it."""

    def __init__(self, cut: int, end: str | None) -> None:
        self._cut = cut
        self._end = end
        self.after: list[int] = []
        """What it was resumed behind."""

    async def send(self, peer: Peer, number: int) -> None:
        if peer.method == "GET":
            (after,) = parse_qs(urlsplit(peer.path).query)["starting_after"]
            self.after.append(int(after))
            await peer.send(head(), chunk(b"".join(FRAMES[int(after) + 1 :])), LAST)
            return
        await peer.send(head(), chunk(WHOLE[: self._cut]))
        await (peer.reset() if self._end is None else peer.send(self._end))

    @property
    def whole_events(self) -> int:
        return WHOLE[: self._cut].count(b"\n\n")


@environments
def test_cut_at_any_place(environment: str) -> None:
    places = {f"{end} {cut}": CutAnswer(cut, ENDS[end]) for end, cut in product(ENDS, CUTS)}
    heard = {name: Heard() for name in places}
    sends: dict[str, Send] = {name: answer.send for name, answer in places.items()}

    def body(session: rxstream.Session) -> None:
        no_wait(session)
        for name in places:
            options: Any = {"extra_headers": {"x-fault": name}, "background": True, "resume": True}
            heard[name].subscribe(session.response(model="m", input="Hi", **options))

    with nothing_left(), fault_server(sends) as server:
        in_environment(environment, server.base_url, body)
        server.wait_closed()
    for name, answer in places.items():
        end = name.split()[0]
        assert server.requests[name, "POST"] == 1
        if end == "RST" and not heard[name].values:  # it has overtaken the first event
            assert heard[name].errors
            continue
        assert heard[name].completed()
        assert [event.model_dump() for event in heard[name].values] == SENT, name
        if end in ("FIN", "chunk"):
            assert answer.after == [answer.whole_events - 1], name
        elif end == "RST":
            assert all(after < answer.whole_events for after in answer.after)
