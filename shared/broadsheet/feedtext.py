"""What the feed said of an article: it completes the page's fields, or is the article where the page isn't."""

from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from broadsheet.article import Article, Image, Witness
from broadsheet.extract import ExtractionError, from_fragment
from broadsheet.queue import FeedEntry

# A teaser is no article. RFI's and DW's feed descriptions are below 200 characters, full texts start at about 400.
MIN_ARTICLE = 300
HALF, NOTHING = 0.5, 0.05  # shares of a text; edits of a sentence here and there take away a tenth
SAMPLE = 12  # letters and digits: a few words, or a clause of Chinese
MOST_COMPARED = 100_000  # characters of a text; ten times a long article's
BODY = ("blocks", "text", "html", "links", "length", "length_unit", "reading_minutes", "language", "language_detected")
RESERVED = ("noarchive", "tdm_reserved", "tdm_policy")

Reader: TypeAlias = Callable[[str, str], Article]  # of HTML and the URL it belongs to; `from_fragment`, or one apart


def is_full_text(entry: FeedEntry | None, read: Reader = from_fragment) -> bool:
    """Whether the entry carries enough text to stand for its article."""
    if entry is None or len(entry.text) < MIN_ARTICLE:
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


def instead(
    page: Article,
    entry: FeedEntry | None,
    url: str,
    *,
    moved: bool,
    language: str | None = None,
    read: Reader = from_fragment,
) -> Article | None:
    """The article around the feed's full text, where the page has less of it than half and nothing longer; else None.

    A page with some of it is a teaser: its fields stay, around the feed's body. One with nothing of it, such as a wall
    that answers like a page, adds only what it reserves. If it was `moved` to, it doesn't even name the article, for
    all of a feed's articles may lead there: the address is then the feed's own `url`.
    """
    if entry is None or len(entry.text) < MIN_ARTICLE:  # its markup can't hold more
        return None
    feed = to_article(entry, url, language=language, read=read)
    if len(feed.text) < MIN_ARTICLE or len(page.text) >= len(feed.text):
        return None  # a teaser; or something of which the feed has an abstract, in words of its own
    share = share_of(feed.text, page.text)
    if share >= HALF:
        return None
    if share >= NOTHING:
        body = BODY if feed.language else tuple(name for name in BODY if not name.startswith("language"))
        return _with(page, feed, body if page.images else (*body, "images"))
    return feed if moved else _with(replace(feed, url=page.url), page, RESERVED)


def share_of(text: str, other: str) -> float:
    """How much of a text is in another, from 0 to 1: of a hundred samples of it, the share that is there, too."""
    plain, others = _plain(text), _plain(other)
    step = max(1, (len(plain) - SAMPLE) // 100)
    samples = [plain[at : at + SAMPLE] for at in range(0, max(1, len(plain) - SAMPLE + 1), step)]
    return sum(sample in others for sample in samples) / len(samples)


def _plain(text: str) -> str:
    return "".join(char for char in text[:MOST_COMPARED].casefold() if char.isalnum())


def _with(article: Article, other: Article, names: tuple[str, ...]) -> Article:
    """An article with some of another's fields, and their witnesses."""
    kept = {name: witness for name, witness in article.provenance.items() if name not in names}
    taken = {name: witness for name, witness in other.provenance.items() if name in names}
    return replace(article, **{name: getattr(other, name) for name in names}, provenance=kept | taken)


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
