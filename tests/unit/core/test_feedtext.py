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
SAID = (
    "the ferry sails again from the old quay",
    "nobody had counted on so much rain",
    "her captain speaks of three good years",
    "tickets are sold where bread is",
    "the mayor came by bicycle, and late",
    "two dogs have a cabin to themselves",
    "islanders brought lamps for the way home",
    "an engineer blames the cold for it all",
    "the bell was cast before the war",
    "by Sunday all will be as it was",
)
LONG = "".join(f"<p>Paragraph {n}: {said}.</p>" for n, said in enumerate(SAID))


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
READ = " ".join(f"Paragraph {n}: {said}." for n, said in enumerate(SAID))
AT_PAGE = URL + "?at=page"


def page(title: str, text: str, **fields: Any) -> Article:
    seen = {"title": Witness("html", "h1"), "text": Witness("heuristic", "density"), "authors": Witness("meta", "a")}
    seen |= {name: Witness("meta", name) for name in fields}
    return Article(url=AT_PAGE, title=title, text=text, authors=("Bo",), language="en", provenance=seen, **fields)


def witnessed(article: Article) -> bool:
    """Whether each field that says something of the article has a witness."""
    fields = ("title", "published_at", "authors", "tags", "images", "text", "noarchive")
    return all(name in article.provenance for name in fields if getattr(article, name))


@pytest.mark.parametrize("moved", [True, False])
@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Ferry sails - The Courier", READ),
        ("Log in", READ),  # whatever it calls itself
        ("Ferry sails", READ[: len(READ) * 2 // 3]),
        ("At last a boat", "Something else altogether was written of the boat and its crew. " * 20),  # than an abstract
    ],
)
def test_a_page_that_has_the_article_will_do(title: str, text: str, moved: bool) -> None:
    assert feedtext.instead(page(title, text), entry(), URL, moved=moved) is None


@pytest.mark.parametrize("moved", [True, False])
def test_of_a_page_with_a_teaser_the_fields_stay_around_the_feeds_text(moved: bool) -> None:
    made = feedtext.instead(page("It sails", READ[:100]), entry(), URL, moved=moved)
    assert made is not None
    assert (made.url, made.title, made.authors) == (AT_PAGE, "It sails", ("Bo",))
    assert made.text.startswith("Paragraph 0")
    assert made.text.count("Paragraph") == len(made.blocks) == 10
    assert made.provenance["text"] == Witness("feed", "content")
    assert made.provenance["authors"] == Witness("meta", "a")
    assert witnessed(made)


@pytest.mark.parametrize("title", ["Log in", "", "Ferry sails"])
@pytest.mark.parametrize(("moved", "url"), [(True, URL), (False, AT_PAGE)])
def test_a_wall_adds_nothing_to_the_feeds_text_but_what_it_reserves(title: str, moved: bool, url: str) -> None:
    made = feedtext.instead(page(title, WALL, noarchive=True), entry(), URL, moved=moved, language="en")
    assert made is not None
    assert (made.url, made.title, made.authors) == (url, "Ferry sails", ("Ida",))
    assert made.noarchive is not moved  # of the place it was moved to, that isn't the article's
    assert {witness.kind for name, witness in made.provenance.items() if name != "noarchive"} == {"feed"}
    assert witnessed(made)


def test_the_language_is_that_of_the_text() -> None:
    chinese = "<p>渡轮今天复航，旅客在码头排队等候，船长说风已经小了许多。</p>"
    made = feedtext.instead(page("渡轮", "Log in"), entry(html=pack(chinese * 20)), URL, moved=False)
    assert made is not None
    assert made.language == made.language_detected == "zh"


def test_a_teaser_in_the_feed_is_no_better_than_a_wall() -> None:
    assert feedtext.instead(page("Log in", WALL), entry(html=pack("<p>It sails.</p>")), URL, moved=True) is None
    assert feedtext.instead(page("Log in", WALL), None, URL, moved=True) is None


@pytest.mark.parametrize(
    ("text", "other", "least", "most"),
    [
        ("", "", 1.0, 1.0),
        ("short", "a short one", 1.0, 1.0),
        (READ, READ.upper().replace(" ", "\n"), 1.0, 1.0),
        (READ, READ.replace("Paragraph 3", "As the third"), 0.8, 0.99),
        (READ, READ[: len(READ) // 3], 0.25, 0.4),
        (READ, WALL * 30, 0.0, 0.0),
        ("渡轮今天复航，旅客排队等候。" * 30, "请先登录，然后继续阅读全文。" * 30, 0.0, 0.0),
        (READ * 10_000, READ, 0.9, 1.0),
    ],
)
def test_the_share_of_a_text_in_another(text: str, other: str, least: float, most: float) -> None:
    assert least <= feedtext.share_of(text, other) <= most
