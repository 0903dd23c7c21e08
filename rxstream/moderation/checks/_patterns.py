"""Patterns that are searched in a text whose end has not arrived yet.

The `regex` package finds the matches. With `partial=True` it finds where a match may begin that the text to come
completes; with `timeout` it stops a search that takes too long. Partial matches are not right in all cases, so the
pattern is read too:

* `\\b` and `\\B` are replaced by lookarounds: at the end of a text they do not wait for the next character;
* where a match may be open, each repeat is greedy and no group is atomic: a lazy repeat before a lookbehind does not
  wait for the next character either;
* the characters that assertions look at, before and after a match, are counted;
* syntax that means nothing in a window, or that was not tested with partial matches, is an error.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import regex


class SearchPattern(NamedTuple):
    """A pattern, compiled for complete and for open matches."""

    complete_match: "regex.Pattern[str]"
    open_match: "regex.Pattern[str]"
    """Matches no text, so its partial match begins where a match may still begin, change or end."""
    before: int
    """The most characters before a match that the pattern looks at."""
    stable: bool
    """Whether no text that follows can undo a match. It may grow."""

    def spans(self, text: str, timeout: float) -> Iterator[tuple[int, int]]:
        """Every match, also overlapping ones: the end of a longer match must not be released after a shorter match."""
        for match in self.complete_match.finditer(text, overlapped=True, timeout=timeout):
            if match.end() > match.start():
                yield match.span()

    def undecided(self, text: str, timeout: float) -> int:
        """The offset from which matches depend on the text that follows."""
        match = self.open_match.search(text, partial=True, timeout=timeout)
        return len(text) if match is None else match.start()


def compile_pattern(
    source: str, flags: int = 0, before: int = 0, ahead: int = 0, stable: bool = True, open_source: str = ""
) -> SearchPattern:
    """Compile a pattern that looks at so many characters `before` and `ahead` of a match.

    `open_source` is the pattern for open matches, if it differs from `source`.
    """
    import regex  # heavy, and not needed by programs that moderate nothing

    flags |= regex.VERSION0
    # `ahead` characters for the assertions after a match, then a character that no text has.
    return SearchPattern(
        regex.compile(source, flags),
        regex.compile(f"(?:{open_source or source})(?s:.){{0,{ahead}}}\U0010ffff", flags),
        before,
        stable,
    )


def search_pattern(pattern: "re.Pattern[str] | regex.Pattern[str]", name: str) -> SearchPattern:
    """Prepare a compiled pattern for a search in windows.

    Raises: ValueError: it cannot be searched in windows; the message begins with `name`.
    """
    import regex

    module = re if isinstance(pattern, re.Pattern) else regex
    known = {int(getattr(module, flag)): int(getattr(regex, flag)) for flag in _FLAGS}
    if module is regex and pattern.flags & ~(sum(known) | regex.VERSION0):
        raise ValueError(f"{name} has a flag that only regex has: use the flags of re")
    flags = sum(flag for own, flag in known.items() if pattern.flags & own)
    verbose = bool(flags & regex.VERBOSE)
    reader = _PatternReader(name, literal_braces=module is re)
    for token in (_VERBOSE_TOKENS if verbose else _TOKENS).finditer(pattern.pattern):
        reader.add(str(token.lastgroup), token[0])
    if not reader.groups[0].width:
        raise ValueError(f"{name} matches no text")
    source, open_source = ("".join(tokens) + "\n" * verbose for tokens in (reader.tokens, reader.open_tokens))
    return compile_pattern(source, flags, reader.before, reader.ahead, reader.stable and not reader.ahead, open_source)


_FLAGS: Final = ("ASCII", "IGNORECASE", "MULTILINE", "DOTALL", "UNICODE", "VERBOSE")
_UNLIMITED: Final = 1 << 20
"""More characters than a window has."""

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
    """The most characters that a group matches. Both sides of a `|` are added: a number too large does no harm."""

    def __init__(self, opening: str = "") -> None:
        self.opening = opening
        self.width = self._last = 0

    def add(self, width: int) -> None:
        self._last = width
        self.width += width

    def repeat(self, times: int) -> None:
        self.width += self._last * (times - 1)


class _PatternReader:
    """Collects the facts about a pattern, token by token."""

    def __init__(self, name: str, *, literal_braces: bool) -> None:
        self.tokens: list[str] = []
        self.open_tokens: list[str] = []
        """The same for open matches: every repeat is greedy, no group is atomic."""
        self.before = self.ahead = 0
        self.stable = True
        self.groups = [_Group()]
        self._name = name
        self._literal_braces = literal_braces

    def add(self, kind: str, token: str) -> None:
        group = self.groups[-1]
        if kind in ("one", "plain"):
            group.add(1)
        elif kind == "back":
            group.add(_UNLIMITED)
        elif kind == "boundary":
            token = _BOUNDARIES[token]
            self._look(1, behind=True)
            self._look(1, behind=False)
        elif kind == "repeat":
            group.repeat(_times(token))
            self.stable &= len(token) == 1 or token[-1] != "+"
        elif kind in ("open", "look"):
            self.groups.append(_Group(token))
            self.stable &= token != "(?>"
        elif kind == "close":
            self._close()
        elif kind == "brace" and self._literal_braces:
            token = r"\{"
            group.add(1)
        elif kind == "edge":
            raise ValueError(
                f"{self._name} has the anchor {token!r}, and a window has no edge of the text: write it without anchors"
            )
        elif kind in ("brace", "other"):
            raise ValueError(f"{self._name} has {token!r}: expected the syntax of re, and \\p{{…}}")
        self.tokens.append(token)
        if kind == "repeat" and len(token) > 1:
            token = token.rstrip("?+") or token[0]
        self.open_tokens.append("(?:" if token == "(?>" else token)

    def _close(self) -> None:
        group = self.groups.pop()
        if group.opening.endswith(("=", "!")):
            self._look(group.width, behind=group.opening.startswith("(?<"))
        else:
            self.groups[-1].add(group.width)

    def _look(self, width: int, *, behind: bool) -> None:
        if width >= _UNLIMITED:
            raise ValueError(
                f"{self._name} has an assertion without a greatest length: "
                "give it one, as in (?=\\d{1,20}x) for (?=\\d+x)"
            )
        if behind:
            self.before = max(self.before, width)
        else:
            self.ahead = max(self.ahead, width)
        # An assertion matches no characters itself. Inside another assertion it adds to the range of the outer one.
        self.groups[-1].add(width if len(self.groups) > 1 else 0)


def _times(token: str) -> int:
    numbers = re.findall(r"\d+|,(?=\})", token)
    if numbers:
        return _UNLIMITED if numbers[-1] == "," else int(numbers[-1])
    return 1 if token[0] == "?" else _UNLIMITED
