"""Sentences: a table in several languages, and when each one comes."""

import pytest

from rxstream.segmentation._sentences import Sentences


def sentences(text: str, **options: bool) -> list[str]:
    machine = Sentences(**options)
    return machine.feed(text) + machine.finish()


SPACED = [
    # Plain prose
    ["One.", "Two!", "Three?", "Four"],
    ["It works.", "3 people came.", "$5 each.", "- she said."],
    ["Pi is 3.14 and e is 2.71.", "Next."],
    ["Version v1.2.3.", "Then 2.0.0-rc.1 came.", "Python 3.11.", "Done."],
    ["See main.py and ../a.b/c.tar.gz.", "Then README.md."],
    ["Go to https://example.com/a.b?c=d!e&f=1.2#g.", "Or not."],
    ["See www.example.com.", "Mail me@example.co.uk!", "Ok."],
    ["I use .NET 8.", ".NET is fine.", "Node.js too."],
    ["The iPhone is here.", "iPhone sales rose.", "eBay too."],
    # Abbreviations and initials
    ["Fruit, e.g. Apples, i.e. Good ones, etc. and so on.", "Next."],
    ["I like pears, apples, etc.", "Python is next."],
    ["Dr. Smith met Mr. and Mrs. Jones vs. Prof. Lee.", "They talked."],
    ["J. R. R. Tolkien and George W. Bush met.", "So they did."],
    ["The U.S. Army and the U.S. Senate of the U.S.", "The end."],
    ["He moved to the U.S.", "It was cold in Washington, D.C. and in N.Y. City."],
    ["Apple Inc. announced it.", "Apple Inc. CEO Cook spoke at 5 p.m. Monday.", "We left at 6 p.m.", "It rained."],
    ["Plan B.", "It works."],
    ["So do I.", "Then we left."],
    ["See No. 5 on p. 12, fig. 3, Jan. 6.", "No.", "I said no.", "Yes."],
    ["St. Louis is on Main St.", "The end."],
    ["She has a Ph.D.", "He has not."],
    # Several stops
    ["What?!", "No!!!", "Really...", "Yes."],
    ["Wait... what?", "I... don't know… maybe."],
    ["One . . . two.", "Three."],
    # Quotes and brackets
    ['He said "Stop."', "Then he left."],
    ['"What?" he asked.', '"Nothing!" she cried.'],
    ["“Is it?”", "“It is.”", "‘Good.’"],
    ["It is so (see above.)", "(First.", "Second.)", "[Third.]", "Fourth."],
    ["He (really?) went.", "And so on."],
    ["**Bold.**", "*Slanted!*", "_Under._", "Plain."],
    ["A fact.¹", "Another.²³", "Third."],
    ["She left (at 5 p.m.) early.", 'He asked "why?", then left.'],
    # Code
    ["Use `a. B` and `x? Y` here.", "Then ``a ` b. C``.", "`foo()` is next."],
    ["It is `etc. A`.", "Next."],
    ["Is a != b?", "x ? y : z is an expression."],
    # Other languages
    ["Das ist z.B. Berlin, d.h. Deutschland.", "Er kam am 3.10. nach Hause.", "Hr. Müller auch."],
    ["Vraiment ?", "« Oui ! » dit-il.", "Il part."],
    ["Er fragte: »Wirklich?«", "»Ja.«", "„Gut.“", "‚So.‘", "Aus."],
    ["¿Qué?", "¡Hola!", "Sr. López llegó.", "¿Y tú?"],
    ["Привет!", "А. С. Пушкин, т.е. поэт, жил в 19 веке.", "Да."],
    ["كيف حالك؟", "أنا بخير.", "شكرا."],
    ["Γεια σου.", "Καλά."],
    ["यह एक वाक्य है।", "यह दूसरा है॥", "क्या?"],
    ["이것은 문장입니다.", "두 번째입니다!", "네?"],
    ["Բարեւ։", "Լավ եմ։"],
]


