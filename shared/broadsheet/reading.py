"""What a fetched page says, read for its source: the answer to a message in, an article as it is to be stored out.

The same for a page that just came and for one from the archive, so that reading again differs by the reader alone.
"""

import logging
from typing import Protocol

import msgspec

from broadsheet import feedtext, mirror
from broadsheet.apart import LateError, Task
from broadsheet.article import Article, Origin, Reservation
from broadsheet.extract import ExtractionError, reservations
from broadsheet.fetch import Response
from broadsheet.queue import ArticleMessage
from broadsheet.source import Source

log = logging.getLogger("broadsheet.parse")


class Reader(Protocol):
    """Gives the article of a task; raises ExtractionError if there is none."""

    def __call__(self, task: Task) -> Article: ...


class Reading(msgspec.Struct, frozen=True):
    """An article, what it was read from, and what the source's policy has it stored without its text for.

    `reason` says why it is the feed's text although there is a page.
    """

    article: Article
    origin: Origin
    withheld: Reservation | None = None
    reason: str | None = None


def read_answer(response: Response, message: ArticleMessage, source: Source, read: Reader) -> Reading:
    """The article that an answer gives, completed by what the feed said. Raises ExtractionError or MirrorError.

    Where the feed has the article's text and the page hasn't, it is taken from the feed.
    """
    if source.fetch == "document":  # its owner vouches for the address it names
        article = mirror.to_article(mirror.read(response.body, name=response.url), source.timezone or mirror.ZONE)
        return Reading(msgspec.structs.replace(article, language=article.language or source.language), "seed")
    task = Task(
        kind="page",
        body=response.body,
        url=response.url,
        charset=response.charset,
        timezone=source.timezone or None,
    )
    page = reservations.with_headers(read(task), response.headers)
    feed = _instead(page, message, source, read)
    article = feedtext.complete(feed or page, message.entry, language=source.language)
    withheld = reservations.respected(article, source.respect)
    return Reading(
        reservations.without_text(article) if withheld else article,
        "feed" if feed else "page",
        withheld,
        "page-lacks-text" if feed else None,
    )


def _instead(page: Article, message: ArticleMessage, source: Source, read: Reader) -> Article | None:
    moved = bool(message.found_at)
    url = message.found_at or message.url
    try:
        return feedtext.instead(page, message.entry, url, moved=moved, language=source.language, read=fragments(read))
    except (ExtractionError, LateError, RuntimeError) as error:  # the page is there, and read
        log.warning("feed's text not read", extra={"url": url, "reason": str(error)})
        return None


def fragments(read: Reader) -> feedtext.Reader:
    """Reads a feed's HTML as `read` does."""
    return lambda html, url: read(Task(kind="fragment", body=html.encode("utf-8", "replace"), url=url))
