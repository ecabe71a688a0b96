"""Lists of feeds as OPML (http://opml.org/spec2.opml), in and out: how readers move their subscriptions."""

import re
from collections.abc import Iterable

import msgspec
from lxml import etree

from broadsheet.feeds.decoding import decode
from broadsheet.feeds.feed import FeedError
from broadsheet.feeds.plain import folded

MAX_BYTES = 10_000_000
_DECLARATION = re.compile(r"^<\?xml[^>]*\?>")
_AMPERSAND = re.compile(r"&(?!#?\w{1,32};)")


class Subscription(msgspec.Struct, frozen=True):
    """A feed in the list. `category` is the title of the outline around it, the innermost if there are several."""

    feed_url: str
    title: str = ""
    site_url: str | None = None
    category: str | None = None


def read(body: bytes, *, name: str = "OPML") -> tuple[Subscription, ...]:
    """The subscriptions in `body`, in document order, each feed once. FeedError if it isn't OPML, named `name`."""
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True, remove_comments=True
    )  # recover: exports with a bare & abound; huge_tree: nesting may be deep, its size is capped here
    if len(body) > MAX_BYTES:
        raise FeedError(name, "too-large", f"over {MAX_BYTES} bytes")
    text, _, _ = decode(body)
    try:
        root = etree.fromstring(_AMPERSAND.sub("&amp;", _DECLARATION.sub("", text)), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise FeedError(name, "malformed", str(error)[:200]) from error
    if root is None or _local_name(root) != "opml":
        raise FeedError(name, "not-a-feed", "no OPML")
    found: dict[str, Subscription] = {}
    for outline in root.iter("{*}outline"):
        given = {str(key).lower(): str(value).strip() for key, value in outline.attrib.items()}
        if feed_url := given.get("xmlurl"):
            subscription = Subscription(feed_url, _title(outline), given.get("htmlurl") or None, _category(outline))
            found.setdefault(feed_url, subscription)
    return tuple(found.values())


def write(subscriptions: Iterable[Subscription], *, title: str = "Broadsheet") -> bytes:
    """`subscriptions` as an OPML 2.0 document in UTF-8, grouped by category."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    groups: dict[str, etree._Element] = {}
    for one in subscriptions:
        parent = body
        if one.category:
            if one.category not in groups:
                groups[one.category] = etree.SubElement(body, "outline", text=one.category, title=one.category)
            parent = groups[one.category]
        name = one.title or one.feed_url
        outline = etree.SubElement(parent, "outline", type="rss", text=name, title=name, xmlUrl=one.feed_url)
        if one.site_url:
            outline.set("htmlUrl", one.site_url)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def _local_name(element: etree._Element) -> str:
    # not QName, which refuses the names that a recovering parser lets through
    return str(element.tag).rpartition("}")[2].rpartition(":")[2].lower()


def _title(outline: etree._Element) -> str:
    return folded(outline.get("title") or outline.get("text") or "")


def _category(outline: etree._Element) -> str | None:
    parent = outline.getparent()
    if parent is None or _local_name(parent) != "outline" or parent.get("xmlUrl"):
        return None
    return _title(parent) or None
