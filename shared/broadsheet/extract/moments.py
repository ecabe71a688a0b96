"""When an article appeared and when it last changed."""

import re
from datetime import timedelta
from itertools import chain, islice
from typing import Any
from urllib.parse import urlsplit

from broadsheet.extract.claims import Claim, Verdict, claim, first
from broadsheet.extract.dates import Habits, Moment, read_moment
from broadsheet.extract.lines import Box, Line, Page
from broadsheet.extract.structured import Structured, strings
from broadsheet.extract.tree import Element, text_of

_PUBLISHED_META = (
    "article:published_time", "og:article:published_time", "article:published", "og:published_time",
    "datepublished", "pubdate", "publishdate",
    "publish-date", "publish_date", "published_time", "published", "published-date",
    "date.issued", "dc.date.issued", "dcterms.created",
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
# hAtom's class and its successor's in h-entry (microformats.org).
_HATOM = frozenset(["published", "dt-published"])
_DATE_CLASS = re.compile(r"date|time|publish|posted|pubtime|datum|zeit", re.IGNORECASE)
_DATE_IN_URL = re.compile(r"/(20\d{2})[/-]?(0[1-9]|1[0-2])[/-]?(0[1-9]|[12]\d|3[01])(?:/|[-_]|\b)")
_DATE_IN_SCRIPT = re.compile(
    r"(datePublished|publishedAt|published_at|publishDate|publish_date|firstPublished|publicationDate|pubDate|"
    r"post_date)"
    r"(?:[\\\"']{1,4}|&quot;)\s*:\s*(?:[\\\"']{1,4}|&quot;)(20\d\d-\d\d-\d\d[^\"'\\&]{0,20})"
)
# A line that is longer says more than a date, with its label and place, or in a sentence.
_LONGEST_DATE = 30
_LONGEST_LINE = 60
_LONGEST_SENTENCE = 140
# An article's own date is among the first; more are those of teasers and comments.
_MOST_MARKED = 20
_YEAR = re.compile(r"20\d\d|\d\d?[./]\d\d?[./]\d\d")
_FIRST_LINE = re.compile(r"(?:originally|first) (?:published|posted|appeared)", re.IGNORECASE)
# Elements of these kinds between a headline and the date beside it, at most.
_NEAR = 40
_COMMENTS = frozenset(["comment", "comments"])
_DATELINE = re.compile(r"\d{1,2}\.\d{1,2}\.20\d\d\b")
_LABEL = re.compile(
    r"(?:datum|date|published|posted|veröffentlicht|erstellt|publié|fecha|data|发布|發布|时间|日期)\b", re.IGNORECASE
)
_MODIFIED_LINE = re.compile(r"(?:last )?(?:updat|modif|review)|aktualisiert|stand:|更新", re.IGNORECASE)
_MODIFIED_WORDS = re.compile(r"updat|modif|aktualisiert|geändert|mis à jour|更新|修改|last", re.IGNORECASE)


Heard = list[tuple[Claim, Moment]]


def published(data: Structured, page: Page, text: str, url: str, habits: Habits) -> Verdict:
    """When the article first appeared; what readers see is asked only if the page tells machines nothing."""
    heard: Heard = []
    nodes = data.nodes[:3] or data.others[:20]
    for key in ("datePublished", "dateCreated"):
        for node in nodes:
            _hear(heard, strings(node.get(key))[:1], ("json-ld", key), habits)
    for name in _PUBLISHED_META:
        _hear(heard, data.meta.get(name, [])[:1], ("meta", name), habits)
    _hear(heard, data.itemprops.get("datepublished", [])[:1], ("microdata", "datePublished"), habits)
    if not heard:
        _marked(heard, page.boxes[0].element, habits)
    for node in nodes:
        # Of a video, which may be older than what it stands in.
        _hear(heard, strings(node.get("uploadDate"))[:1], ("json-ld", "uploadDate"), habits)
    if heard:
        return _unless_shown_earlier(_judge(heard), page, habits)
    _visible(heard, page, habits)
    if not heard and (match := _DATE_IN_URL.search(urlsplit(url).path)):
        _hear(heard, ["-".join(match.groups())], ("url", "path"), habits)
    if not heard and (match := _DATE_IN_SCRIPT.search(text)):
        _hear(heard, [match[2]], ("heuristic", f"script {match[1]}"), habits)
    if not heard:
        _dateline(heard, page, habits)
    return _judge(heard)


def modified(data: Structured, habits: Habits) -> Verdict:
    """When the article last changed, if the page says so."""
    heard: Heard = []
    for node in data.nodes[:3]:
        _hear(heard, strings(node.get("dateModified"))[:1], ("json-ld", "dateModified"), habits)
    for name in _MODIFIED_META:
        _hear(heard, data.meta.get(name, [])[:1], ("meta", name), habits)
    return _judge(heard)


def _hear(heard: Heard, texts: list[str], witness: tuple[Any, str], habits: Habits) -> None:
    kind, key = witness
    for text in texts:
        if moment := read_moment(text, habits):
            local = "" if moment.zoned or habits.zone else " (no zone: read as UTC)"
            heard.append((claim(moment.at, kind, key + local), moment))


def _judge(heard: Heard) -> Verdict:
    """The first in order of trust, unless it gives a local time and another says the same with its zone."""
    claims = [spoken for spoken, _ in heard]
    for spoken, moment in heard[1:]:
        if _is_same_with_zone(moment, heard[0][1]):
            return Verdict(tuple(claims), spoken, "the first in order of trust, with its zone")
    return first(claims)


def _unless_shown_earlier(verdict: Verdict, page: Page, habits: Habits) -> Verdict:
    """The date right beside the headline if it is an earlier day's: machines are often told when a page was rebuilt."""
    shown: Heard = []
    headline = _headline(page)
    for line in page.lines[max(0, headline - 2) : headline + 6] if headline is not None else ():
        if _is_date_line(line, _LONGEST_DATE) and not _MODIFIED_LINE.search(line.text):
            _hear(shown, [line.text], ("html", _place(line.box)), habits)
    for spoken, moment in shown[:1]:
        told = verdict.value.date()
        # 11/01 is not against the first of November.
        swapped = (moment.at.year, moment.at.day, moment.at.month) == (told.year, told.month, told.day)
        if moment.at.date() < told and not swapped and verdict.value - moment.at > timedelta(hours=12):
            return Verdict((*verdict.claims, spoken), spoken, "the page shows an earlier day than it tells machines")
    return verdict


def _is_same_with_zone(moment: Moment, other: Moment) -> bool:
    local = other.timed and not other.zoned
    return local and moment.zoned and moment.at.replace(tzinfo=None) == other.at.replace(tzinfo=None)


def _marked(heard: Heard, root: Element, habits: Habits) -> None:
    """Dates in `time` elements, in what microdata marks, and beside the headline in hAtom's class; the nearest to the
    headline is the article's."""
    found: list[tuple[int, Heard]] = []
    headline: int | None = None
    for place, element in enumerate(root.iter("h1", "time", "span", "div", "p", "li", "a", "abbr")):
        tag, mark = element.tag, element.get("itemprop")
        if tag == "h1":
            headline = place if headline is None else headline
            continue
        if len(found) == _MOST_MARKED:
            break
        hatom = not _HATOM.isdisjoint((element.get("class") or "").split())
        said: Heard = []
        if tag == "time" or mark == "datePublished":
            if not hatom and _MODIFIED_WORDS.search(f"{element.get('class') or ''} {mark or ''}"):
                continue
            stamp = element.get("datetime") or element.get("content") or ""
            witness = ("microdata", mark) if mark == "datePublished" else ("html", str(tag))
            _hear(said, [stamp, text_of(element)], witness, habits)
        elif hatom and headline is not None and place - headline <= _NEAR:
            # Its own text: a class of a whole page may say that the page is published.
            _hear(said, [element.get("title") or "", element.text or ""], ("html", f"{tag}.published"), habits)
        if said:
            found.append((place, said))
    found.sort(key=lambda one: abs(one[0] - (headline or 0)))
    for _, said in found:
        heard += said


def _visible(heard: Heard, page: Page, habits: Habits) -> None:
    """A date readers see in a short line: one whose class speaks of dates, one beside the headline, one with a label,
    then any."""
    headline = _headline(page) or 0
    comments = _in_comments(page, headline)
    around = [line for line in page.lines[max(0, headline - 8) : headline + 40] if line.box not in comments]
    near = [line for line in around if _is_date_line(line, _LONGEST_SENTENCE)]
    near.sort(key=lambda line: not _FIRST_LINE.search(line.text))
    first_days = [line for line in near if not _MODIFIED_LINE.match(line.text)]
    short = [line for line in page.lines if _is_date_line(line, _LONGEST_LINE) and line.box not in comments]
    candidates = chain(
        (line for line in first_days if any(_DATE_CLASS.search(name) for name in line.box.names)),
        (line for line in first_days if len(line.text) <= _LONGEST_LINE),
        (line for line in short if _LABEL.match(line.text)),
        near,
        short,
    )
    for line in candidates:
        _hear(heard, [line.text], ("html", _place(line.box)), habits)
        if heard:
            return


def _headline(page: Page) -> int | None:
    return next((i for i, line in enumerate(page.lines) if line.box.tag == "h1"), None)


def _is_date_line(line: Line, longest: int) -> bool:
    return 6 <= len(line.text) <= longest and "©" not in line.text and bool(_YEAR.search(line.text))


def _dateline(heard: Heard, page: Page, habits: Habits) -> None:
    """The date that the first paragraph after the headline begins with, or the one after a standfirst or two."""
    lines = page.lines[_headline(page) or 0 :]
    paragraphs = (line for line in lines if line.kind == "paragraph" and len(line.text) > _LONGEST_LINE)
    for line in islice(paragraphs, 3):
        if not heard and _DATELINE.match(line.text):
            _hear(heard, [line.text[:_LONGEST_DATE]], ("html", _place(line.box)), habits)


def _in_comments(page: Page, headline: int) -> set[Box]:
    """The boxes of comments; what is named so and begins before the headline only says that it has some."""
    named = {box for box in page.boxes if box.first > headline and not box.words.isdisjoint(_COMMENTS)}
    return page.all_within(named)


def _place(box: Box) -> str:
    return ".".join([box.tag, *sorted(box.names)[:2]])
