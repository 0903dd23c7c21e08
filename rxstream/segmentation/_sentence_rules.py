"""The rules for the end of a sentence: functions of the word before a stop and the characters after it."""

import re
from enum import Enum
from typing import Final, NamedTuple

STRONG: Final = frozenset("!?‼⁇⁈⁉‽")
"""Stop signs that end a sentence if white space follows."""

WIDE: Final = frozenset("。｡！？।॥؟۔։።፧፨။។៕")
"""Stop signs that end a sentence without white space: their scripts write no space after them, or use them for nothing
else."""

DOTS: Final = frozenset(".…")
TERMINATORS: Final = STRONG | WIDE | DOTS
"""All stop signs."""

CLOSERS: Final = frozenset("\"'”’»›)]}」』）】》〉〕］｝*_~⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Characters of the sentence if they touch its stop: quotes, brackets, emphasis signs, the number of a note."""

LOW_CLOSERS: Final = frozenset("«‹“‘")
"""Closing quotes of „ and » if they touch the stop. After 。 they are opening quotes."""

WIDE_CLOSERS: Final = CLOSERS - frozenset("\"'*_~")
"""The closers after a stop sign of WIDE, where no space shows whether a sign closes or opens. The signs " and * close
only what was opened on the line."""

_LATE_CLOSERS: Final = frozenset("”)]}」』）】》〉〕］｝")
"""Characters of the sentence even after a space."""

_OPENERS: Final = "\"'“‘«‹„‚([{*_~<「『（"
_CONTINUES: Final = frozenset(",;:،؛，、；：")
_LOOK_AHEAD: Final = 16

CJK: Final = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def word_set(*lines: str) -> frozenset[str]:
    """The words of lines of text."""
    return frozenset(word for line in lines for word in line.split())


class Stop(Enum):
    """The kind of stop before a possible end of a sentence."""

    NONE = "no stop"
    JOINED = "a stop between a word in small letters and a capital, without a space"
    NEVER = "the dot of Dr. or e.g."
    NUMBERED = "the dot of No. or p.: a number may follow"
    ABBREVIATION = "the dot of U.S., Inc. or an initial: may end a sentence as well"
    DOT = "a full stop"
    ELLIPSIS = "..."
    SOFT = "! or ?, but a closing quote or bracket follows it, or a space stands before it"
    FIRM = "! or ?"


_NEVER: Final = word_set(
    "Mr Mrs Ms Mx Dr Prof Rev Hon Gen Sen Rep Gov Capt Cpt Lt Col Sgt Cmdr Maj Adm Pres Supt Messrs Mme Mlle Mt",
    "Sr Sra Srta Dra Dña Ud Uds Hr Fr Frl Dipl Ing Sig Dott Fig Figs Eq Eqs Bros Gebr",
    "e.g i.e eg ie vs viz cf approx ca incl excl esp ibid",
    "z.B d.h u.a s.o o.ä i.d.R v.a bzw ggf evtl vgl inkl zzgl sog",
    "p.ex c.-à-d p.ej pág",
    "ул проф акад т.е",
)
_NUMBERED: Final = word_set(
    "No Nos no nos Nr nr Nº núm p pp ch Ch chap Chap sec Sec Art art Abs vol Vol vols fig figs eq eqs par para",
    "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec рис стр",
)
_ABBREVIATIONS: Final = word_set("Inc Ltd Co Corp Jr St Ave Blvd Ph.D a.m p.m al")
_STARTERS: Final = word_set(
    "The A An This That These Those It Its He She They We You I His Her Their Our Your My There Here",
    "In On At For From By With As If When While After Before Since But And Or So Yet However Also Then Thus",
    "What Who Why How Where Which Is Are Was Were Do Does Did Can Will Not Yes Now Some Many Most Please Let Both",
    "Der Die Das Ein Eine Er Sie Es Wir Ich Le La Les Il Elle El Los Las Он Она Это",
)
"""After U.S., Inc. or an initial these words begin a sentence more often than they continue a name."""

_JOINED_STARTERS: Final = word_set(
    "The An This That These Those It Its He She They We You His Her Their Our Your There Here However Also But And",
)
"""After a stop without a space only these words begin a sentence, and only before white space.

There is no safe rule for other words: `System.Out`, `fmt.Println`, `asyncio.Queue` and "one.Sentence" are written
alike. One letter is too little too: "vitamin.A"."""

LOWER_WORD: Final = re.compile(r"(?:\A|[\s\"'“‘«(\[*_>])(?=[^\W\d_]{2})[^\W\d_A-Z]+\Z")
"""A word of small letters alone: the beginning of no URL, no path, no abbreviation."""

_WORD: Final = re.compile(r"[\w.-]*\Z")
_ACRONYM: Final = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_STARTER: Final = re.compile(r"[^\W\d_]*")


def dot_after(before: str) -> Stop:
    """The kind of a single dot after `before`, of which the last characters are enough."""
    word = before[_WORD.search(before).start() :].lstrip("_-")  # type: ignore[union-attr]  # it also matches the empty text
    plain = word.rpartition("-")[2]
    if word in _NEVER or plain in _NEVER:
        return Stop.NEVER
    if word in _NUMBERED:
        return Stop.NUMBERED
    if plain in _ABBREVIATIONS or (_ACRONYM.fullmatch(plain) and not plain.islower()):
        return Stop.ABBREVIATION
    if len(plain) == 1 and plain.isalpha() and plain != "I" and not plain.islower() and not CJK.match(plain):
        return Stop.ABBREVIATION
    return Stop.DOT


class SentenceEnd(Enum):
    """Whether a sentence ends."""

    ENDS = 1
    GOES_ON = 2
    CLOSES = 3
    """A closing bracket or quote follows after a space, and belongs to the sentence."""
    UNSURE = 4
    """The next character decides."""


def sentence_end(stop: Stop, ahead: str, *, final: bool = False) -> SentenceEnd:
    """Decide by `ahead`, the text after a stop and white space. With `final` it is complete.

    Never `UNSURE` with 16 characters or more.
    """
    if stop in (Stop.NONE, Stop.NEVER):
        return SentenceEnd.GOES_ON
    certain = final or len(ahead) >= _LOOK_AHEAD
    if stop is Stop.JOINED:
        return _after_joined(ahead, certain)
    first, second = ahead[0], ahead[1:2]
    if first in _LATE_CLOSERS:
        return SentenceEnd.CLOSES
    if first in "»›":  # closes in French, opens in German
        if not second and not certain:
            return SentenceEnd.UNSURE
        return SentenceEnd.GOES_ON if stop is Stop.ABBREVIATION else _ends_if(second.isalnum(), SentenceEnd.CLOSES)
    if first in _CONTINUES:
        return SentenceEnd.GOES_ON
    if first in TERMINATORS:  # ". . ." goes on, ".NET" is a word
        if not second and not certain:
            return SentenceEnd.UNSURE
        return _ends_if(first == "." and second.isalpha() and stop is not Stop.ABBREVIATION)
    if stop is Stop.FIRM:
        return SentenceEnd.ENDS
    word = ahead.lstrip(_OPENERS)
    if not word:
        return SentenceEnd.ENDS if certain else SentenceEnd.UNSURE
    if word[0].isalpha():
        return _before_word(stop, word, certain)
    if word[0].isdigit():
        return _ends_if(stop not in (Stop.NUMBERED, Stop.ABBREVIATION))
    return _ends_if(stop is not Stop.ABBREVIATION)


def _ends_if(ends: bool, otherwise: SentenceEnd = SentenceEnd.GOES_ON) -> SentenceEnd:
    return SentenceEnd.ENDS if ends else otherwise


def _after_joined(ahead: str, certain: bool) -> SentenceEnd:
    letters = _letters(ahead)
    if letters == ahead and not certain:
        return SentenceEnd.UNSURE
    return _ends_if(letters in _JOINED_STARTERS and ahead[len(letters) :][:1].isspace())


def _letters(text: str) -> str:
    return _STARTER.match(text).group()  # type: ignore[union-attr]  # it also matches the empty text


def _before_word(stop: Stop, word: str, certain: bool) -> SentenceEnd:
    if word[0].islower():
        if stop is Stop.ABBREVIATION or word[1:2].islower():
            return SentenceEnd.GOES_ON
        if len(word) == 1 and not certain:
            return SentenceEnd.UNSURE
        return _ends_if(word[1:2].isupper())  # iPhone, eBay
    if stop is not Stop.ABBREVIATION:
        return SentenceEnd.ENDS
    letters = _letters(word)
    if letters == word and not certain:
        return SentenceEnd.UNSURE
    return _ends_if(letters in _STARTERS and word[len(letters) : len(letters) + 1] not in (".", "-"))


class Block(Enum):
    """The kind of a line."""

    ITEM = "a list item"
    QUOTE = "a line of a block quote"
    HEADING = "a heading"
    RULE = "a line of dashes"
    ROW = "a row of a table"
    FENCE = "the fence of a code block"
    UNSURE = "the next characters decide"


class BlockStart(NamedTuple):
    """The sign at the beginning of a line, and its length."""

    block: Block
    length: int


_BLOCK_STARTS: Final = (
    (Block.ITEM, re.compile(r"(?:[-*+•◦▪‣–]|\d{1,3}[.)]|[A-Za-z]\))(?=\s)")),
    (Block.HEADING, re.compile(r"#{1,6}(?=\s)")),
    (Block.RULE, re.compile(r"---|===")),
    (Block.FENCE, re.compile(r"```|~~~")),
    (Block.ROW, re.compile(r"\|")),
    (Block.QUOTE, re.compile(r">")),
)
_LETTERED: Final = re.compile(r"[A-Z]\.(?=\s)")
_UNFINISHED: Final = re.compile(r"[-*+•◦▪‣–]|\d{1,3}[.)]?|[A-Za-z]\)?|#{1,6}|--|==?|``?|~~?")
_UNFINISHED_LETTERED: Final = re.compile(r"[A-Z]\.?")


def find_block_start(ahead: str, *, at_sentence_start: bool, final: bool = False) -> BlockStart | None:
    """The sign at the beginning of a line, if it begins a block. With `final` the line is complete.

    `at_sentence_start` says that no sentence continues from the line before. Only then "A." begins a list item.
    """
    for block, pattern in _BLOCK_STARTS:
        sign = pattern.match(ahead)
        if sign:
            return BlockStart(block, sign.end())
    if at_sentence_start and (sign := _LETTERED.match(ahead)):
        return BlockStart(Block.ITEM, sign.end())
    if not final and (_UNFINISHED.fullmatch(ahead) or (at_sentence_start and _UNFINISHED_LETTERED.fullmatch(ahead))):
        return BlockStart(Block.UNSURE, 0)
    return None
