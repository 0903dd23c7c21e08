"""What stands for masked texts, and the texts themselves."""

import re
import threading
from collections.abc import Iterator, Mapping
from typing import Final

_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+_\d+\]")


class PlaceholderTable(Mapping[str, str]):
    """Placeholder -> the text that it stands for, as in `{"[EMAIL_1]": "ann@example.com"}`.

    A text that is found again gets the placeholder that it has. The application has the table, the subscriber of the
    stream never does. Make one for each user: with a shared one, a model that writes `[EMAIL_1]` could have the text of
    another user restored. It may be used from any thread, and grows with the number of different texts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}
        self._placeholders: dict[tuple[str, str], str] = {}
        """Label and text -> placeholder."""
        self._counts: dict[str, int] = {}

    def placeholder(self, label: str, text: str) -> str:
        """The placeholder of a text: `[LABEL_1]` for the first text of this label."""
        with self._lock:
            placeholder = self._placeholders.get((label, text))
            if placeholder is None:
                number = self._counts[label] = self._counts.get(label, 0) + 1
                placeholder = self._placeholders[label, text] = f"[{label}_{number}]"
                self._texts[placeholder] = text
            return placeholder

    def restore(self, text: str) -> str:
        """`text` with its placeholders replaced by what they stand for. Others stay.

        Pass whole texts: a delta may end within a placeholder. Parse JSON first, and restore its strings.
        """
        return _PLACEHOLDER.sub(lambda found: self.get(found[0], found[0]), text)

    def __getitem__(self, placeholder: str) -> str:
        return self._texts[placeholder]

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            return iter(tuple(self._texts))

    def __len__(self) -> int:
        return len(self._texts)

    def __repr__(self) -> str:
        return f"<PlaceholderTable of {len(self)} texts>"
