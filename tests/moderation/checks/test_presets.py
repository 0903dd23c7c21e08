"""The presets of `rxstream.moderation.patterns`: what they find, and what becomes of it in a stream."""

import json
import random
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from rxstream.errors import ModerationError
from rxstream.moderation import Verdict, Window, patterns
from rxstream.operators import debounce_moderation
from rxstream.testing import moderation_laws
from tests.event_builders import (
    arguments_delta,
    arguments_done,
    completed,
    created,
    function_call,
    item_added,
    item_done,
)
from tests.moderation._moderated import events_of, flagged, moderated, of_type, run, whole_answer
from tests.thinned import one_in, tries

PRESETS: dict[str, Callable[..., patterns.PatternCheck]] = {
    "email": patterns.email,
    "phone": patterns.phone,
    "payment_card": patterns.payment_card,
    "iban": patterns.iban,
    "ip_address": patterns.ip_address,
    "api_keys": patterns.api_keys,
}

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc_-d"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nMIIE+/a=\n"
    "-----END RSA PRIVATE KEY-----"
)

FOUND = {
    "email": ["ann@example.com", "a.b+c@ex-ample.co.uk", "é@münchen.de", "x@xn--mnchen-3ya.example", "o'neil@a.ie"],
    "phone": [
        "+49 (0)30 123456",
        "+14155552671",
        "(415) 555-2671",
        "1-415-555-2671",
        "01 23 45 67 89",
        "089/123456",
        "(089) 12 34 56",
    ],
    "payment_card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
        "6304 0000 0000 0000 000",
        "4111\u00a01111\u00a01111\u00a01111",
        "٤١١١١١١١١١١١١١١١",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "GB82WEST12345698765432",
        "NO93 8601 1117 947",
        "fr1420041010050500013m02606",
    ],
    "ip_address": ["10.0.0.1", "255.255.255.255", "fe80::1", "::1", "2001:db8::ff00:42:8329", "::ffff:192.0.2.1"],
    "api_keys": [
        "sk-proj-" + "Ab1_" * 10,
        "sk-ant-api03-" + "x1" * 20,
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1" * 18,
        "github_pat_" + "A1" * 11 + "_" + "b" * 59,
        "xoxb-123456789012-abcDEF",
        "AIza" + "S" * 35,
        "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        "glpat-" + "x" * 20,
        "hf_" + "x" * 34,
        JWT,
        PEM,
    ],
}

PASSES = {
    "email": ["ann@example", "@ann.example", "a@b", "ann at example.com", "x@1.2"],
    "phone": ["2024-05-01", "05-01-2024 10:11", "12:30", "3.1415926535", "555-2671", "1234567890", "+12"],
    "payment_card": ["4111 1111 1111 1112", "3.3333333333333335", "1718000000000", "0000 0000 0000 0000", "41111111"],
    "iban": ["DE88 3704 0044 0532 0130 00", "DE89 3704 0044 0532 0130", "XX89370400440532013000", "AB12 and so on"],
    "ip_address": [
        "300.1.1.1",
        "1.2.3",
        "1.2.3.4.5",
        "v1.2.3.4",
        "12:30:45",
        "std::vector",
        "a :: b",
        "1:2:3:4:5:6:7:8:9",
    ],
    "api_keys": [
        "sk-short",
        "sk-learn-is-a-library-with-words",
        "AKIA",
        "ghp_short",
        "eyJhbGciOiJIUzI1NiJ9",
        "task-" + "1" * 30,
    ],
}

EVERY = [(name, text) for name, texts in FOUND.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), EVERY)
def test_it_finds_this_and_no_more(name: str, text: str):
    check = PRESETS[name]()
    assert check.mask(f"It is: {text}", "*") == "It is: *"
    assert check.mask(f"({text}), and so on.", "*") == "(*), and so on."


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in PASSES.items() for text in texts])
def test_this_only_looks_like_it(name: str, text: str):
    assert PRESETS[name]()(Window(text, final=True)) == Verdict(False)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text in EVERY if len(text) < 60])
