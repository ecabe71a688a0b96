"""RSS, RDF, Atom and CDF: feedparser reads them, this module keeps it safe and corrects what it gets wrong.

feedparser falls back from a strict to a loose parser where XML is broken. Before it sees a feed, whatever would send a
sound feed to the loose one (HTML's named entities, a cut end) is mended, and whatever makes either slow is taken out:
the DTD's internal subset with its entities, tags of thousands of attributes, more elements than any feed has.

**Full text**: `content:encoded` or Atom's `content`; else a description that is itself an article, i.e. has paragraphs
and at least 600 characters of text (240 where Chinese, Japanese or Korean prevail, which say more in less).
"""

import calendar
import html
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from html.entities import html5
from itertools import islice
from typing import Any

import feedparser
import msgspec
from feedparser.sanitizer import _sanitize_html
from feedparser.urls import resolve_relative_uris

from broadsheet.feeds.dates import instant
from broadsheet.feeds.feed import Entry, Feed, FeedError, Kind
from broadsheet.feeds.markup import ROOT, root_name
from broadsheet.feeds.plain import address, folded, plain, sanitised

MAX_TAGS = 200_000  # feedparser takes about 5 µs for each: a second; the largest real feeds hold some 60,000

_XML_ENTITIES = {name: f"&{name};" for name in ("amp", "lt", "gt", "quot", "apos")}
_SUBSET_END = re.compile(r"\]\s*>")
_PLAIN_ENTITY = re.compile(r"""<!ENTITY\s+(\w{1,40})\s+["']([^"'&%<]{0,100})["']\s*>""")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_OTHER_LINK = re.compile(r"""(<link\b[^<>]{0,500}?)\suri\s*=\s*(?:"(?!https?:)[^"<>]*"|'(?!https?:)[^'<>]*')""")
_LONG_TAG = re.compile(r"<[^<>]{2048,}")
_ABSOLUTE_ID = re.compile(
    r"""(?:<(?:[\w.-]+:)?(?:guid|id)\b[^<>]{0,200}>\s*(?:<!\[CDATA\[\s*)?|rdf:about=["'])(https?://[^<>\s"'\]]+)""",
    re.IGNORECASE,
)
_ENTRY_OPEN = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?(?:item|entry)[\s>]")
_ENTRY_CLOSE = re.compile(r"</(?:[A-Za-z_][\w.-]*:)?(?:item|entry)\s*>")
_TAG = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[^<>]*>")
KINDS: dict[str, Kind] = {"rss": "rss", "rdf": "rdf", "feed": "atom", "channel": "cdf", "entry": "atom"}
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_PERIODS = {"hourly": 60, "daily": 1440, "weekly": 10_080, "monthly": 43_200, "yearly": 525_600}


def parse(text: str, *, url: str, encoding: str, warnings: tuple[str, ...]) -> Feed:
    """The feed in an XML document. FeedError `html` or `not-a-feed` if it is something else."""
    text, entities = _without_internal_subset(text)
    known = {**entities, **_XML_ENTITIES}
    root = root_name(text)
    kind = KINDS.get(root)
    if kind is None:
        raise FeedError(
            url, "html" if root == "html" else "not-a-feed", f"root element {root}" if root else "no markup"
        )
    text = _NAMED.sub(lambda match: known.get(match[1]) or _named(match), text)
    text = _OTHER_LINK.sub(r"\1", text)  # which feedparser prefers to the link's own text
    text, cut = _complete(text, root)
    if any(tag[0].count("=") > 100 for tag in _LONG_TAG.finditer(text)):  # feedparser's time grows with the square
        raise FeedError(url, "malformed", "a tag of hundreds of attributes")
    if text.count("<") > MAX_TAGS:
        text, cut = _complete(text[: _nth_tag(text, MAX_TAGS)], root)
        if not cut:
            raise FeedError(url, "too-large", "one entry of more elements than feeds have")
        warnings = (*warnings, "too-large")
    parsed = _parsed(text, url, root)
    flags = {"truncated": cut, "malformed": bool(parsed.bozo) and not cut}
    warnings = (*warnings, *(name for name, flag in flags.items() if flag))
    addresses = frozenset(map(html.unescape, _ABSOLUTE_ID.findall(text)))
    return msgspec.structs.replace(_feed(parsed, kind, url, addresses), encoding=encoding, warnings=warnings)


