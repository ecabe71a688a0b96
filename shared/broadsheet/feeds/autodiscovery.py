"""The feeds an HTML page names: `<link rel="alternate">` as browsers and the RSS Advisory Board read it."""

import lxml.html
import msgspec
from lxml import etree

from broadsheet.feeds.plain import address, folded

_TYPES = {
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
    "application/xml",
    "text/xml",
}


class FeedLink(msgspec.Struct, frozen=True):
    """A feed that a page names. `title` is the address where the page gives none."""

    url: str
    title: str
    type: str


def find(body: bytes, *, url: str) -> tuple[FeedLink, ...]:
    """The feeds named on the page `body`, in page order, each once; () if there are none, whatever the page is."""
    try:
        page = lxml.html.document_fromstring(body)
    except (etree.ParserError, ValueError):
        return ()
    bases = (address(element.get("href"), url) for element in page.iter("base"))
    base = next((found for found in bases if found), url)
    found: dict[str, FeedLink] = {}
    for element in page.iter("link"):
        kinds = (element.get("rel") or "").lower().split()
        media = (element.get("type") or "").partition(";")[0].strip().lower()
        link = address(element.get("href"), base)
        if link and "stylesheet" not in kinds and (("alternate" in kinds and media in _TYPES) or "feed" in kinds):
            found.setdefault(link, FeedLink(link, folded(element.get("title") or "") or link, media))
    return tuple(found.values())
