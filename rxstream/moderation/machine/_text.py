"""The text of one lane, appended to by the delta and read near its end; and where it may be cut."""

from collections import deque


class LaneText:
    """Append-only text. What `slice` costs does not grow with the length of the text, if `forget` is told."""

    __slots__ = ("_carry", "_far", "_near", "_near_start", "_tail", "length")

    def __init__(self) -> None:
        self.length = 0
        self._tail: list[str] = []
        self._near = ""
        self._near_start = 0
        self._far: list[str] = []
        self._carry = ""

    def append(self, piece: str) -> None:
        """Add a piece. Half a surrogate pair at its end waits for the other half."""
        if self._carry or (piece and "\ud800" <= piece[-1] <= "\udbff"):
            piece = self._join_surrogates(piece)
        self._tail.append(piece)
        self.length += len(piece)

    def close(self) -> None:
        """No other half will come: take the lone one as it is."""
        if self._carry:
            self._tail.append(self._carry)
            self.length += 1
            self._carry = ""

    def slice(self, start: int, end: int) -> str:
        self._settle()
        first = self._near_start
        return self._near[start - first : end - first]

    def forget(self, before: int) -> None:
        """Nothing in front of `before` will be sliced again (`whole` still gives it)."""
        if before - self._near_start > 4096:
            self._settle()
            size = before - self._near_start
            self._far.append(self._near[:size])
            self._near = self._near[size:]
            self._near_start = before

    def whole(self) -> str:
        self._settle()
        if self._far:
            self._far.append(self._near)
            whole = "".join(self._far)
            self._far = [whole[: self._near_start]]
            return whole
        return self._near

    def _settle(self) -> None:
        if self._tail:
            self._near += "".join(self._tail)
            self._tail.clear()

    def _join_surrogates(self, piece: str) -> str:
        piece = self._carry + piece
        self._carry = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._carry = piece[:-1], piece[-1]
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


class Arrivals:
    """When each piece of a text arrived: how old is the oldest character from a place on?"""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: deque[tuple[int, float]] = deque()

    def note(self, end: int, now: float) -> None:
        self._ends.append((end, now))

    def oldest(self, start: int) -> float:
        """When the character at `start` came; everything in front of it is forgotten."""
        ends = self._ends
        while ends[0][0] <= start:
            ends.popleft()
        return ends[0][1]
