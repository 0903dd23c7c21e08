"""How a WebSocket was closed, as an error."""

from dataclasses import dataclass

from rxstream.errors import ConnectError, DisconnectedError, TransportError
from rxstream.errors._redaction import one_line

NORMAL = 1000
_MEANINGS = {
    1001: "it is going away",
    1002: "it says that this client broke the protocol",
    1003: "it does not take such messages",
    1007: "it could not read a message",
    1008: "its policy forbids it",
    1009: "a message was too large for it",
    1011: "it has a problem",
    1012: "it restarts",
    1013: "it is overloaded",
}
_FINAL = frozenset((1002, 1003, 1007, 1008, 1009, 1010))
"""Codes that the same request will meet again."""


@dataclass(frozen=True, slots=True)
class SocketEnd:
    """The close code of a server and its reason (RFC 6455, 7.4); without a code the connection just ended."""

    code: int | None = None
    reason: str = ""

    def error(self, where: str, request_id: str | None, *, answered: bool) -> TransportError:
        """The error for a response that this has ended. `answered`: whether the response had begun."""
        kind = DisconnectedError if answered else ConnectError
        when = "in the middle of the response" if answered else "before it answered"
        if self.code is None:
            return kind(
                f"{where} closed the connection {when}, without the closing of a WebSocket: try again",
                request_id=request_id,
            )
        said = ": ".join(part for part in (_MEANINGS.get(self.code), one_line(self.reason, 200)) if part)
        return kind(
            f"{where} closed the WebSocket {when} with code {self.code}{f' ({said})' if said else ''}",
            should_retry=False if self.code in _FINAL else None,
            request_id=request_id,
        )