@pytest.mark.parametrize("expected", SPACED, ids=lambda case: case[0][:24])
def test_sentences_of_spaced_scripts(expected: list[str]):
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["你好。", "世界！", "真的吗？"],
        ["他说：「好。」", "然后走了。"],
        ["『本当？』", "はい。", "３．１４です。"],
        ["(好。)", "是真的?", "对!", "好"],
        ["好！！", "哇？！", "完。。。", "了"],
        ["用main.py和v1.2。", "好"],
        ["他走了。", "“你好。”", "她说"],
        ["**重点。**", "好。", "**又**是。", '"好。', '对。"', "完"],
        ["यह है।", "वह है।"],
    ],
    ids=lambda case: case[0],
)
def test_sentences_that_end_without_a_space(expected: list[str]):
    assert sentences("".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One\n\nTwo\r\n\r\nThree\r\rFour\n \t\nFive", ["One", "Two", "Three", "Four", "Five"]),
        ("Dr.\n\nSmith", ["Dr.", "Smith"]),  # a blank line ends it whatever stands before
        ("one line\nand one more.\nsecond", ["one line\nand one more.", "second"]),
        ("Roses are red\r\nviolets are blue", ["Roses are red\r\nviolets are blue"]),
        ("Buy:\n- milk. Fresh\n- bread\n  brown\nThen go", ["Buy:", "- milk.", "Fresh", "- bread", "brown\nThen go"]),
        ("1. One\n2. Two. Three\n10) Ten", ["1. One", "2. Two.", "Three", "10) Ten"]),
        ("Which?\nA. Paris\nB. The sea\na) x\n", ["Which?", "A. Paris", "B. The sea", "a) x"]),
        ("in the year\n1984. It was", ["in the year\n1984.", "It was"]),
        ("- [ ] 1. a\n* b\n+ c\n• d", ["- [ ] 1. a", "* b", "+ c", "• d"]),
        ("# A. B title\nText\n## Sub\n#hash", ["# A. B title", "Text", "## Sub", "#hash"]),
        ("> quoted\n> again\nText", ["> quoted", "> again", "Text"]),
        ("Text\n---\nmore", ["Text", "---", "more"]),
        (
            "T:\n| a. B | c? D |\n|---|---|\n| e |\nEnd. Now",
            ["T:", "| a. B | c? D |", "|---|---|", "| e |", "End.", "Now"],
        ),
        ("**bold** start\n**again**", ["**bold** start\n**again**"]),
        ("see -5\n-6 too", ["see -5\n-6 too"]),
        ("an open ` tick. Not cut\nbut here. Yes", ["an open ` tick. Not cut\nbut here.", "Yes"]),
    ],
)
def test_lines_lists_and_headings(text: str, expected: list[str]):
    assert sentences(text) == expected


def test_a_fenced_block_comes_line_by_line_with_its_indentation():
    text = "See:\n```py\ndef f():\n    # Hm. Why?\n\n    return 1.0. Foo\n  ``\n```  \nAfter. Done"
    assert sentences(text) == [
        "See:", "```py", "def f():", "    # Hm. Why?", "    return 1.0. Foo", "  ``", "```", "After.", "Done",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("~~~\na. B\n```\n~~~~\nEnd. Fin", ["~~~", "a. B", "```", "~~~~", "End.", "Fin"]),
        ("````\na. B\n```\nc. D\n````\nEnd. Fin", ["````", "a. B", "```", "c. D", "````", "End.", "Fin"]),
        ("- x\n  ```\n  a. B\n  ```\n- y. Z", ["- x", "```", "  a. B", "  ```", "- y.", "Z"]),
        ("```a. B``` is code. Yes.\nEnd. Fin", ["```a. B``` is code. Yes.", "End.", "Fin"]),
        ("```\n``` x\na. B", ["```", "``` x", "a. B"]),  # a closing fence stands alone
        ("```\n    last. Line", ["```", "    last. Line"]),  # never closed
    ],
)
def test_fences(text: str, expected: list[str]):
    assert sentences(text) == expected


def test_the_lossless_form_has_the_white_space_before_each_sentence():
    assert sentences(" One.  Two!\n\n- three\n", keep_space=True) == [" One.", "  Two!", "\n\n- three", "\n"]
    assert sentences(" \n ", keep_space=True) == [" \n "]
    assert sentences(" \n ") == []
    assert sentences("") == []


@pytest.mark.parametrize(
    ("before", "decides"),
    [
        ("One. ", "T"),
        ("One! ", "t"),
        ("One. ", '"G'),
        ("It is here. ", "3"),
        ("in the U.S. ", "The "),
        ("a blank line\n", "\n"),
        ("one line.\n", "Tw"),
        ("- an item", "\n"),
        ("the line before\n", "- "),
        ("好。", "你"),
        ("好。", " "),
        ("「好。」", "你"),
        ("```\ncode", "\n"),
    ],
)
def test_a_sentence_is_emitted_as_soon_as_its_end_is_certain(before: str, decides: str):
    machine = Sentences()
    machine.feed(before + decides[:-1])
    last = before.strip().rpartition("```\n")[2]
    assert machine.feed(decides[-1]) == [last]


def test_the_text_kept_before_a_decision_is_bounded():
    machine = Sentences()
    assert machine.feed("At the U.S. " + "(" * 15) == []
    assert machine.feed("(") == ["At the U.S."]


def test_a_machine_can_be_used_again_after_its_end():
    machine = Sentences()
    assert machine.feed("```\na. B") + machine.finish() == ["```", "a. B"]
    assert machine.feed("a. B") + machine.finish() == ["a.", "B"]
