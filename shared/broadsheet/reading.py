"""What a fetched page says, read for its source: the answer to a message in, an article as it is to be stored out.

The same for a page that just came and for one from the archive, so that reading again differs by the reader alone.
"""

from typing import Protocol

import msgspec

from broadsheet import feedtext, mirror
from broadsheet.apart import Task
from broadsheet.article import Article, Origin, Reservation
from broadsheet.extract import reservations
from broadsheet.fetch import Response
from broadsheet.queue import ArticleMessage
from broadsheet.source import Source


class Reader(Protocol):
    """Gives the article of a task; raises ExtractionError if there is none."""

    def __call__(self, task: Task) -> Article: ...


class Reading(msgspec.Struct, frozen=True):
    """An article, what it was read from, and what the source's policy has it stored without its text for."""

    article: Article
    origin: Origin
    withheld: Reservation | None = None


def read_answer(response: Response, message: ArticleMessage, source: Source, read: Reader) -> Reading:
    """The article that an answer gives, completed by what the feed said. Raises ExtractionError or MirrorError."""
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
    article = feedtext.complete(read(task), message.entry, language=source.language)
    article = reservations.with_headers(article, response.headers)
    withheld = reservations.respected(article, source.respect)
    return Reading(reservations.without_text(article) if withheld else article, "page", withheld)