@pytest.mark.parametrize("gap", [0.001, 0.5])
def test_it_is_found_at_every_split(name: str, text: str, gap: float):
    for whole in (f"so {text}", f"so {text}."):
        expected = PRESETS[name]().mask(whole, "*")
        for at in one_in(2, range(1, len(whole)), start=round(2 * gap)):
            seen = moderated(
                whole_answer(whole[:at], whole[at:]), PRESETS[name](), on_flag="replace", replacement="*", gap=gap
            )
            assert seen.texts() == {(0, 0, "text"): expected}, at


@pytest.mark.parametrize("gap", [0.001, 0.5])
def test_what_fails_its_checksum_is_released_whole(gap: float):
    text = "no card: 4111 1111 1111 1112, no IBAN: DE88 3704 0044 0532 0130 00, no card: 4222222222222 2"
    check = patterns.combine(patterns.payment_card(), patterns.iban())
    for size in (1, 3, 7):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        seen = moderated(whole_answer(*pieces), check, on_flag="replace", first_chars=5, max_chars=20, gap=gap)
        shown = seen.texts()[0, 0, "text"]
        assert shown == text.replace("4222222222222", "[removed]"), size


def test_random_texts_in_random_pieces_are_masked_as_the_whole_text_is():
    rng = random.Random(7)
    check = patterns.combine(*(preset() for preset in PRESETS.values()))
    samples = [text for texts in (*FOUND.values(), *PASSES.values()) for text in texts]
    for _ in range(150):
        text = "".join(rng.choice(samples) + rng.choice([" ", ", ", ". ", "\n", ""]) for _ in range(rng.randint(1, 5)))
        cuts = sorted(rng.choices(range(len(text) + 1), k=rng.randint(0, 12)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        size = rng.randint(1, 40)
        options: dict[str, Any] = {"first_chars": size, "max_chars": 40, "gap": rng.choice([0.001, 0.3])}
        seen = moderated(whole_answer(*pieces), check, on_flag="replace", replacement="*", **options)
        assert seen.texts().get((0, 0, "text"), "") == check.mask(text, "*"), (text, pieces, options)


def test_combined_presets_are_one_check_with_the_category_of_each_match():
    check = patterns.combine(patterns.email(), patterns.ip_address(), patterns.email())
    verdict = check(Window("ann@example.com at 10.0.0.1.", final=True))
    assert verdict.categories == ("email", "ip_address")
    assert verdict.spans == ((0, 15), (19, 27))
    assert repr(check) == "<PatternCheck email, ip_address>"
    assert "ann" not in repr(verdict)


def test_matches_that_overlap_are_one():
    check = patterns.combine(patterns.phone(), patterns.payment_card(), reversible=True)
    assert check.mask("4222222222222 or +4222222222222") == "[CARD_1] or [PHONE_1]"


def test_combining_nothing_or_something_else_is_an_error():
    with pytest.raises(ValueError, match="at least one preset"):
        patterns.combine()
    with pytest.raises(TypeError, match="got function: put it in the list"):
        patterns.combine(patterns.email(), lambda window: False)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- reversible

TEXT = "Write to ann@example.com or bob@example.com, not to ann@example.com. My card: 4111 1111 1111 1111"
MASKED = "Write to [EMAIL_1] or [EMAIL_2], not to [EMAIL_1]. My card: [CARD_1]"


@pytest.mark.parametrize("gap", [0.001, 0.5])
@pytest.mark.parametrize("size", [1, 4, 200])
def test_a_reversible_check_masks_the_stream_and_its_table_gives_the_text_back(gap: float, size: int):
    check = patterns.combine(patterns.email(), patterns.payment_card(), reversible=True)
    pieces = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    seen = moderated(whole_answer(*pieces), check, on_flag="replace", gap=gap)
    assert seen.texts() == {(0, 0, "text"): MASKED}
    assert dict(check.table) == {
        "[EMAIL_1]": "ann@example.com",
        "[EMAIL_2]": "bob@example.com",
        "[CARD_1]": "4111 1111 1111 1111",
    }
    assert check.table.restore(MASKED + " [EMAIL_9]") == TEXT + " [EMAIL_9]"
    assert "ann@" not in seen.json()
    assert all(event.verdict.replacements == () for event in of_type(seen, "rxstream.moderation.flagged"))
    assert repr(check.table) == "<PlaceholderTable of 3 texts>"


def test_a_preset_has_an_action_of_its_own_in_a_list_of_checks():
    seen_by_later: list[str] = []

    def later(window: Window) -> bool:
        seen_by_later.append(window.text)
        return False

    card = patterns.payment_card(reversible=True)
    events = run(whole_answer(*TEXT), debounce_moderation([(card, "replace"), (later, "cut")]))
    shown = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert shown == "".join(seen_by_later) == TEXT.replace("4111 1111 1111 1111", "[CARD_1]")


def test_the_error_of_a_stream_has_no_replacements():
    def check(window: Window) -> Verdict:
        return Verdict(True, spans=((0, 3),), replacements=("the secret",))

    seen = moderated(whole_answer("abc"), check, on_flag="error")
    assert isinstance(seen.error, ModerationError)
    assert "the secret" not in repr(vars(seen.error))
    assert flagged(seen).verdict.replacements == ()


def test_json_arguments_stay_json():
    check = patterns.combine(patterns.email(), patterns.payment_card(), reversible=True)
    arguments = '{"to": "ann@example.com", "card": 4111111111111111, "text": "say \\"hi\\""}'
    call = function_call("mail", arguments)
    events = [
        created(),
        item_added(**function_call("mail")),
        *map(arguments_delta, arguments),
        arguments_done(arguments),
    ]
    events += [item_done(**call), completed(call)]
    seen = moderated(events, check, on_flag="replace", include=("function_args",))
    shown = json.loads(seen.texts()[0, 0, "function_args"])
    assert shown == {"to": "[EMAIL_1]", "card": "[CARD_1]", "text": 'say "hi"'}
    assert check.table.restore(shown["card"]) == "4111111111111111"
    assert "4111" not in json.dumps([event.model_dump() for event in events_of(seen)])


def test_one_check_of_several_streams_has_one_table():
    check = patterns.email(reversible=True)
    for _ in range(2):
        seen = moderated(whole_answer("to ann@example.com."), check, on_flag="replace")
        assert seen.texts() == {(0, 0, "text"): "to [EMAIL_1]."}
    assert len(check.table) == 1


def test_a_context_variable_gives_each_stream_a_table_of_its_own():
    variable: ContextVar[patterns.PlaceholderTable] = ContextVar("table")
    check = patterns.email(reversible=variable.get)
    for name in ("ann", "bob"):
        variable.set(patterns.PlaceholderTable())
        moderated(whole_answer(f"to {name}@example.com."), check, on_flag="replace")
        assert dict(check.table) == {"[EMAIL_1]": f"{name}@example.com"}


def test_a_request_is_masked_with_the_table_of_its_answer():
    check = patterns.email(reversible=True)
    assert check.mask("I am ann@example.com") == "I am [EMAIL_1]"
    seen = moderated(whole_answer("So you are [EMAIL_1], not bob@example.com"), check, on_flag="replace")
    assert check.table.restore(seen.texts()[0, 0, "text"]) == "So you are ann@example.com, not bob@example.com"


def test_a_check_that_is_not_reversible_has_no_table():
    with pytest.raises(ValueError, match="reversible=True"):
        _ = patterns.email().table
    with pytest.raises(TypeError, match="a PlaceholderTable or a function"):
        patterns.email(reversible="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("replacements", [("a", "b"), (7,)])
def test_replacements_that_do_not_fit_the_spans_are_no_verdict(replacements: Any):
    seen = moderated(whole_answer("abc"), lambda window: Verdict(True, spans=((0, 1),), replacements=replacements))
    assert flagged(seen).cause == "check_error"
    assert seen.texts() == {}


def test_the_laws_hold_for_presets():
    # Without secrets: the law of them puts them into words and numbers, where a card is not a card.
    texts = ["Ann is ann@example.com, her card is 4111 1111 1111 1111, not 4111 1111 1111 1112. ", "Pi is 3.14. " * 20]
    check = patterns.combine(*(preset() for preset in PRESETS.values()), reversible=True)
    moderation_laws(check, texts=texts, runs=tries(2, 6))
