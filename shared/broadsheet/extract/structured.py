"""What a page says about itself to machines: JSON-LD in all its shapes, also broken, microdata, OpenGraph and meta."""

import html
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from broadsheet.extract.tree import Element, text_of

_ARTICLE_TYPE = re.compile(
    r"article|posting|report|newsstory|review|newsevent|techarticle|opinion|story|recipe|liveblog|webpage$",
    re.IGNORECASE,
)
_STRONG_TYPE = re.compile(r"article|posting|report|story|review|opinion|liveblog", re.IGNORECASE)
_NEWS_TYPE = re.compile(r"news|liveblog", re.IGNORECASE)
# A page's own nodes lie a few levels down; deeper is a product catalogue or an attack.
_MAX_DEPTH = 8
_MAX_NODES = 2_000

Node = dict[str, Any]


class Structured(msgspec.Struct):
    """A page's statements: `nodes` the JSON-LD objects that describe an article, best first; `meta` and `itemprops`
    from lower-case name to its values in page order; `links` from rel to href; `others` all other JSON-LD objects."""

    nodes: list[Node]
    others: list[Node]
    meta: dict[str, list[str]]
    itemprops: dict[str, list[str]]
    links: dict[str, str]
    html_lang: str | None
    title: str

    def first(self, *names: str) -> str | None:
        """The first value of the first of these meta names that has one."""
        return next((values[0] for name in names if (values := self.meta.get(name))), None)


def read(root: Element) -> Structured:
    """Everything of it in one pass over the tree."""
    meta: dict[str, list[str]] = {}
    itemprops: dict[str, list[str]] = {}
    links: dict[str, str] = {}
    nodes: list[Node] = []
    title = ""
    for element in root.iter("meta", "link", "script", "title"):
        tag = element.tag
        if tag == "meta":
            content = " ".join((element.get("content") or "").split())
            if not content:
                continue
            for attribute in ("property", "name", "http-equiv"):
                if name := element.get(attribute):
                    meta.setdefault(name.strip().lower(), []).append(content)
            if name := element.get("itemprop"):
                itemprops.setdefault(name.lower(), []).append(content)
        elif tag == "link":
            for rel in (element.get("rel") or "").lower().split():
                if href := element.get("href"):
                    links.setdefault(rel, href.strip())
        elif tag == "script":
            if "ld+json" in (element.get("type") or "").lower():
                nodes += _flatten(load_json(element.text or ""))
        elif not title and (parent := element.getparent()) is not None and parent.tag in ("head", "html", "body"):
            title = text_of(element)
    articles = [node for node in nodes if _ARTICLE_TYPE.search(_type(node))]
    articles.sort(key=_weakness)
    return Structured(
        nodes=articles,
        others=[node for node in nodes if node not in articles] if len(nodes) < 200 else [],
        meta=meta,
        itemprops=itemprops,
        links=links,
        html_lang=root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("xml:lang"),
        title=title,
    )


def load_json(source: str) -> Any:
    """JSON as pages write it; what can't be mended gives the few fields that can be found in it, or None."""
    source = source.strip()
    if not source:
        return None
    try:
        return msgspec.json.decode(source)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        # Imported here because few pages need it.
        from broadsheet.extract import broken_json  # noqa: PLC0415

        return broken_json.load(source)


def _flatten(data: Any, depth: int = 0) -> Iterator[Node]:
    """Every object in a JSON-LD value that has a type, outermost first."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(data, list):
        for item in data[:_MAX_NODES]:
            yield from _flatten(item, depth + 1)
    elif isinstance(data, dict):
        if "@type" in data or "headline" in data:
            yield data
        for key in ("@graph", "mainEntity", "mainEntityOfPage", "hasPart", "itemReviewed", "liveBlogUpdate", "review"):
            if key in data and key != "liveBlogUpdate":
                yield from _flatten(data[key], depth + 1)


def _type(node: Node) -> str:
    kind = node.get("@type", "Article" if "headline" in node else "")
    return " ".join(map(str, kind)) if isinstance(kind, list) else str(kind)


def is_news(node: Node) -> bool:
    """Whether it says that what it describes is news."""
    return bool(_NEWS_TYPE.search(_type(node)))


def _weakness(node: Node) -> tuple[bool, bool]:
    return (not _STRONG_TYPE.search(_type(node)), "headline" not in node and "datePublished" not in node)


def strings(value: Any) -> list[str]:
    """The texts of a JSON-LD value: a string, a list of them, or objects with a name."""
    if isinstance(value, str):
        clean = " ".join(html.unescape(value).split())
        return [clean] if clean else []
    if isinstance(value, list):
        return [text for item in value[:100] for text in strings(item)]
    if isinstance(value, dict):
        return strings(value.get("name") or value.get("@value") or value.get("url") or "")
    return []
