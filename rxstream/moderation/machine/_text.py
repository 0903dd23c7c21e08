"""The text of one lane: appended delta by delta, read near its end."""

from collections import deque


class LaneText:
    """Append-only text. The cost of `slice` does not grow with the text, if `forget` is called."""

    __slots__ = ("_high_surrogate", "_new_pieces", "_older", "_recent", "_recent_start", "length")

    def __init__(self) -> None:
        self.length = 0
        self._new_pieces: list[str] = []
        """Pieces that are not yet joined to `_recent`."""
        self._recent = ""
        """The text from `_recent_start` on, which `slice` reads."""
        self._recent_start = 0
        self._older: list[str] = []
        """The text before `_recent_start`, in pieces."""
        self._high_surrogate = ""
        """Half a surrogate pair, which waits for the other half."""

    def append(self, piece: str) -> None:
        """Add a piece. Half a surrogate pair at its end waits for the other half."""
        if self._high_surrogate or (piece and "\ud800" <= piece[-1] <= "\udbff"):
            piece = self._join_surrogates(piece)
        self._new_pieces.append(piece)
        self.length += len(piece)

    def close(self) -> None:
        """No other half follows: append the first half as it is."""
        if self._high_surrogate:
            self._new_pieces.append(self._high_surrogate)
            self.length += 1
            self._high_surrogate = ""

    def slice(self, start: int, end: int) -> str:
        self._join_pieces()
        first = self._recent_start
        return self._recent[start - first : end - first]

    def forget(self, before: int) -> None:
        """Text before `before` is not sliced any more. `full_text` still has it."""
        if before - self._recent_start > 4096:
            self._join_pieces()
            size = before - self._recent_start
            self._older.append(self._recent[:size])
            self._recent = self._recent[size:]
            self._recent_start = before

    def full_text(self) -> str:
        self._join_pieces()
        if self._older:
            self._older.append(self._recent)
            text = "".join(self._older)
            self._older = [text[: self._recent_start]]
            return text
        return self._recent

    def _join_pieces(self) -> None:
        if self._new_pieces:
            self._recent += "".join(self._new_pieces)
            self._new_pieces.clear()

    def _join_surrogates(self, piece: str) -> str:
        piece = self._high_surrogate + piece
        self._high_surrogate = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self._high_surrogate = piece[:-1], piece[-1]
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


class Arrivals:
    """When each piece of a text arrived."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: deque[tuple[int, float]] = deque()

    def note(self, end: int, now: float) -> None:
        self._ends.append((end, now))

    def oldest(self, start: int) -> float:
        """When the character at `start` arrived. Times before it are dropped."""
        ends = self._ends
        while ends[0][0] <= start:
            ends.popleft()
        return ends[0][1]
