"""Words in a text that hides them: zero-width characters, soft hyphens, full-width and other compatibility forms."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from rxstream.moderation.checks._patterns import SearchPattern, compile_pattern

if TYPE_CHECKING:
    import regex


@cache
def _ignorable() -> "regex.Pattern[str]":
    import regex  # heavy, and not needed by programs that moderate nothing

    # Zero-width characters, the soft hyphen, variation selectors, … (Unicode, DerivedCoreProperties.txt).
    return regex.compile(r"\p{Default_Ignorable_Code_Point}")


class FoldedText:
    """A text in its folded form: each character in NFKC, those without a visible form left out.

    Characters are folded one by one, so no character that follows changes what is folded already.
    """

    def __init__(self, text: str) -> None:
        self.folded = text
        self._size = len(text)
        self._offsets: list[int] | None = None
        """The offset in the text of each folded character. None: nothing was folded."""
        if text.isascii() or (unicodedata.is_normalized("NFKC", text) and not _ignorable().search(text)):
            return
        pieces: list[str] = []
        offsets: list[int] = []
        for offset, character in enumerate(text):
            if not character.isascii():
                character = _folded(character)
            pieces.append(character)
            offsets += [offset] * len(character)
        self.folded = "".join(pieces)
        self._offsets = offsets

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of the folded text is in the text."""
        return (start, end) if self._offsets is None else (self._offsets[start], self._offsets[end - 1] + 1)

    def offset(self, folded: int) -> int:
        """Where a folded character is in the text; for the end, the end."""
        if self._offsets is None:
            return folded
        return self._offsets[folded] if folded < len(self._offsets) else self._size


def _folded(character: str) -> str:
    return "" if _ignorable().match(character) else unicodedata.normalize("NFKC", character)


class WordsPattern:
    """Words, searched in the folded form of a text. Offsets are those of the text itself."""

    before = 0
    stable = True

    def __init__(self, pattern: SearchPattern) -> None:
        self._pattern = pattern

    def spans(self, text: str, timeout: float) -> Iterator[tuple[int, int]]:
        folded = FoldedText(text)
        for start, end in self._pattern.spans(folded.folded, timeout):
            yield folded.span(start, end)

    def undecided(self, text: str, timeout: float) -> int:
        folded = FoldedText(text)
        return folded.offset(self._pattern.undecided(folded.folded, timeout))


def words_pattern(words: Iterable[str], *, ignore_case: bool) -> WordsPattern:
    """A pattern of all these words. None of them may be empty when folded."""
    import regex

    alternatives: set[str] = set()
    for word in words:
        own = "".join(map(_folded, word))
        alternatives.add(re.escape(own))
        # Accents may be composed in one place of a text and apart in another.
        alternatives.add("".join(map(_either_form, unicodedata.normalize("NFKC", own))))
    source = "|".join(sorted(alternatives, key=len, reverse=True))
    return WordsPattern(compile_pattern(source, regex.IGNORECASE if ignore_case else 0))


def is_invisible(word: str) -> bool:
    """Whether nothing is left of a word that is folded."""
    return not "".join(map(_folded, word))


def _either_form(character: str) -> str:
    apart = unicodedata.normalize("NFD", character)
    return re.escape(character) if apart == character else f"(?:{re.escape(character)}|{re.escape(apart)})"
