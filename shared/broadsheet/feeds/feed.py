"""What a feed says: the records that every reader of this package returns."""

from datetime import datetime
from typing import Literal

import msgspec

from broadsheet.errors import BroadsheetError

Kind = Literal["rss", "rdf", "atom", "cdf", "json", "sitemap", "sitemap-index", "listing"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry, as its feed gives it.

    `id`            the GUID, Atom id or rdf:about, verbatim; None if there is none. Not to be trusted: see `identity`.
    `url`           the article's absolute http(s) address, uncleaned; None if the entry names no page. A GUID that is
                    an address stands in for a missing link; an enclosure (a podcast's sound) is no page.
    `title`         verbatim: text, or sanitised markup where the feed has some.
    `headline`      the title as plain text: what to store, compare and, escaped, to show.
    `published_at`  aware, UTC; the update time where a feed gives only that; None if undated or unreadable.
    `updated_at`    aware, UTC; None unless the feed gives it.
    `summary`       plain text of the feed's description.
    `html`          the full text where the feed carries it, sanitised; else "". See `syndication` for the rule.
    """

    id: str | None = None
    url: str | None = None
    title: str = ""
    headline: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    summary: str = ""
    html: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    image: str | None = None
    language: str | None = None


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed, sitemap or listing. `entries` are in document order, sitemaps' newest first.

    `ttl_minutes` is RSS's `ttl`, `update_minutes` the period that `sy:` announces: both are wishes about polling.
    `hub` is the WebSub hub, `self_url` the address the feed gives itself, `next_url` its next page (RFC 5005, JSON
    Feed). `children` are a sitemap index's sitemaps, newest first. `warnings` are short machine-readable reasons to
    doubt completeness: `malformed`, `truncated`, `too-large`, `charset`.
    """

    kind: Kind
    title: str = ""
    link: str | None = None
    language: str | None = None
    ttl_minutes: int | None = None
    update_minutes: int | None = None
    hub: str | None = None
    self_url: str | None = None
    next_url: str | None = None
    encoding: str = "utf-8"
    entries: tuple[Entry, ...] = ()
    children: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class FeedError(BroadsheetError):
    """The bytes from `subject` (a URL) are no feed, sitemap or listing. `reason` is `empty`, `not-a-feed`, `html`,
    `malformed`, `too-large` or `selector`, or `not-reached` of an index whose sitemaps there is no time for."""

    @property
    def url(self) -> str:
        return self.subject
