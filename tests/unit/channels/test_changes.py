"""What a revision changed is found and put into words: former title, new first paragraph, note of correction."""

import pytest

from broadsheet.article import Article
from broadsheet.changes import Changes, between
from broadsheet.channels.wording import changed


def article(title: str, *paragraphs: str) -> Article:
    return Article(url="https://news.example/1", title=title, text="\n\n".join(paragraphs))


BEFORE = article("Ferry sails", "It sails at noon.", "Two boats go.")


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (BEFORE, Changes()),
        (article("FERRY  sails", "It sails at  noon.", "Two boats go."), Changes()),
        (article("Ferry stays", "It sails at noon.", "Two boats go."), Changes(title="Ferry sails")),
        (article("Ferry sails", "It sails at dusk.", "Two boats go."), Changes(lead="It sails at dusk.")),
        (article("Ferry sails", "It sails at noon.", "Three boats go."), Changes()),
        (
            article("Ferry sails", "Correction: it was noon, not dusk.", "It sails at noon.", "Two boats go."),
            Changes(correction="Correction: it was noon, not dusk."),
        ),
        (
            article("Ferry sails", "It sails at noon.", "Two boats go.", "更正：渡轮中午启航。"),
            Changes(correction="更正：渡轮中午启航。"),
        ),
        (
            article("Ferry sails", "It sails at noon.", "An earlier version of this article had dusk."),
            Changes(correction="An earlier version of this article had dusk."),
        ),
        (article("Ferry sails", "It sails at noon.", "Corrections officers board."), Changes()),
        (article("", ""), Changes(title="Ferry sails")),
    ],
)
def test_what_differs(after: Article, found: Changes) -> None:
    assert between(BEFORE, after) == found


def test_it_is_said_in_the_articles_language_correction_first() -> None:
    every = Changes(title="A {text}", lead="B.", correction="Berichtigung: C.")
    assert changed(every, "de") == "Berichtigung: C. Der Titel war „A {text}“. Es beginnt jetzt so: B."
    assert changed(Changes(title="旧", lead="新。"), "zh-Hans") == "原标题：“旧”。现在的开头：新。"
    assert changed(Changes(), None) == "The text has changed."
    assert len(changed(Changes(title="x" * 9999, lead="y" * 9999, correction="Correction " * 999), "en")) < 1300
