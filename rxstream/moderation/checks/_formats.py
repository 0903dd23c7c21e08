"""The formats of personal data and secrets: patterns of what may be one, and functions that decide whether it is."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from rxstream.moderation.checks._patterns import SearchPattern, search_pattern

EndFinder: TypeAlias = Callable[[str, int, int], int]
"""From a text and the span of what may be a match: the end of what is one. The start if nothing is."""


class DataFormat(NamedTuple):
    """One kind of text that a preset finds."""

    category: str
    label: str
    """Its name in placeholders."""
    source: str
    find_end: EndFinder

    def pattern(self) -> "FormatPattern":
        return FormatPattern(_compiled(self.source), self.find_end)


@cache
def _compiled(source: str) -> SearchPattern:
    return search_pattern(re.compile(source), "the preset")


class FormatPattern:
    """A pattern whose matches are checked. See `WindowPattern`."""

    stable = False
    """More text may add a digit, and then the checksum is another one."""

    def __init__(self, pattern: SearchPattern, find_end: EndFinder) -> None:
        self.before = pattern.before
        self._pattern = pattern
        self._find_end = find_end

    def spans(self, text: str, timeout: float) -> Iterator[tuple[int, int]]:
        for start, end in self._pattern.spans(text, timeout):
            if (end := self._find_end(text, start, end)) > start:
                yield start, end

    def undecided(self, text: str, timeout: float) -> int:
        return self._pattern.undecided(text, timeout)


def _whole(text: str, start: int, end: int) -> int:
    return end


# ---------------------------------------------------------------------- email

# RFC 5321, 4.5.3.1: 64 octets before the @; RFC 1035, 2.3.4: labels of at most 63 octets. RFC 5322, 3.2.3: the
# characters of an atom; RFC 6531 adds those beyond ASCII. The first character is a letter, digit or underscore:
# quotation marks and asterisks before an address are mostly not a part of it. Quoted local parts are left out. Top
# level domains have no digits, except those of IDNA (RFC 5890, 2.3.2.1).
_LABEL: Final = r"\w(?:[\w-]{0,61}\w)?"
EMAIL: Final = DataFormat(
    "email",
    "EMAIL",
    rf"\w[\w.!#$%&'*+/=?^`{{|}}~-]{{0,63}}@(?:{_LABEL}\.){{1,8}}(?:xn--[A-Za-z0-9-]{{2,59}}|[^\W\d_]{{2,63}})",
    _whole,
)

# ---------------------------------------------------------------------- phone

# ITU-T E.164, 6.2: a country code and a number, together at most 15 digits. E.123: written with a + before.
# NANPA: area code and exchange are [2-9]XX. Elsewhere a national number begins with the trunk prefix 0.
_GAP: Final = r"[ \-./()\u00a0\u202f]{0,2}"
_PHONE_SOURCE: Final = (
    rf"(?<![\w+])\+\d(?:{_GAP}\d){{6,14}}(?!\d)"
    r"|(?<![\w.+-])(?<!\d[ .-])(?:1[ .-])?(?:\([2-9]\d\d\)|[2-9]\d\d)[ .-]{0,2}(?<=[ .)-])[2-9]\d\d[ .-]\d{4}(?!\d)"
    r"|(?<![\w.+/-])(?<!\d[ /\u00a0-])(?:\(0\d{1,5}\)|0\d{1,5})(?:[ /\u00a0-]{1,2}\d{2,8}){1,5}(?!\d)"
    r"|(?<![\w.+-])0\d(?:\.\d\d){4}(?!\d)"
)
_DATE: Final = re.compile(r"\d{1,2}([ /.-])\d{1,2}\1\d{4}(?!\d)")


def _phone_end(text: str, start: int, end: int) -> int:
    digits = sum(character.isdigit() for character in text[start:end])
    if text[start] == "+":
        return end if 7 <= digits <= 15 else start
    return end if 9 <= digits <= 12 and not _DATE.match(text, start) else start


PHONE: Final = DataFormat("phone", "PHONE", _PHONE_SOURCE, _phone_end)

# ---------------------------------------------------------------------- payment cards

# ISO/IEC 7812-1: up to 19 digits, the last one of which is the check digit of annex B ("Luhn"). The cards of the large
# schemes have 13 or more, and begin with 2 to 6. A fraction such as 3.3333333333333335 is not a card.
_CARD_GAP: Final = r"[ \-\u00a0\u2009\u202f\u2010\u2011]?"
_FEWEST, _MOST = 13, 19


def _card_end(text: str, start: int, end: int) -> int:
    """The end of the longest card number: other digits, such as the month of its end, may follow."""
    digits: list[int] = []
    last = start
    for offset in range(start, end):
        if not text[offset].isdecimal():
            continue
        digits.append(int(text[offset]))
        number_ends = offset + 1 == len(text) or not text[offset + 1].isdecimal()
        if _FEWEST <= len(digits) <= _MOST and number_ends and 2 <= digits[0] <= 6 and _passes_luhn(digits):
            last = offset + 1
    return last


def _passes_luhn(digits: list[int]) -> bool:
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


PAYMENT_CARD: Final = DataFormat(
    "payment_card", "CARD", rf"(?<!\d)(?<!\d[.,])\d(?:{_CARD_GAP}\d){{{_FEWEST - 1},{_MOST - 1}}}(?!\d)", _card_end
)

# ---------------------------------------------------------------------- IBAN

# ISO 13616-1: a country, two check digits, and up to 30 letters and digits; the check digits are those of ISO/IEC 7064
# MOD 97-10. The lengths are those of the SWIFT IBAN registry, release 101.
_IBAN_LENGTHS: Final = {
    countries[at : at + 2]: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DKFIFKFOGLNLSD",
        19: "MKSI",
        20: "ATBAEEKZLTLUMNXK",
        21: "CHHRLILV",
        22: "BGBHCRDEGBGEIEMERSVA",
        23: "AEGIILIQOMSOTL",
        24: "ADCZESMDPKROSASESKTNVG",
        25: "LYPTST",
        26: "ISTR",
        27: "BIDJFRGRITMCMRSM",
        28: "ALAZBYCYDOGTHNHULBNIPLSV",
        29: "BREGPSQAUA",
        30: "JOKWMUYE",
        31: "MTSC",
        32: "LC",
        33: "RU",
    }.items()
    for at in range(0, len(countries), 2)
}


def _iban_end(text: str, start: int, end: int) -> int:
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    characters = ""
    for offset in range(start, end):
        if text[offset].isalnum():
            characters += text[offset].upper()
        if length and len(characters) == length:
            followed = offset + 1 < len(text) and text[offset + 1].isalnum()
            number = "".join(str(int(character, 36)) for character in characters[4:] + characters[:4])
            return start if followed or int(number) % 97 != 1 else offset + 1
    return start


IBAN: Final = DataFormat(
    "iban", "IBAN", r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?:[ \u00a0\u202f-]?[A-Za-z0-9]){11,30}", _iban_end
)

# ---------------------------------------------------------------------- IP addresses

# RFC 791 in dotted decimal, RFC 4291 section 2.2; what they allow is decided by `ipaddress`.
_V4: Final = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"


def _ip_end(text: str, start: int, end: int) -> int:
    found = text[start:end]
    try:
        if ":" in found:
            ipaddress.IPv6Address(found)
            return end if any(character.isalnum() for character in found) else start
        return end if all(int(part) <= 255 for part in found.split(".")) else start
    except ValueError:
        return start


IP_ADDRESS: Final = DataFormat(
    "ip_address",
    "IP",
    rf"(?<![\w.]){_V4}(?!\w|\.\d)"
    rf"|(?<![\w:.])(?:[0-9A-Fa-f]{{0,4}}:){{2,7}}(?:{_V4}|[0-9A-Fa-f]{{1,4}})?(?![\w:])",
    _ip_end,
)

# ---------------------------------------------------------------------- keys and tokens

_PEM_NAME: Final = r"(?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
_KEY_SOURCES: Final = (
    # OpenAI (sk-, sk-proj-, sk-svcacct-, sk-admin-) and Anthropic (sk-ant-): platform.openai.com/docs/api-reference,
    # docs.anthropic.com/en/api; lengths are not documented.
    r"sk-[A-Za-z0-9_-]{20,255}",
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: the prefixes of key ids; base 32.
    r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])",
    # github.blog/engineering/behind-githubs-new-authentication-token-formats: prefixes; up to 255 characters.
    r"gh[pousr]_[A-Za-z0-9]{36,251}",
    r"github_pat_[A-Za-z0-9_]{36,244}",
    # docs.gitlab.com/security/tokens: the prefix of personal access tokens.
    r"glpat-[A-Za-z0-9_.-]{20,255}",
    # docs.slack.dev/authentication/tokens: xoxb-, xoxp-, xoxa-, xoxe-, xoxs-, xoxr-, xapp-.
    r"(?:xox[abeprs]|xapp)-[A-Za-z0-9.-]{10,255}",
    # cloud.google.com/docs/authentication/api-keys: 39 characters.
    r"AIza[A-Za-z0-9_-]{35}",
    # docs.stripe.com/keys: secret (sk_), restricted (rk_); docs.stripe.com/webhooks: whsec_.
    r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9+/=]{16,255}",
    # huggingface.co/docs/hub/security-tokens; docs.npmjs.com/about-access-tokens; pypi.org/help/#apitoken.
    r"hf_[A-Za-z0-9]{30,64}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_-]{50,255}",
    # www.twilio.com/docs/sendgrid: SG., 22 and 43 characters.
    r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    # RFC 7519 in the compact form of RFC 7515, 7.1: base64url of '{"', a payload that is JSON too, and a signature.
    r"eyJ[A-Za-z0-9_-]{5,2048}\.eyJ[A-Za-z0-9_-]{5,4096}\.[A-Za-z0-9_-]{0,1024}",
    # RFC 7468: a private key up to the line that ends it, or as far as it goes; also with `\n` written out, as in JSON.
    rf"-----BEGIN {_PEM_NAME}(?:[A-Za-z0-9+/=:,\s\\]|-(?!-)){{0,8192}}(?:-----END {_PEM_NAME})?",
)


def _key_end(text: str, start: int, end: int) -> int:
    """Words with hyphens are not keys: `sk-` and a key without a digit."""
    found = text[start:end]
    return start if found.startswith("sk-") and not any(map(str.isdigit, found)) else end


API_KEY: Final = DataFormat("api_key", "KEY", f"(?<![A-Za-z0-9])(?:{'|'.join(_KEY_SOURCES)})", _key_end)
