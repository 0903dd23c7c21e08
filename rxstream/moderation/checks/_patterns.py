"""A pattern that is searched for in a text of which the end is not known yet.

The `regex` package finds the matches. Its `partial=True` says where a match has begun that the text to come may
complete; its `timeout` ends a pattern that runs away. What a partial match does not see is read from the pattern:

* `\\b` and `\\B` are written as what they mean, because at the end of a text they do not wait for the next character;
* how many characters the assertions look at, before a match and behind it;
* what has no meaning in a window, or is not known to be right in a partial match: it is refused.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import regex


class SearchPattern(NamedTuple):
    """A pattern, and what is known of it."""

    complete: "regex.Pattern[str]"
    begun: "regex.Pattern[str]"
    """Never matches, so its partial match begins where a match may still begin, change or end."""
    before: int
    """How many characters before a match it looks at, at most."""
    steady: bool
    """Whether a match stays one whatever follows it. It may grow."""

    def spans(self, text: str, timeout: float) -> Iterator[tuple[int, int]]:
        """Every match, those that overlap an earlier one too: what a shorter one leaves over must not be shown."""
        for match in self.complete.finditer(text, overlapped=True, timeout=timeout):
            if match.end() > match.start():
                yield match.span()

    def undecided(self, text: str, timeout: float) -> int:
        """From here on, what is a match depends on what follows the text."""
        found = self.begun.search(text, partial=True, timeout=timeout)
        return len(text) if found is None else found.start()


def searched(source: str, flags: int = 0, before: int = 0, ahead: int = 0, steady: bool = True) -> SearchPattern:
    """Compile a pattern of the `regex` package that looks at so many characters before and behind a match."""
    import regex  # heavy, and not needed by programs that moderate nothing

    flags |= regex.VERSION0
    # Behind a match its assertions may look at the end; and in the end stands a character that no text has.
    return SearchPattern(
        regex.compile(source, flags),
        regex.compile(f"(?:{source})(?s:.){{0,{ahead}}}\U0010ffff", flags),
        before,
        steady,
    )


def read(pattern: "re.Pattern[str] | regex.Pattern[str]", named: str) -> SearchPattern:
    """Take a compiled pattern for a search in windows.

    Raises: ValueError: it cannot be searched for there; the message begins with `named`.
    """
    import regex

    of = re if isinstance(pattern, re.Pattern) else regex
    known = {int(getattr(of, name)): int(getattr(regex, name)) for name in _FLAGS}
    if of is regex and pattern.flags & ~(sum(known) | regex.VERSION0):
        raise ValueError(f"{named} has a flag that re does not have, and only the flags of re can be used")
    flags = sum(flag for own, flag in known.items() if pattern.flags & own)
    verbose = bool(flags & regex.VERBOSE)
    reading = _PatternReader(named, literal_braces=of is re)
    for token in (_VERBOSE_TOKENS if verbose else _TOKENS).finditer(pattern.pattern):
        reading.take(str(token.lastgroup), token[0])
    if not reading.groups[0].width:
        raise ValueError(f"{named} matches no text")
    source = "".join(reading.out) + "\n" * verbose  # which ends a comment
    return searched(source, flags, reading.before, reading.ahead, reading.steady and not reading.ahead)


_FLAGS: Final = ("ASCII", "IGNORECASE", "MULTILINE", "DOTALL", "UNICODE", "VERBOSE")
_NO_END: Final = 1 << 20
"""As many characters as no window has."""

_TOKEN: Final = r"""
    (?P<boundary> \\[bB] )
  | (?P<edge> \\[AZzG] | [\^$] )
  | (?P<back> \\[1-9]\d? | \(\?P=\w+\) )
  | (?P<one> \\(?: N\{[^}]*\} | [pP]\{[^}]*\} | [dDsSwWafnrtvxuU] | [^a-zA-Z] )
           | \[\^?\]?(?: \\. | [^\]\\\[] | \[(?!:) )*\] )
  | (?P<repeat> (?: [*+?] | \{(?: \d+(?:,\d*)? | ,\d* )\} )[?+]? )
  | (?P<nothing> \| | \(\?\#[^)]*\) | \(\?[aiLmsux]+\) NOTE )
  | (?P<look> \(\?<?[=!] )
  | (?P<open> \((?: \?(?: [:>] | P?<\w+> | \(\w+\) | [aimsu]*(?:-[ims]+)?: ) | (?![?*]) ) )
  | (?P<close> \) )
  | (?P<brace> \{ )
  | (?P<other> \\. | \[ | \( )
  | (?P<plain> . )
"""
_TOKENS: Final = re.compile(_TOKEN.replace("NOTE", ""), re.VERBOSE | re.DOTALL)
_VERBOSE_TOKENS: Final = re.compile(_TOKEN.replace("NOTE", r"| \#[^\n]* | \s+"), re.VERBOSE | re.DOTALL)

_BOUNDARIES: Final = {
    r"\b": r"(?:(?<=\w)(?!\w)|(?<!\w)(?=\w))",
    r"\B": r"(?:(?<=\w)(?=\w)|(?<!\w)(?!\w))",
}


class _Group:
    """How many characters a group takes at most. The two sides of a `|` are added: more does no harm here."""

    def __init__(self, opening: str = "") -> None:
        self.opening = opening
        self.width = self._last = 0

    def add(self, width: int) -> None:
        self._last = width
        self.width += width

    def repeat(self, times: int) -> None:
        self.width += self._last * (times - 1)


class _PatternReader:
    """What is known of a pattern when its tokens have been taken, one by one."""

    def __init__(self, named: str, *, literal_braces: bool) -> None:
        self.out: list[str] = []
        self.before = self.ahead = 0
        self.steady = True
        self.groups = [_Group()]
        self._named = named
        self._literal_braces = literal_braces

    def take(self, kind: str, token: str) -> None:
        group = self.groups[-1]
        if kind in ("one", "plain"):
            group.add(1)
        elif kind == "back":
            group.add(_NO_END)
        elif kind == "boundary":
            token = _BOUNDARIES[token]
            self._look(1, behind=True)
            self._look(1, behind=False)
        elif kind == "repeat":
            group.repeat(_times(token))
            self.steady &= len(token) == 1 or token[-1] != "+"
        elif kind in ("open", "look"):
            self.groups.append(_Group(token))
            self.steady &= token != "(?>"
        elif kind == "close":
            self._close()
        elif kind == "brace" and self._literal_braces:
            token = r"\{"
            group.add(1)
        elif kind == "edge":
            raise ValueError(f"{self._named} is anchored at an edge of the text, and a window has no such edge")
        elif kind in ("brace", "other"):
            raise ValueError(
                f"{self._named} has {token!r} in it, and a blocklist knows only what re knows, and \\p{{…}}"
            )
        self.out.append(token)

    def _close(self) -> None:
        group = self.groups.pop()
        if group.opening.endswith(("=", "!")):
            self._look(group.width, behind=group.opening.startswith("(?<"))
        else:
            self.groups[-1].add(group.width)

    def _look(self, width: int, *, behind: bool) -> None:
        if width >= _NO_END:
            raise ValueError(
                f"{self._named} has an assertion without a greatest length: "
                "bound it, as in (?=\\d{1,20}x) for (?=\\d+x)"
            )
        if behind:
            self.before = max(self.before, width)
        else:
            self.ahead = max(self.ahead, width)
        # An assertion takes nothing; but in another one it makes that look farther.
        self.groups[-1].add(width if len(self.groups) > 1 else 0)


def _times(token: str) -> int:
    numbers = re.findall(r"\d+|,(?=\})", token)
    if numbers:
        return _NO_END if numbers[-1] == "," else int(numbers[-1])
    return 1 if token[0] == "?" else _NO_END