def _parsed(text: str, url: str, root: str) -> Any:
    """feedparser's reading; where one of its handlers fails, each entry by itself, so that one spoils no other."""
    try:
        return _read(text, url)
    except Exception as error:  # KeyError, TypeError, ValueError: whatever a handler of its stumbles over
        opening = next((match[0] for match in _TAG.finditer(text) if match[1].lower() == root), None)
        if opening is None:
            raise FeedError(url, "malformed", repr(error)[:200]) from error
        closing = ("</channel>" if root == "rss" else "") + f"</{opening[1:].split()[0].rstrip('>')}>"
        opening += "<channel>" if root == "rss" else ""
        whole = feedparser.FeedParserDict(feed=feedparser.FeedParserDict(), entries=[], bozo=True)
        for entry in _entries(text):
            with suppress(Exception):
                whole.entries += _read(opening + entry + closing, url).entries
        return whole


def _entries(text: str) -> Iterator[str]:
    """Each whole entry. In steps rather than by one pattern, whose time would grow with the square of a flood."""
    start = 0
    for close in _ENTRY_CLOSE.finditer(text):
        if opening := _ENTRY_OPEN.search(text, start, close.start()):
            yield text[opening.start() : close.end()]
        start = close.end()


def _read(text: str, url: str) -> Any:
    return feedparser.parse(
        io.BytesIO(text.encode()),  # never a str or bytes: feedparser takes those for addresses and file names
        response_headers={"content-type": "application/xml; charset=utf-8", "content-location": url},
        sanitize_html=False,
        resolve_relative_uris=False,
    )


def _feed(parsed: Any, kind: Kind, url: str, absolute_ids: frozenset[str]) -> Feed:
    channel = parsed.feed
    links = {link.get("rel"): address(link.get("href"), url) for link in reversed(channel.get("links", []))}
    language = channel.get("language") or None
    return Feed(
        kind=kind,
        title=_headline(channel),
        link=address(channel.get("link"), url),
        language=language,
        ttl_minutes=_number(channel.get("ttl")),
        update_minutes=_update_minutes(channel),
        hub=links.get("hub"),
        self_url=links.get("self"),
        next_url=links.get("next"),
        entries=tuple(_entry(entry, url, language, absolute_ids) for entry in parsed.entries),
    )


def _entry(entry: Any, url: str, language: str | None, absolute_ids: frozenset[str]) -> Entry:
    identity = str(entry.get("id") or "").strip()
    # feedparser makes a GUID absolute and the link where there is none, even `<guid>42</guid>`
    linked = any(link.get("rel") == "alternate" for link in entry.get("links", [])) or entry.get("link") != identity
    updated_at = _moment(entry, "updated")
    summary = str(dict.get(entry, "summary") or "")
    return Entry(
        id=identity or None,
        url=(
            address(entry.get("feedburner_origlink"), url)
            or (address(entry.get("link"), url) if linked else None)
            or (address(identity, url) if identity in absolute_ids else None)
        ),
        title=_title(entry, url),
        headline=_headline(entry),
        published_at=_moment(entry, "published") or _moment(entry, "created") or updated_at,
        updated_at=updated_at,
        summary=_plain(entry.get("summary_detail"), summary),
        html=_full_text(entry, summary, url),
        authors=_authors(entry),
        tags=tuple(dict.fromkeys(folded(tag.term) for tag in entry.get("tags", []) if (tag.term or "").strip())),
        image=_image(entry, url),
        language=_language(entry) or language,
    )


def _moment(entry: Any, name: str) -> datetime | None:
    # dict.get, because feedparser's own answers one date's name with another's value
    return instant(str(dict.get(entry, name) or "")) or _from_struct(dict.get(entry, f"{name}_parsed"))


def _from_struct(parsed: Any) -> datetime | None:
    return None if parsed is None else datetime.fromtimestamp(calendar.timegm(parsed), UTC)


def _title(entry: Any, url: str) -> str:
    value, detail = str(entry.get("title") or "").strip(), entry.get("title_detail") or {}
    if detail.get("type") == "text/plain" or not re.search("[<&]", value):
        return value
    # feedparser's own passes rather than `sanitised`: slow, but they leave a title's spelling alone
    value = resolve_relative_uris(value, detail.get("base") or url, "utf-8", "text/html")
    return str(_sanitize_html(value, "utf-8", "text/html")).strip()


def _headline(record: Any) -> str:
    return _plain(record.get("title_detail"), str(record.get("title") or ""))


def _plain(detail: Any, value: str) -> str:
    """feedparser knows whether a value is markup; RSS says so nowhere, so what looks like an escape there is one."""
    if detail and detail.get("type") == "text/plain":
        return folded(value) if "&" not in value else plain(value.replace("<", "&lt;"))
    return plain(value)


