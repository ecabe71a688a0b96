"""Feeds of every kind: bytes in, records out. Pure: nothing here opens a file or a connection.

`parse` reads what publishers call a feed (RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, CDF, JSON Feed); `sitemap.parse`
reads sitemaps and `listing.parse` pages of links. All three return a `Feed`, so that discovery treats them alike.
`autodiscovery` finds the feeds a page names, `opml` reads and writes lists of them, `identity` keys their entries.
"""

from broadsheet.feeds import jsonfeed, syndication
from broadsheet.feeds.decoding import decode
from broadsheet.feeds.feed import Entry, Feed, FeedError

__all__ = ["Entry", "Feed", "FeedError", "parse"]


def parse(body: bytes, *, url: str, content_type: str | None = None) -> Feed:
    """The feed in `body`, as fetched from `url` (which relative links are resolved against).

    `content_type` is the HTTP header; its charset is believed as far as the bytes agree. A malformed feed gives what
    can be had, with the reasons in `Feed.warnings`. FeedError if there is no feed in it at all.
    """
    text, encoding, warnings = decode(body, content_type)
    if not text.strip():
        raise FeedError(url, "empty")
    if text.lstrip().startswith("{"):
        return jsonfeed.parse(text, url=url, encoding=encoding, warnings=warnings)
    return syndication.parse(text, url=url, encoding=encoding, warnings=warnings)
