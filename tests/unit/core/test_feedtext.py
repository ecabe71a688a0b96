"""What the feed said: it completes a page, or stands for it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from broadsheet import feedtext
from broadsheet.article import Article, Image, Witness
from broadsheet.queue import FeedEntry, pack

URL = "https://news.example/2026/ferry"
AT = datetime(2026, 3, 4, 8, tzinfo=UTC)
LONG = "".join(f"<p>Paragraph {n}: the ferry sails again from the old quay, at last.</p>" for n in range(10))


def entry(**changes: Any) -> FeedEntry:
    full = FeedEntry(
        title="Ferry sails",
        published_at=AT,
        updated_at=AT,
        summary="It sails.",
        authors=("Ida",),
        tags=("sea",),
        image="https://news.example/ferry.jpg",
        html=pack(LONG),
    )
    return msgspec.structs.replace(full, **changes)


@pytest.mark.parametrize(
    ("html", "full"),
    [
        (LONG, True),
        ("<p>" + "渡轮今天复航。" * 60 + "</p>", True),
        ("<p>It sails.</p>", False),
        ("", False),
        ("<p></p>", False),
        ("<script>x</script>", False),
        ('<img src="https://news.example/i.jpg">', False),
    ],
)
def test_a_teaser_is_no_article(html: str, full: bool) -> None:
    assert feedtext.is_full_text(entry(html=pack(html))) is full


def test_no_entry_is_no_text() -> None:
    assert not feedtext.is_full_text(None)


def test_the_feeds_text_makes_an_article_that_says_so() -> None:
    made = feedtext.to_article(entry(), URL, language="en")
    assert (made.url, made.title, made.published_at, made.authors) == (URL, "Ferry sails", AT, ("Ida",))
    assert made.text.startswith("Paragraph 0")
    assert made.language == "en"
    for field in ("title", "published_at", "authors", "tags", "text"):
        assert made.provenance[field].kind == "feed"


def test_the_page_goes_before_the_feed_and_the_feed_fills_gaps() -> None:
    page = Article(url=URL, title="The page's title", text="Text", provenance={"title": Witness("html", "h1")})
    made = feedtext.complete(page, entry(), language="fr")
    assert (made.title, made.provenance["title"]) == ("The page's title", Witness("html", "h1"))
    assert (made.published_at, made.provenance["published_at"]) == (AT, Witness("feed", "published"))
    assert made.images == (Image(url="https://news.example/ferry.jpg"),)
    assert (made.language, made.tags, made.text) == ("fr", ("sea",), "Text")
    assert made.modified_at is None, "an update at the hour of publication is none"
    assert made.standfirst is None, "a summary beside the full text is its beginning, not a standfirst"
    assert feedtext.complete(page, entry(html="")).standfirst == "It sails."


def test_without_an_entry_a_page_stays_as_it_is() -> None:
    page = Article(url=URL, title="T", language="en")
    assert feedtext.complete(page, None) == page
    assert feedtext.complete(page, None, language="fr") == page


WALL = "Please log in to read on. It takes a minute and costs nothing. "
READ = "".join(f"Paragraph {n}: the ferry sails again from the old quay, at last. " for n in range(10))


def page(title: str, text: str) -> Article:
    seen = {"title": Witness("html", "h1"), "text": Witness("heuristic", "density"), "authors": Witness("meta", "a")}
    return Article(url=URL + "?at=page", title=title, text=text, authors=("Bo",), language="en", provenance=seen)


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Ferry sails - The Courier", READ),
        ("Log in", READ),  # whatever it calls itself
        ("Ferry sails", READ[: len(READ) * 2 // 3]),
        ("Ferry sails", "Something else altogether was written of the boat and its crew. " * 20),  # than in an abstract
        ("At last a boat", "The ferry sails again from the old quay, it was said, but who had asked? " * 20),
    ],
)
def test_a_page_that_has_the_article_will_do(title: str, text: str) -> None:
    assert feedtext.better(page(title, text), entry(), URL) is None


def test_of_a_page_with_a_teaser_the_fields_stay_around_the_feeds_text() -> None:
    found = feedtext.better(page("Ferry sails", READ[:100]), entry(), URL)
    assert found is not None
    made, reason = found
    assert reason == "page-lacks-text"
    assert (made.url, made.title, made.authors) == (URL + "?at=page", "Ferry sails", ("Bo",))
    assert made.text.startswith("Paragraph 0")
    assert made.text.count("Paragraph") == len(made.blocks) == 10
    assert made.provenance["text"] == Witness("feed", "content")
    assert made.provenance["authors"] == Witness("meta", "a")


@pytest.mark.parametrize("text", [WALL, WALL + "We hold no more of you than the law allows us to. " * 40])
def test_a_wall_adds_nothing_to_the_feeds_text(text: str) -> None:
    found = feedtext.better(page("Log in", text), entry(), URL, language="en")
    assert found is not None
    made, reason = found
    assert reason == "another-page"
    assert (made.url, made.title, made.authors) == (URL, "Ferry sails", ("Ida",))
    assert {witness.kind for witness in made.provenance.values()} == {"feed"}


def test_a_teaser_in_the_feed_is_no_better_than_a_wall() -> None:
    assert feedtext.better(page("Log in", WALL), entry(html=pack("<p>It sails.</p>")), URL) is None
    assert feedtext.better(page("Log in", WALL), None, URL) is None
