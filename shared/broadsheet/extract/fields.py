"""The fields that few witnesses speak of: standfirst, section, tags, addresses, names, access, language, lead image."""

import re
from urllib.parse import urljoin, urlsplit

from broadsheet.article import Image
from broadsheet.extract.claims import Verdict, claim, first
from broadsheet.extract.structured import Structured, strings


def site_names(data: Structured, url: str) -> list[str]:
    """Everything the page calls its publisher, and its host's name."""
    names = list(data.meta.get("og:site_name", [])) + data.meta.get("application-name", [])
    # "Deutsche Welle (www.dw.com)"
    names += [text.split("(")[0].strip() for text in data.meta.get("publisher", [])[:1]]
    for node in data.nodes[:3]:
        names += strings(node.get("publisher"))
    for node in data.others:
        if str(node.get("@type")) in ("Organization", "NewsMediaOrganization", "WebSite"):
            names += strings(node.get("name"))
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    if host:
        names += [host, host.rsplit(".", 1)[0], host.split(".")[0]]
    return names


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
    for name in ("article:section", "og:article:section", "section", "parsely-section", "sailthru.section"):
        claims += [claim(text, "meta", name) for text in data.meta.get(name, [])[:1]]
    return first(claims)


def tags(data: Structured) -> Verdict:
    claims = [claim(_tag_list(strings(node.get("keywords"))), "json-ld", "keywords") for node in data.nodes[:2]]
    names = ("article:tag", "og:article:tag", "news_keywords", "keywords", "parsely-tags")
    claims += [claim(_tag_list(data.meta.get(name, [])), "meta", name) for name in names]
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
