"""Whole words out of text that arrives in pieces.

A word is a run between white space; punctuation stays with the word it touches ("don't", "3.14,", "(see").
In scripts without spaces words are smaller: each ideograph and each hiragana is a word, a run of katakana is one, and
so is each cluster of Thai, Lao, Khmer and Myanmar (their real words need a dictionary). There, closing punctuation and
signs that cannot begin a line (small kana, 々, ー, a Thai vowel after its consonant) stay with the text before, opening
punctuation and Thai's leading vowels with the text after, and a Latin word or a number next to them is a word of its
own. Hangul is split at spaces, and so is Tibetan. A grapheme cluster is never split.

White space is what `str.isspace` accepts, and U+200B, without the no-break spaces (U+00A0, U+2007, U+202F).
A space that carries a combining character is part of a word.
"""

import re
from functools import lru_cache
from typing import Final
from unicodedata import category

from rxstream.segmentation._graphemes import Clusters

_NONE, _PLAIN, _SOLO, _KATAKANA, _OPENER, _SPACE = range(6)

_UNSPACED: Final = re.compile(
    "[\u2e80-\u2fdf\u3006\u3007\u3021-\u3029\u3038-\u303a\u3041-\u3096\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"
    "\u1000-\u103f\u1050-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"
    "\u1780-\u17d3\u17d7\u17dc\u1950-\u1974\u1980-\u19c9\u1a20-\u1a5e]"
)
_NEVER_FIRST: Final = frozenset("ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶーｰゝゞヽヾ々〻ะาำๅๆฯະາຳໆຯ")
"""Letters that never begin a word."""

_LEADING_VOWELS: Final = frozenset("เแโใไເແໂໃໄ")
"""Vowels written before their consonant: they stay with the text after."""

_KANA: Final = re.compile("[\u30a1-\u30fa\u30ff\u31f0-\u31ff\uff66-\uff9d]")
_ASCII_RUN: Final = re.compile(r"\s+|\S+")
_ASCII_LETTER: Final = re.compile("[0-9A-Za-z]")
_NO_BREAK: Final = frozenset("\u00a0\u2007\u202f")


@lru_cache(maxsize=8192)
def _role(character: str) -> int:
    if (character.isspace() and character not in _NO_BREAK) or character == "\u200b":
        return _SPACE
    if character in _NEVER_FIRST:
        return _NONE
    if _KANA.match(character):
        return _KATAKANA
    if _UNSPACED.match(character):
        return _SOLO
    general = category(character)
    if general in ("Ps", "Pi", "Sc"):
        return _OPENER
    return _PLAIN if general[0] in "LN" else _NONE


class Words:
    """Text in pieces -> words, each as soon as the character after it shows that it is complete.

    The words do not depend on how the text was split. With `keep_space` each has the white space *before* it, and white
    space at the end of the text is a last piece of its own: joined, the pieces are the text. Without
    `keep_space` there is no white space.
    Cost: linear in the text. Memory: one word.
    """

    def __init__(self, *, keep_space: bool = False) -> None:
        self._keep_space = keep_space
        self._space: list[str] = []
        self._word: list[str] = []
        self._letter_role = _NONE
        """The role of the last letter of the word; `_NONE` before its first letter."""
        self._last = "\n"
        """The last character of the text."""
        self._clusters = Clusters()

    def feed(self, text: str) -> list[str]:
        """The words that are complete now."""
        words: list[str] = []
        if text.isascii() and self._last.isascii() and self._letter_role in (_NONE, _PLAIN):
            self._feed_ascii(text, words)
        else:
            self._feed_any(text, words)
        return words

    def finish(self) -> list[str]:
        """The last word, and with `keep_space` the white space at the end."""
        words: list[str] = []
        if self._word or (self._space and self._keep_space):
            self._emit(words)
        self.__init__(keep_space=self._keep_space)
        return words

    def _emit(self, words: list[str]) -> None:
        words.append("".join(self._space + self._word) if self._keep_space else "".join(self._word))
        self._space.clear()
        self._word.clear()
        self._letter_role = _NONE

    def _feed_ascii(self, text: str, words: list[str]) -> None:
        """Do what `_feed_any` does, a run at a time. It is faster, for the most frequent deltas."""
        for run in _ASCII_RUN.findall(text):
            if run[0].isspace():
                if self._word:
                    self._emit(words)
                self._space.append(run)
            else:
                self._word.append(run)
                if self._letter_role == _NONE and _ASCII_LETTER.search(run):
                    self._letter_role = _PLAIN
        if text:
            self._last = text[-1]
            self._clusters.restart_after(self._last)

    def _feed_any(self, text: str, words: list[str]) -> None:
        starts = set(self._clusters.starts(text))
        for index, character in enumerate(text):
            role = _role(character)
            if index not in starts:
                if self._word or role != _SPACE:
                    if not self._word and self._space:
                        self._begin_with_space()
                    self._word.append(character)
                else:
                    self._space.append(character)  # the LF of a CR LF
            elif role == _SPACE:
                if self._word:
                    self._emit(words)
                self._space.append(character)
            else:
                if self._begins_word(role):
                    self._emit(words)
                self._word.append(character)
                if role in (_PLAIN, _SOLO, _KATAKANA):
                    self._letter_role = role
            self._last = character

    def _begins_word(self, role: int) -> bool:
        if self._letter_role == _NONE or self._last in _LEADING_VOWELS or _role(self._last) == _OPENER:
            return False
        if role == _SOLO:
            return True
        return (
            self._letter_role in (_SOLO, _KATAKANA)
            and role in (_PLAIN, _KATAKANA, _OPENER)
            and role != self._letter_role
        )

    def _begin_with_space(self) -> None:
        """Begin the word with the last space, because a combining character follows it."""
        run = self._space.pop()
        if len(run) > 1:
            self._space.append(run[:-1])
        self._word.append(run[-1])