def _full_text(entry: Any, summary: str, url: str) -> str:
    contents = [content for content in entry.get("content", []) if _is_text(content)]
    full = max(contents, key=lambda content: len(content.get("value") or ""), default=None)
    if full and full.get("value"):
        return sanitised(str(full["value"]), full.get("base") or url)
    if not re.search(r"<(?:p|br)\b", summary, re.IGNORECASE):
        return ""
    text = plain(summary)
    long_enough = len(text) >= (240 if 2 * len(_CJK.findall(text)) > len(text) else 600)
    return sanitised(summary, (entry.get("summary_detail") or {}).get("base") or url) if long_enough else ""


def _is_text(content: Any) -> bool:
    return (content.get("type") or "text/html") in ("text/html", "text/plain", "application/xhtml+xml")


def _authors(entry: Any) -> tuple[str, ...]:
    names = [author.get("name") or "" for author in entry.get("authors", [])] or [str(entry.get("author") or "")]
    return tuple(dict.fromkeys(name for name in map(plain, names) if name and "@" not in name))


def _language(entry: Any) -> str | None:
    details = (entry.get(name) or {} for name in ("title_detail", "summary_detail"))
    return entry.get("language") or next((found for detail in details if (found := detail.get("language"))), None)


def _image(entry: Any, url: str) -> str | None:
    candidates = [
        (media.get("url"), media.get("medium"), media.get("type")) for media in entry.get("media_content", [])
    ]
    candidates += [
        (link.get("href"), None, link.get("type")) for link in entry.get("links", []) if link.get("rel") == "enclosure"
    ]
    pictures = [link for link, medium, kind in candidates if medium == "image" or str(kind or "").startswith("image/")]
    pictures += [thumbnail.get("url") for thumbnail in entry.get("media_thumbnail", [])]
    pictures += [(entry.get("image") or {}).get("href")]
    return next((found for picture in pictures if (found := address(picture, url))), None)


def _number(value: Any) -> int | None:
    digits = re.fullmatch(r"\s*(\d{1,7})\s*", str(value or ""))
    return int(digits[1]) or None if digits else None


def _update_minutes(channel: Any) -> int | None:
    """RSS 1.0's syndication module: a period, divided by a frequency that defaults to 1."""
    period = _PERIODS.get(str(channel.get("sy_updateperiod") or "").strip().lower())
    if period is None:
        return None
    return max(1, period // (_number(channel.get("sy_updatefrequency")) or 1))


def _without_internal_subset(text: str) -> tuple[str, dict[str, str]]:
    """`text` without the declarations inside its DOCTYPE, and those of its entities that are short plain text."""
    start = text.find("<!DOCTYPE", 0, 4096)
    opening, closing = text.find("[", start), text.find(">", start)
    if start < 0 or opening < 0 or opening > closing:
        return text, {}
    end = _SUBSET_END.search(text, opening)
    subset = text[opening : end.start() if end else len(text)]
    text = text[:opening] + (">" + text[end.end() :] if end else "")
    plain_ones = dict(_PLAIN_ENTITY.findall(subset[:20_000])[:20])
    return text, {name: value for name, value in plain_ones.items() if text.count(f"&{name};") <= 100}


def _named(reference: re.Match[str]) -> str:
    character = html5.get(reference[1] + ";")
    return html.escape(character, quote=False) if character else reference[0]  # &LT; must not open a tag


def _complete(text: str, root: str) -> tuple[str, bool]:
    """`text` up to its root's end, and whether it was cut before: then up to its last whole entry.

    What follows may be half a link, which would be another article's address.
    """
    ends = [match.end() for match in _ENTRY_CLOSE.finditer(text)]
    last = ends[-1] if ends else 0
    if close := re.compile(rf"</(?:[\w.-]+:)?{re.escape(root)}\s*>", re.IGNORECASE).search(
        text, last if root != "entry" else 0
    ):
        return text[: close.end()], False
    if not ends:
        start = _ENTRY_OPEN.search(text) if root != "entry" else None
        return (text[: start.start()], True) if start else (text, False)
    tag = next(match[0][1:] for match in ROOT.finditer(text) if match[2].lower() == root)
    return text[:last] + ("</channel>" if root == "rss" else "") + f"</{tag}>", True


def _nth_tag(text: str, count: int) -> int:
    return next(islice(re.finditer("<", text), count, None)).start()
