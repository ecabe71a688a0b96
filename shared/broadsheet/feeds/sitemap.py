"""Sitemaps (sitemaps.org, Google's news extension) as feeds: urlset, index, gzip, plain text.

Read as a stream by lxml with entities, DTDs and network off, so that a cut or hostile one yields what came before the
break, in bounded memory. Namespaces are not checked: many real ones are misspelt.
"""

import io
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime

from lxml import etree

from broadsheet.feeds import syndication
from broadsheet.feeds.dates import instant
from broadsheet.feeds.decoding import decode
from broadsheet.feeds.feed import Entry, Feed, FeedError
from broadsheet.feeds.markup import root_name
from broadsheet.feeds.plain import address, folded

MAX_BYTES = 50_000_000  # unpacked; this, the number of URLs and their length are the protocol's own limits
MAX_URLS = 50_000
MAX_ADDRESS = 2_048

_GZIP = b"\x1f\x8b"
_BARE_HOST = re.compile(r"(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?", re.IGNORECASE)


def parse(body: bytes, *, url: str, content_type: str | None = None) -> Feed:
    """The sitemap in `body`, newest first, the undated last; of an index, its sitemaps in `children`, newest first.

    `published_at` is the news publication date, or else `lastmod`, which is `updated_at` too. A feed served as a
    sitemap, which the protocol allows, is read as one. FeedError `empty`, `html`, `not-a-feed` or `malformed`.
    """
    warnings: list[str] = []
    if body.startswith(_GZIP):
        body = _unpacked(body, url, warnings)
    if len(body) > MAX_BYTES:
        warnings.append("too-large")
        body = body[:MAX_BYTES]
    head, encoding, _ = decode(body[:8192], content_type)
    if not head:
        raise FeedError(url, "empty")
    if not head.startswith("<"):
        return _plain_text(body, url, content_type, warnings)
    root = root_name(head)
    if root in syndication.KINDS:
        text, encoding, doubts = decode(body, content_type)
        return syndication.parse(text, url=url, encoding=encoding, warnings=(*warnings, *doubts))
    if root not in ("urlset", "sitemapindex"):
        raise FeedError(
            url, "html" if root == "html" else "not-a-feed", f"root element {root}" if root else "no markup"
        )
    entries, publication = [], ""
    try:
        for element in _elements(body.lstrip()):
            if entry := _entry(element, url):
                entries.append(entry)
                publication = publication or _value(element, "news", "publication", "name")
            if len(entries) >= MAX_URLS:
                warnings.append("too-large")
                break
    except etree.XMLSyntaxError as error:
        if not entries:
            raise FeedError(url, "malformed", str(error)[:200]) from error
        warnings.append("truncated")
    entries.sort(key=_newest_first)
    if root == "urlset":
        return _feed(entries, publication, encoding, warnings)
    children = dict.fromkeys(entry.url for entry in entries if entry.url and entry.url != url)
    return Feed(kind="sitemap-index", encoding=encoding, children=tuple(children), warnings=tuple(warnings))


def _feed(entries: list[Entry], title: str, encoding: str, warnings: list[str]) -> Feed:
    return Feed(kind="sitemap", title=title, encoding=encoding, entries=tuple(entries), warnings=tuple(warnings))


def _unpacked(body: bytes, url: str, warnings: list[str]) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacker.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise FeedError(url, "malformed", f"gzip: {error}") from error
    if not unpacker.eof and len(unpacked) <= MAX_BYTES:
        warnings.append("truncated")
    return unpacked


def _elements(body: bytes) -> Iterator[etree._Element]:
    """Each `url` or `sitemap`, cleared once the caller is done with it; one cut off, if its `loc` is whole.

    XMLSyntaxError where the document breaks.
    """
    stream = etree.iterparse(
        io.BytesIO(body),
        events=("end",),
        tag=("{*}url", "{*}sitemap", "{*}loc"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    unfinished: etree._Element | None = None
    try:
        for _, element in stream:
            parent = element.getparent()
            if parent is None:
                continue
            above = parent.getparent()
            if above is not None:  # a loc, a picture's loc, or the `<loc><url>` that is seen in the wild
                if above.getparent() is None and etree.QName(element).localname == "loc":
                    unfinished = parent
                continue
            yield element
            unfinished = None
            element.clear()
            while element.getprevious() is not None:
                del parent[0]
    except etree.XMLSyntaxError:
        if unfinished is not None:
            yield unfinished
        raise


def _entry(element: etree._Element, url: str) -> Entry | None:
    found = _value(element, "loc") or (element.text or "").strip()
    link = address(found, url) if len(found) <= MAX_ADDRESS else None
    if link is None:
        return None
    updated_at = instant(_value(element, "lastmod"))
    title = folded(_value(element, "news", "title"))
    keywords = map(folded, _value(element, "news", "keywords").split(","))
    return Entry(
        url=link,
        title=title,
        headline=title,
        published_at=instant(_value(element, "news", "publication_date")) or updated_at,
        updated_at=updated_at,
        tags=tuple(dict.fromkeys(word for word in keywords if word)),
        image=address(_value(element, "image", "loc"), url),
        language=_value(element, "news", "publication", "language") or None,
    )


def _value(element: etree._Element, *path: str) -> str:
    """The text at `path` of local names, "" if it isn't there; unresolved entities and inclusions have none."""
    for name in path:
        children = (child for child in element if isinstance(child.tag, str))
        child = next((child for child in children if etree.QName(child).localname.lower() == name), None)
        if child is None:
            return ""
        element = child
    nested = (child.text for child in element if isinstance(child.tag, str))
    return (element.text or "").strip() or next((text.strip() for text in nested if text), "")


def _plain_text(body: bytes, url: str, content_type: str | None, warnings: list[str]) -> Feed:
    """One address a line. FeedError `not-a-feed` if no line is one."""
    text, encoding, _ = decode(body, content_type)
    entries = []
    for line in text.splitlines()[:MAX_URLS]:
        link = line.strip()
        link = f"http://{link}" if _BARE_HOST.fullmatch(link) else link
        if (
            link.lower().startswith(("http://", "https://"))
            and len(link) <= MAX_ADDRESS
            and (found := address(link, url))
        ):
            entries.append(Entry(url=found))
    if not entries:
        raise FeedError(url, "not-a-feed", "no markup and no addresses")
    return _feed(entries, "", encoding, warnings)


def _newest_first(entry: Entry) -> float:
    moment = entry.published_at or entry.updated_at
    return -moment.timestamp() if moment and moment > _EPOCH else 0.0


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
