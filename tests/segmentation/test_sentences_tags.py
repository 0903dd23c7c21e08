"""Sentences with tags of HTML, and sentences that a space is missing between."""

import pytest

from rxstream.segmentation._sentences import Sentences


def sentences(text: str) -> list[str]:
    machine = Sentences()
    return machine.feed(text) + machine.finish()


@pytest.mark.parametrize(
    "expected",
    [
        ["<b>Hello.</b>", "Next."],
        ["First.", "<b>Second.</b>", "Third."],
        ["It is <i>so</i>.", '<a href="x">It</a> was.', "<b><i>Both.</i></b>", "<br> Then."],
        ["Stop!</b> he said.", "Really?</i>", "Yes."],
        ["He left. <b>and</b> came back, etc. <i>and</i> so on.", "End."],
        ["<b>Dr</b>. Smith met <b>Mr.</b> Jones. </p>", "The end."],
        ['See <a href="a. B" title="C? D">it. all</a>.', "Next."],
        ["The U.S. <b>Army</b> is there.", "He left the U.S.", "<b>The</b> end."],
        ["Is a <b here?", "One < two.", "C > d.", "<3 it.", "Write <me@x.yz>.", "See <https://a.b/c. d>.", "End"],
        ["if a <b then.", "Next."],
        ["One. <br>"],
    ],
    ids=lambda case: case[0],
)
def test_tags_belong_to_the_sentence_that_they_are_around(expected: list[str]):
    assert sentences(" ".join(expected)) == expected


@pytest.mark.parametrize(
    "expected",
    [
        ["<p>One.</p>", "<p>two.</p>", "<ul><li>Three.</li>", "<li>four</li></ul>"],
        ["One.", "<br>two.", "<br/>three"],
        ["<think>Hm.</think>", "Yes."],
        ["Dr.<br>Smith"],
        ["你好。</b>", "世界。", "<b>好。</b>"],
        ["exam.<b>ple</b> and exam.<b>Ple</b>"],
    ],
    ids=lambda case: case[0],
)
def test_tags_that_end_a_line_need_no_space(expected: list[str]):
    assert sentences("".join(expected)) == expected


def test_lines_of_tags():
    assert sentences("<div>\n<p>One.\n</p>\n<p>\nTwo.</p>\n</div>\n- a") == [
        "<div>\n<p>One.\n</p>",
        "<p>\nTwo.</p>\n</div>",
        "- a",
    ]


@pytest.mark.parametrize(
    "expected", [["It is one.", "The next"], ["Is it so?", "You know."], ["And wait...", "They went"]]
)
def test_a_missing_space_before_an_article_or_a_pronoun(expected: list[str]):
    assert sentences("".join(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "one.Sentence and two!Next",
        "System.Out and fmt.Println and asyncio.Queue and query.The()",
        "https://example.com/it.The page and a/b.The file and www.it.The page",
        "e.g.The one, U.S.A The rest, Node.js The end, i.e.It is",
        "Yahoo!The and System.The and x.The and 3.The",
        "vitamin.A is good and vb.My too",
    ],
)
def test_what_is_no_end_without_a_space(text: str):
    assert sentences(text) == [text]


@pytest.mark.parametrize(
    ("before", "decides", "expected"),
    [
        ("<b>Hello.</b> ", "N", "<b>Hello.</b>"),
        ("First. <b>", "S", "First."),
        ("One.</p>", "T", "One.</p>"),
        ("It is one.The", " ", "It is one."),
    ],
)
def test_a_sentence_with_tags_is_emitted_as_soon_as_its_end_is_certain(before: str, decides: str, expected: str):
    machine = Sentences()
    assert machine.feed(before) == []
    assert machine.feed(decides) == [expected]


def test_a_tag_without_an_end_is_text():
    machine = Sentences()
    whole = machine.feed("a <b c='" + "d" * 1000 + " One. Two. T")
    assert whole[-1] == "Two."
    assert machine.feed("\n") == []
