"""What the feed said of an article: it completes the page's fields, or is the article where the page can't be had."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from broadsheet.article import Article, Image, Witness
from broadsheet.extract import ExtractionError, from_fragment
from broadsheet.queue import FeedEntry

# A teaser is no article. RFI's and DW's feed descriptions are below 200 characters, full texts start at about 400.
MIN_ARTICLE = 300

Reader: TypeAlias = Callable[[str, str], Article]  # of HTML and the URL it belongs to; `from_fragment`, or one apart


def is_full_text(entry: FeedEntry | None, read: Reader = from_fragment) -> bool:
    """Whether the entry carries enough text to stand for its article."""
    if entry is None or not entry.html:
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
