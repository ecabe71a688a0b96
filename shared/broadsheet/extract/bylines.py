"""Who wrote an article: the people its byline names, and the agency beside them."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from broadsheet.extract import authors, titles
from broadsheet.extract.claims import Claim, Verdict, claim, first
from broadsheet.extract.structured import Structured, strings
from broadsheet.extract.tree import Element, text_of

_AUTHOR_META = (
    "author", "article:author", "parsely-author", "sailthru.author", "dc.creator", "dcterms.creator", "byl",
    "cxenseparse:author", "article:author_name", "authors",
    "twitter:creator_name", "dc.contributor", "og:article:author",
)  # fmt: skip
_BYLINE_WORDS = re.compile(
    r"(?:^|[\s_-])(?:byline|author|authors|autor|autoren|autorin)(?:$|[\s_-]|name|link)", re.IGNORECASE
)
_SIGNED = re.compile(r"(?:written\s+by|by|von|par|por|作者|记者|記者|文)\b\s*[:：/]?", re.IGNORECASE)
_AUTHOR_LABEL = re.compile(
    r"(?:autor|autorin|autorin/autor|autor/in|author|authors|written by|auteur|text|von|by|作者|记者|記者)\s*[:：]?",
    re.IGNORECASE,
)
_BYLINE_NOISE = re.compile(
    r"comment|bio|date|time|image|avatar|photo|social|box-content|description|follow|related|more", re.IGNORECASE
)
_AUTHORS_PAGE = re.compile(r"/(?:author|authors|autor|autoren|auteur)/[^/]+/?$", re.IGNORECASE)
# Candidates looked at: each is compared with all beside it.
_MOST_BYLINES = 50


def people(data: Structured, root: Element, site_names: list[str]) -> tuple[Verdict, Verdict]:
    """The authors and the agency; where no person is named, the desk or agency that signs counts as the author."""
    claims: list[Claim] = []
    signatures: list[Claim] = []
    agencies: list[Claim] = []
    publishers = {titles.folded(name) for name in site_names}

    def hear(texts: list[str], kind: Any, key: str) -> None:
        names: list[str] = []
        for text in texts:
            found, agency = authors.split_byline(text)
            if kind == "html":
                found = [name for name in found if authors.is_signed_name(name)]
            people = [name for name in found if titles.folded(name) not in publishers]
            people = [name for name in people if len(people) == 1 or titles.folded(name.split()[0]) not in publishers]
            names += [name for name in people if name not in names]
            if agency:
                agencies.append(claim(agency, kind, key))
            signature = authors.without_by(text)
            if not people and len(signature) <= 60 and "://" not in signature and not authors.is_nobody(signature):
                signatures.append(claim((signature,), kind, key))
        if names:
            claims.append(claim(tuple(names), kind, key))

    for node in data.nodes[:3]:
        for key in ("author", "creator"):
            hear(strings(node.get(key)), "json-ld", key)
    for name in _AUTHOR_META:
        hear([text for text in data.meta.get(name, []) if "://" not in text], "meta", name)
    hear(data.itemprops.get("author", []), "microdata", "author")
    if not claims and not agencies:
        for element, key in islice(_bylines(root), _MOST_BYLINES):
            hear([piece for sibling in _signatories(element) for piece in _pieces(sibling) if piece], "html", key)
            if claims:
                break
    if not claims:
        for name, key in _labelled(root):
            hear([name], "html", key)
            if claims:
                break
    if not claims and not agencies:
        for name in _linked(root):
            hear([name], "html", "a to an author's page")
            if claims:
                break
    if not claims and not signatures:
        for element, key in _signed(root):
            hear(_pieces(element), "html", key)
            if claims:
                break
    return first(claims or signatures), first(agencies)


def _bylines(root: Element) -> Iterator[tuple[Element, str]]:
    """Elements that carry a byline: by relation, by microdata, then by the words of their class."""
    named = []
    for element in root.iter("a", "span", "div", "p", "address", "li", "em", "strong", "h4", "h5"):
        mark = element.get("rel") or element.get("itemprop") or ""
        name = element.get("class") or ""
        if mark in ("author", "author name") or "author" in mark.split():
            yield element, f"{element.tag}[{mark}]"
        elif _BYLINE_WORDS.search(name) and not _BYLINE_NOISE.search(name):
            named.append((element, f"{element.tag}.{name.split()[0]}"))
    yield from named


def _signatories(element: Element) -> list[Element]:
    """An element and those beside it that are marked alike: a byline names each of its people in one."""
    parent = element.getparent()
    if parent is None or not (element.get("rel") or element.get("itemprop")):
        return [element]
    around = parent if parent.tag != "li" else parent.getparent()
    marks = (element.get("rel"), element.get("itemprop"))
    alike = around.iter(str(element.tag)) if around is not None else [element]
    return [sibling for sibling in alike if (sibling.get("rel"), sibling.get("itemprop")) == marks][:10]


def _labelled(root: Element) -> Iterator[tuple[str, str]]:
    """What stands after an element that is all label, as in lists of facts about an article."""
    for label in root.iter("strong", "b", "span", "dt", "th", "div"):
        text = label.text
        if text and len(text) < 40 and not len(label) and _AUTHOR_LABEL.fullmatch(text.strip()):
            beside = label.getnext()
            name = " ".join((label.tail or "").split()) or (text_of(beside) if beside is not None else "")
            if 2 <= len(name) <= 80:
                yield name, f"{label.tag} {text.strip()}"


def _linked(root: Element) -> Iterator[str]:
    """The texts of links to the page of an author, as content systems lay out addresses."""
    links = (link for link in root.iter("a") if _AUTHORS_PAGE.search(link.get("href") or ""))
    return filter(_fits_a_name, map(text_of, islice(links, _MOST_BYLINES)))


def _fits_a_name(text: str) -> bool:
    return 2 <= len(text) <= 80


def _signed(root: Element) -> Iterator[tuple[Element, str]]:
    """Elements without a telling class whose text begins as bylines do."""
    for element in root.iter("p", "span", "div", "em", "strong", "small", "li"):
        text = (element.text or "").strip()
        if text and _SIGNED.match(text) and len(whole := text_of(element)) <= 80 and (len(text) > 3 or whole != text):
            yield element, f"{element.tag} signed {text.split()[0].lower()}"


def _pieces(element: Element) -> list[str]:
    """A byline's text in its own pieces, so that a name doesn't run into the date beside it."""
    if len(text_of(element)) > 200:
        return []
    texts = [" ".join(str(text).split()) for text in element.itertext()]
    joined = "\n".join(text for text in texts if text)
    return [joined] if authors.has_conjunction(joined) else authors.without_roles(joined.split("\n"))
