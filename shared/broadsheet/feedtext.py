"""What the feed said of an article: it completes the page's fields, or is the article where the page isn't."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from broadsheet import urls
from broadsheet.article import Article, Image, Witness
from broadsheet.extract import ExtractionError, from_fragment
from broadsheet.queue import FeedEntry

# A teaser is no article. RFI's and DW's feed descriptions are below 200 characters, full texts start at about 400.
MIN_ARTICLE = 300
HALF, NOTHING = 0.5, 0.1  # shares of a text; of two that have nothing to do with each other, 0.05 are the same
BODY = ("blocks", "text", "html", "links", "length", "length_unit", "reading_minutes")

Reader: TypeAlias = Callable[[str, str], Article]  # of HTML and the URL it belongs to; `from_fragment`, or one apart


def is_full_text(entry: FeedEntry | None, read: Reader = from_fragment) -> bool:
    """Whether the entry carries enough text to stand for its article."""
    if entry is None or len(entry.text) < MIN_ARTICLE:  # its markup can't hold more
        return False
    try:
        return len(read(entry.text, "https://feed.invalid/").text) >= MIN_ARTICLE
    except ExtractionError:  # markup without a word
        return False


def to_article(entry: FeedEntry, url: str, *, language: str | None = None, read: Reader = from_fragment) -> Article:
    """The article that the entry's own text makes, every field witnessed by the feed."""
    article = read(entry.text or entry.summary, url)
    article = replace(article, provenance={name: Witness("feed", "content") for name in article.provenance})
    return complete(article, entry, language=language)


def better(
    page: Article, entry: FeedEntry | None, url: str, *, language: str | None = None, read: Reader = from_fragment
) -> tuple[Article, str] | None:
    """The article that the feed's text makes, and why it is better than the page; None where the page will do.

    `another-page`: it has little or nothing of the text, and the title of something else: a wall, or where dead links
    end. It adds nothing, and the article belongs to the feed's own `url`, for all of the feed's may lead to that page.
    `page-lacks-text`: it has not half of the text, nor any longer one. Then its fields stay, around the feed's body.
    """
    if entry is None or not is_full_text(entry, read):
        return None
    feed = to_article(entry, url, language=language, read=read)
    share, shorter = _share(feed.text, page.text), len(page.text) < len(feed.text)
    if share < (HALF if shorter else NOTHING) and urls.titles_disagree(entry.title, page.title):
        return feed, "another-page"
    if share >= HALF or not shorter:  # the article, or what the feed has an abstract of, in words of its own
        return None
    body = {name: getattr(feed, name) for name in BODY}
    witnesses = {name: witness for name, witness in page.provenance.items() if name not in BODY}
    witnesses |= {name: witness for name, witness in feed.provenance.items() if name in BODY}
    return replace(page, **body, images=page.images or feed.images, provenance=witnesses), "page-lacks-text"


def _share(text: str, other: str) -> float:
    """How much of a text is in another: of its runs of eight letters and digits, the share that is there, too."""
    runs, others = ({plain[i : i + 8] for i in range(len(plain) - 7)} for plain in (_plain(text), _plain(other)))
    return len(runs & others) / len(runs) if runs else 1.0


def _plain(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def carried_over(article: Article, before: Article) -> Article:
    """The article with what the feed had said of its former state, where its page still doesn't: the feed isn't asked
    again when the page is."""
    kept = {
        name: witness
        for name, witness in before.provenance.items()
        if witness.kind == "feed" and not getattr(article, name)
    }
    return replace(
        article,
        **{name: getattr(before, name) for name in kept},
        provenance={**article.provenance, **kept},
    )


def complete(article: Article, entry: FeedEntry | None, *, language: str | None = None) -> Article:
    """The article with the feed's values where the page gave none."""
    found: dict[str, tuple[object, str]] = {}
    if language and not article.language:
        found["language"] = language, "source"
    if entry is not None:
        offered: dict[str, tuple[object, str]] = {
            "title": (entry.title, "title"),
            "published_at": (entry.published_at, "published"),
            "modified_at": (entry.updated_at if entry.updated_at != entry.published_at else None, "updated"),
            "standfirst": (entry.summary if not entry.html else None, "summary"),
            "authors": (entry.authors, "author"),
            "tags": (entry.tags, "category"),
            "images": ((Image(url=entry.image),) if entry.image else (), "image"),
        }
        found |= {name: value for name, value in offered.items() if value[0] and not getattr(article, name)}
    return replace(
        article,
        **{name: value for name, (value, _) in found.items()},
        provenance={**article.provenance, **{name: Witness("feed", key) for name, (_, key) in found.items()}},
    )
