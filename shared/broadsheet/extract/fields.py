"""Every field but the body: who says what about it, and who is believed."""

import re
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urljoin, urlsplit

from broadsheet.article import Image
from broadsheet.extract import authors, dates, titles
from broadsheet.extract.claims import Claim, Verdict, claim, first
from broadsheet.extract.structured import Structured, strings
from broadsheet.extract.tree import Element, text_of

_PUBLISHED_META = (
    "article:published_time", "og:article:published_time", "article:published", "og:published_time", "datepublished", "pubdate", "publishdate",
    "publish-date", "publish_date", "published_time", "date.issued", "dc.date.issued", "dcterms.created", "dc.date", "sailthru.date",
    "parsely-pub-date", "cxenseparse:recs:publishtime", "cxenseparse:publishtime", "date", "article_date_original", "created", "og:pubdate", "dcterms.date",
    "publication_date", "article.published", "weibo:article:create_at", "dc.date.created", "bt:pubdate", "originalpublicationdate", "last-modified",
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
_AUTHOR_META = ("author", "article:author", "parsely-author", "sailthru.author", "dc.creator", "dcterms.creator", "byl", "cxenseparse:author", "article:author_name", "authors", "twitter:creator_name", "dc.contributor", "og:article:author")  # fmt: skip
_BYLINE_WORDS = re.compile(
    r"(?:^|[\s_-])(?:byline|author|authors|autor|autoren|autorin)(?:$|[\s_-]|name|link)", re.IGNORECASE
)
_DATE_CLASS = re.compile(r"date|time|publish|posted|pubtime|datum|zeit", re.IGNORECASE)
_DATE_IN_URL = re.compile(r"/(20\d{2})[/-]?(0[1-9]|1[0-2])[/-]?(0[1-9]|[12]\d|3[01])(?:/|[-_]|\b)")
_MODIFIED_WORDS = re.compile(r"updat|modif|aktualisiert|geändert|mis à jour|更新|修改|last", re.IGNORECASE)


def title(data: Structured, root: Element, site_names: list[str]) -> Verdict:
    """The headline most witnesses agree on; alone, the page's h1 beats og:title, which beats the title element."""
    claims: list[Claim] = []
    headings = [text for h1 in root.iter("h1") if (text := text_of(h1)) and len(text) < 400][:6]
    claims += [claim(text, "html", "h1") for text in headings]
    claims += [
        claim(text, "json-ld", "headline") for node in data.nodes[:2] for text in strings(node.get("headline"))[:1]
    ]
    claims += [claim(text, "opengraph", "og:title") for text in data.meta.get("og:title", [])[:1]]
    claims += [claim(text, "meta", "twitter:title") for text in data.meta.get("twitter:title", [])[:1]]
    if data.title:
        claims.append(claim(data.title, "html", "title"))
    cleaned = [Claim(titles.without_site(c.value, site_names), c.witness) for c in claims]
    cleaned = [c for c in cleaned if c.value]
    if not cleaned:
        return Verdict()
    support: dict[str, int] = {}
    for c in claims:
        for variant in {titles.folded(part) for part in titles.parts(c.value)}:
            support[variant] = support.get(variant, 0) + 1
    names = {titles.folded(name) for name in site_names if name}
    best = max(cleaned, key=lambda c: (titles.folded(c.value) not in names, support.get(titles.folded(c.value), 0)))
    return Verdict(
        tuple(claims), best, f"{support.get(titles.folded(best.value), 0)} of {len(claims)} witnesses carry it"
    )


def site_names(data: Structured, url: str) -> list[str]:
    """Everything the page calls its publisher, and its host's name."""
    names = list(data.meta.get("og:site_name", [])) + data.meta.get("application-name", [])
    for node in data.nodes[:3]:
        names += strings(node.get("publisher"))
    for node in data.others:
        if str(node.get("@type")) in ("Organization", "NewsMediaOrganization", "WebSite"):
            names += strings(node.get("name"))
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    if host:
        names += [host, host.rsplit(".", 1)[0], host.split(".")[0]]
    return names


def published(data: Structured, root: Element, url: str, zone: tzinfo | None, day_first: bool) -> Verdict:
    """When the article first appeared."""
    claims: list[Claim] = []
    for key in ("datePublished", "dateCreated", "uploadDate"):
        for node in data.nodes[:3]:
            _moment(claims, strings(node.get(key))[:1], "json-ld", key, zone, day_first)
    for name in _PUBLISHED_META:
        _moment(claims, data.meta.get(name, [])[:1], "meta", name, zone, day_first)
    _moment(claims, data.itemprops.get("datepublished", [])[:1], "microdata", "datePublished", zone, day_first)
    if not claims:
        _visible(claims, root, zone, day_first)
    if not claims and (match := _DATE_IN_URL.search(urlsplit(url).path)):
        _moment(claims, ["-".join(match.groups())], "url", "path", zone, day_first)
    return first(claims)


def modified(data: Structured, zone: tzinfo | None, day_first: bool) -> Verdict:
    """When the article last changed, if the page says so."""
    claims: list[Claim] = []
    for node in data.nodes[:3]:
        _moment(claims, strings(node.get("dateModified"))[:1], "json-ld", "dateModified", zone, day_first)
    for name in _MODIFIED_META:
        _moment(claims, data.meta.get(name, [])[:1], "meta", name, zone, day_first)
    return first(claims)


def _moment(claims: list[Claim], texts: list[str], kind: Any, key: str, zone: tzinfo | None, day_first: bool) -> None:
    for text in texts:
        if moment := dates.read_moment(text, zone=zone or UTC, day_first=day_first):
            local = "" if moment.zoned or zone else " (no zone: read as UTC)"
            claims.append(claim(moment.at, kind, key + local))


def _visible(claims: list[Claim], root: Element, zone: tzinfo | None, day_first: bool) -> None:
    for element in root.iter("time"):
        text = element.get("datetime") or text_of(element)
        if not _MODIFIED_WORDS.search(element.get("class") or ""):
            _moment(claims, [text], "html", "time", zone, day_first)
        if claims:
            return
    for element in root.iter("span", "div", "p", "li", "em", "td", "a", "small", "b", "i"):
        name = f"{element.get('class') or ''} {element.get('id') or ''}"
        if _DATE_CLASS.search(name):
            text = text_of(element)
            if 6 <= len(text) <= 120:
                _moment(claims, [text], "html", f"{element.tag}.{name.split(maxsplit=1)[0]}", zone, day_first)
                if claims:
                    return


def people(data: Structured, root: Element, site_names: list[str]) -> tuple[Verdict, Verdict]:
    """The authors and the agency."""
    claims: list[Claim] = []
    agencies: list[Claim] = []
    publishers = {titles.folded(name) for name in site_names}

    def hear(texts: list[str], kind: Any, key: str) -> None:
        names: list[str] = []
        for text in texts:
            found, agency = authors.split_byline(text)
            names += [name for name in found if name not in names and titles.folded(name) not in publishers]
            if agency:
                agencies.append(claim(agency, kind, key))
        if names:
            claims.append(claim(tuple(names), kind, key))

    for node in data.nodes[:2]:
        for key in ("author", "creator"):
            hear(strings(node.get(key)), "json-ld", key)
    for name in _AUTHOR_META:
        hear([text for text in data.meta.get(name, []) if "://" not in text], "meta", name)
    hear(data.itemprops.get("author", []), "microdata", "author")
    if not claims:
        for element in root.iter("a", "span", "div", "p", "address", "li", "em"):
            if (
                element.get("rel") == "author"
                or element.get("itemprop") == "author"
                or _BYLINE_WORDS.search(element.get("class") or "")
            ):
                text = text_of(element)
                if 3 <= len(text) <= 150:
                    hear([text], "html", f"{element.tag}.{(element.get('class') or 'author').split()[0]}")
                if claims:
                    break
    return first(claims), first(agencies)


def standfirst(data: Structured) -> Verdict:
    claims = [
        claim(text, "json-ld", "description")
        for node in data.nodes[:1]
        for text in strings(node.get("description"))[:1]
    ]
    claims += [claim(text, "opengraph", "og:description") for text in data.meta.get("og:description", [])[:1]]
    claims += [claim(text, "meta", "description") for text in data.meta.get("description", [])[:1]]
    return first(claims)


def section(data: Structured) -> Verdict:
    claims = [
        claim(text, "json-ld", "articleSection")
        for node in data.nodes[:2]
        for text in strings(node.get("articleSection"))[:1]
    ]
    claims += [claim(text, "meta", name) for name in ("article:section", "og:article:section", "section", "parsely-section", "sailthru.section") for text in data.meta.get(name, [])[:1]]  # fmt: skip
    return first(claims)


def tags(data: Structured) -> Verdict:
    claims = []
    for node in data.nodes[:2]:
        claims.append(claim(_tag_list(strings(node.get("keywords"))), "json-ld", "keywords"))
    for name in ("article:tag", "og:article:tag", "news_keywords", "keywords", "parsely-tags"):
        claims.append(claim(_tag_list(data.meta.get(name, [])), "meta", name))
    return first(claims)


def _tag_list(texts: list[str]) -> tuple[str, ...]:
    pieces = [piece.strip() for text in texts for piece in re.split(r"[,;，、；]", text)]
    return tuple(dict.fromkeys(piece for piece in pieces if 0 < len(piece) <= 80))[:30]


def canonical(data: Structured, url: str) -> Verdict:
    claims = []
    for value, kind, key in (
        (data.links.get("canonical"), "html", "link canonical"),
        (data.first("og:url"), "opengraph", "og:url"),
    ):
        try:
            target = urljoin(url, value) if value else ""
        except ValueError:
            continue
        if target.startswith(("http://", "https://")):
            claims.append(claim(target, kind, key))  # type: ignore[arg-type]  # the pairs above are literals mypy widens
    return first(claims)


def site_name(data: Structured) -> Verdict:
    claims = [claim(text, "opengraph", "og:site_name") for text in data.meta.get("og:site_name", [])[:1]]
    claims += [
        claim(text, "json-ld", "publisher") for node in data.nodes[:2] for text in strings(node.get("publisher"))[:1]
    ]
    claims += [claim(text, "meta", "application-name") for text in data.meta.get("application-name", [])[:1]]
    return first(claims)


def access(data: Structured) -> Verdict:
    claims = []
    for node in data.nodes[:3]:
        value = node.get("isAccessibleForFree")
        if value is not None:
            claims.append(
                claim("free" if str(value).lower() == "true" else "paywalled", "json-ld", "isAccessibleForFree")
            )
    tier = {"free": "free", "metered": "metered", "locked": "paywalled", "paid": "paywalled", "premium": "paywalled"}
    for name in ("article:content_tier", "og:article:content_tier", "content_tier"):
        claims += [
            claim(tier[text.lower()], "meta", name) for text in data.meta.get(name, [])[:1] if text.lower() in tier
        ]
    return first(claims)


def declared_language(data: Structured) -> Verdict:
    claims = []
    if data.html_lang:
        claims.append(claim(data.html_lang, "html", "lang"))
    claims += [
        claim(text, "json-ld", "inLanguage") for node in data.nodes[:1] for text in strings(node.get("inLanguage"))[:1]
    ]
    claims += [
        claim(text.replace("_", "-"), "meta", name)
        for name in ("og:locale", "content-language", "language")
        for text in data.meta.get(name, [])[:1]
    ]
    return first([c for c in claims if re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]+)*", c.value)])


def lead_image(data: Structured, url: str) -> Verdict:
    claims = []
    for name in ("og:image:secure_url", "og:image", "og:image:url", "twitter:image"):
        for text in data.meta.get(name, [])[:1]:
            try:
                target = urljoin(url, text)
            except ValueError:
                continue
            if target.startswith("http"):
                width, height = (data.first(f"og:image:{side}") or "" for side in ("width", "height"))
                claims.append(
                    claim(
                        Image(
                            url=target,
                            alt=data.first("og:image:alt"),
                            width=int(width) if width.isdecimal() else None,
                            height=int(height) if height.isdecimal() else None,
                        ),
                        "opengraph",
                        name,
                    )
                )
    return first(claims)
