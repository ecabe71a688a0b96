"""When an article appeared and when it last changed."""

import re
from typing import Any
from urllib.parse import urlsplit

from broadsheet.extract.claims import Claim, Verdict, claim, first
from broadsheet.extract.dates import Habits, read_moment
from broadsheet.extract.lines import Box, Page
from broadsheet.extract.structured import Structured, strings
from broadsheet.extract.tree import text_of

_PUBLISHED_META = (
    "article:published_time", "og:article:published_time", "article:published", "og:published_time",
    "datepublished", "pubdate", "publishdate",
    "publish-date", "publish_date", "published_time", "date.issued", "dc.date.issued", "dcterms.created",
    "dc.date", "sailthru.date",
    "parsely-pub-date", "cxenseparse:recs:publishtime", "cxenseparse:publishtime", "date",
    "article_date_original", "created", "og:pubdate", "dcterms.date",
    "publication_date", "article.published", "weibo:article:create_at", "dc.date.created", "bt:pubdate",
    "originalpublicationdate",
)  # fmt: skip
_MODIFIED_META = (
    "article:modified_time",
    "og:updated_time",
    "og:modified_time",
    "datemodified",
    "last-modified",
    "dcterms.modified",
    "lastmod",
    "modified",
)
_DATE_CLASS = re.compile(r"date|time|publish|posted|pubtime|datum|zeit", re.IGNORECASE)
_DATE_IN_URL = re.compile(r"/(20\d{2})[/-]?(0[1-9]|1[0-2])[/-]?(0[1-9]|[12]\d|3[01])(?:/|[-_]|\b)")
_DATE_IN_SCRIPT = re.compile(
    r"(datePublished|publishedAt|published_at|publishDate|publish_date|firstPublished|publicationDate|pubDate|"
    r"post_date)"
    r"[\\\"']{1,4}\s*:\s*[\\\"']{1,4}(20\d\d-\d\d-\d\d[^\"'\\]{0,20})"
)
_YEAR = re.compile(r"20\d\d|\d\d?[./]\d\d?[./]\d\d")
_MODIFIED_LINE = re.compile(r"(?:last )?(?:updat|modif|review)|aktualisiert|stand:|更新", re.IGNORECASE)
_MODIFIED_WORDS = re.compile(r"updat|modif|aktualisiert|geändert|mis à jour|更新|修改|last", re.IGNORECASE)


def published(data: Structured, page: Page, text: str, url: str, habits: Habits) -> Verdict:
    """When the article first appeared; what readers see is asked only if the page tells machines nothing."""
    claims: list[Claim] = []
    for key in ("datePublished", "dateCreated", "uploadDate"):
        for node in data.nodes[:3] or data.others[:20]:
            _hear(claims, strings(node.get(key))[:1], ("json-ld", key), habits)
    for name in _PUBLISHED_META:
        _hear(claims, data.meta.get(name, [])[:1], ("meta", name), habits)
    _hear(claims, data.itemprops.get("datepublished", [])[:1], ("microdata", "datePublished"), habits)
    if not claims:
        _visible(claims, page, habits)
    if not claims and (match := _DATE_IN_URL.search(urlsplit(url).path)):
        _hear(claims, ["-".join(match.groups())], ("url", "path"), habits)
    if not claims and (match := _DATE_IN_SCRIPT.search(text)):
        _hear(claims, [match[2]], ("heuristic", f"script {match[1]}"), habits)
    return first(claims)


def modified(data: Structured, habits: Habits) -> Verdict:
    """When the article last changed, if the page says so."""
    claims: list[Claim] = []
    for node in data.nodes[:3]:
        _hear(claims, strings(node.get("dateModified"))[:1], ("json-ld", "dateModified"), habits)
    for name in _MODIFIED_META:
        _hear(claims, data.meta.get(name, [])[:1], ("meta", name), habits)
    return first(claims)


def _hear(claims: list[Claim], texts: list[str], witness: tuple[Any, str], habits: Habits) -> None:
    kind, key = witness
    for text in texts:
        if moment := read_moment(text, habits):
            local = "" if moment.zoned or habits.zone else " (no zone: read as UTC)"
            claims.append(claim(moment.at, kind, key + local))


def _visible(claims: list[Claim], page: Page, habits: Habits) -> None:
    """A date readers see: a `time` element, a class that speaks of dates, then any short line beside the headline."""
    root = page.boxes[0].element
    for element in root.iter("time"):
        if not _MODIFIED_WORDS.search(f"{element.get('class') or ''} {element.get('itemprop') or ''}"):
            _hear(claims, [element.get("datetime") or "", text_of(element)], ("html", "time"), habits)
        if claims:
            return
    headline = next((i for i, line in enumerate(page.lines) if line.box.tag == "h1"), None)
    near = page.lines[max(0, (headline or 0) - 8) : (headline or 0) + 40]
    dated = [line for line in near if 6 <= len(line.text) <= 140 and _YEAR.search(line.text) and "©" not in line.text]
    for only_named in (True, False):
        for line in dated:
            if only_named != any(_DATE_CLASS.search(name) for name in line.box.names) or _MODIFIED_LINE.match(
                line.text
            ):
                continue
            _hear(claims, [line.text], ("html", _place(line.box)), habits)
            if claims:
                return
    for line in [
        *dated,
        *(
            line
            for line in page.lines
            if 8 <= len(line.text) <= 60 and "©" not in line.text and _YEAR.search(line.text)
        ),
    ]:
        _hear(claims, [line.text], ("html", _place(line.box)), habits)
        if claims:
            return


def _place(box: Box) -> str:
    return ".".join([box.tag, *sorted(box.names)[:2]])
