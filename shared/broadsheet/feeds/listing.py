"""Listing pages as feeds: the links that a CSS selector names on a page, for sites without a feed."""

import warnings
from datetime import datetime
from itertools import islice

from bs4 import BeautifulSoup, Tag
from soupsieve import SelectorSyntaxError
from w3lib.encoding import html_to_unicode

from broadsheet.feeds.dates import instant
from broadsheet.feeds.feed import Entry, Feed, FeedError
from broadsheet.feeds.plain import address, folded

MAX_LINKS = 1_000  # a page that selects more is a selector that selects too much
_LEVELS = 4  # how far above its link an entry's box is looked for


def parse(body: bytes, *, url: str, select: str) -> Feed:
    """The links that `select` names on the page `body`, in page order, each once.

    A selected element that is no link stands for the first link inside it or the one around it. The date is that of a
    `<time datetime>` in the box around a single link. FeedError `selector` if it is malformed or names no link: then
    the site was rebuilt, and silence would hide it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # bs4 wonders at XHTML and at text that looks like an address
        page = BeautifulSoup(html_to_unicode(None, body)[1], "lxml")
    try:
        chosen = page.select(select, limit=MAX_LINKS)
    except SelectorSyntaxError as error:
        raise FeedError(url, "selector", str(error).split("\n")[0]) from error
    base_tag = page.find("base", href=True)
    base = (address(str(base_tag["href"]), url) if isinstance(base_tag, Tag) else None) or url
    links = [
        (element, link, target) for element in chosen if (link := _link(element)) and (target := _target(link, base))
    ]
    around: dict[int, set[str]] = {}  # by box, the addresses in it: a box of several entries dates none of them
    for _, link, target in links:
        for box in _boxes(link):
            around.setdefault(id(box), set()).add(target)
    entries: dict[str, Entry] = {}
    for element, link, target in links:
        title = folded(element.get_text(" ")) or folded(str(link.get("title") or ""))
        own = [box for box in _boxes(link) if len(around[id(box)]) == 1]
        known = entries.get(target)
        if known is None or (title and not known.title):  # a picture's link often comes before the headline's
            entries[target] = Entry(url=target, title=title, headline=title, published_at=_date(own))
    if not entries:
        raise FeedError(url, "selector", f"{select!r} names no link")
    language = page.html.get("lang") if page.html else None
    return Feed(
        kind="listing",
        title=folded(page.title.get_text()) if page.title else "",
        link=url,
        language=str(language) if language else None,
        entries=tuple(entries.values()),
    )


def _link(element: Tag) -> Tag | None:
    if element.name == "a" and element.get("href"):
        return element
    inside = element.find("a", href=True)
    around = element.find_parent("a", href=True)
    return next((found for found in (inside, around) if isinstance(found, Tag)), None)


def _target(link: Tag, base: str) -> str | None:
    return address(str(link["href"]), base)


def _boxes(link: Tag) -> list[Tag]:
    return [link, *islice(link.parents, _LEVELS)]


def _date(boxes: list[Tag]) -> datetime | None:
    for box in boxes:
        moment = box.find("time", datetime=True)
        if isinstance(moment, Tag):
            return instant(str(moment["datetime"]))
    return None
