"""Checks that find personal data and secrets, by format and by checksum.

    from rxstream.moderation import patterns
    rxs.debounce_moderation([(patterns.payment_card(), "replace"), (remote, "cut")])

Each finds its matches however the stream was split: what may begin a match is held back until more text, or the end,
decides it, and is released if its checksum fails. They are found by their format alone: a name has none, and a number
that only looks like a card with a right checksum is found too.

With `reversible=True` a verdict has a placeholder for each match, which `on_flag="replace"` puts into the text, and the
check has a `table` to put the matches back.
"""

from rxstream.moderation.checks._formats import API_KEY, EMAIL, IBAN, IP_ADDRESS, PAYMENT_CARD, PHONE
from rxstream.moderation.checks._placeholders import PlaceholderTable
from rxstream.moderation.checks._presets import PatternCheck, Reversible

__all__ = [
    "PatternCheck",
    "PlaceholderTable",
    "api_keys",
    "combine",
    "email",
    "iban",
    "ip_address",
    "payment_card",
    "phone",
]


def email(*, reversible: Reversible = False) -> PatternCheck:
    """E-mail addresses (RFC 5322 without quoted local parts; RFC 6531). Category `email`, placeholder `[EMAIL_1]`."""
    return PatternCheck((EMAIL,), reversible=reversible)


def phone(*, reversible: Reversible = False) -> PatternCheck:
    """Telephone numbers: international with a `+` (E.164), North American with separators, national with a first `0`.

    Dates are left out. Category `phone`, placeholder `[PHONE_1]`.
    """
    return PatternCheck((PHONE,), reversible=reversible)


def payment_card(*, reversible: Reversible = False) -> PatternCheck:
    """Numbers of payment cards: 13 to 19 digits, with spaces or hyphens, and a right check digit (ISO/IEC 7812).

    Category `payment_card`, placeholder `[CARD_1]`.
    """
    return PatternCheck((PAYMENT_CARD,), reversible=reversible)


def iban(*, reversible: Reversible = False) -> PatternCheck:
    """International bank account numbers (ISO 13616): of the length of their country, with right check digits.

    Category `iban`, placeholder `[IBAN_1]`.
    """
    return PatternCheck((IBAN,), reversible=reversible)


def ip_address(*, reversible: Reversible = False) -> PatternCheck:
    """IP addresses of versions 4 and 6. Category `ip_address`, placeholder `[IP_1]`."""
    return PatternCheck((IP_ADDRESS,), reversible=reversible)


def api_keys(*, reversible: Reversible = False) -> PatternCheck:
    """Keys and tokens that a prefix gives away, JSON Web Tokens (RFC 7519), and private keys in PEM (RFC 7468).

    OpenAI, Anthropic, AWS (the id of a key, not the secret itself, which has no format), GitHub, GitLab, Slack, Google,
    Stripe, Hugging Face, npm, PyPI, SendGrid. Category `api_key`, placeholder `[KEY_1]`.
    """
    return PatternCheck((API_KEY,), reversible=reversible)


def combine(*checks: PatternCheck, reversible: Reversible = False) -> PatternCheck:
    """One check of several presets. Matches that overlap are one, with the category of the longest.

    With `reversible`, all have one table. The tables of `checks` are not used.

    Raises: ValueError: no check. TypeError: a check that is no preset.
    """
    if not checks:
        raise ValueError("combine expects at least one preset, got none")
    for check in checks:
        if not isinstance(check, PatternCheck):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"combine expects presets such as email(), got {type(check).__name__}: put it in the list")
    return PatternCheck(tuple(dict.fromkeys(f for check in checks for f in check.formats)), reversible=reversible)
