"""Feed values as plain text and addresses: what is left when markup, escapes and relative links are resolved."""

import html
import re

import lxml.html
from lxml import etree

from broadsheet import urls

_BLOCK = re.compile(
    r"<(?:/?(?:p|div|li|ul|ol|h[1-6]|blockquote|table|tr|td|section|article|figure)\b|br\b)", re.IGNORECASE
)
_UNSEEN = re.compile(r"<(script|style|iframe|noscript)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def plain(markup: str) -> str:
    """`markup` (an HTML fragment) as one line of text: tags gone, escapes undone, white space folded."""
    if "<" not in markup:
        return folded(html.unescape(markup))
    spaced = _BLOCK.sub(lambda match: " " + match[0], _UNSEEN.sub(" ", markup))
    try:
        tree = lxml.html.document_fromstring(f"<div>{spaced}</div>")
    except (etree.ParserError, ValueError):
        return folded(html.unescape(re.sub(r"<[^<>]*>", " ", spaced)))
    return folded(str(tree.xpath("string()")))


def folded(text: str) -> str:
    """`text` with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def address(link: str | None, base: str) -> str | None:
    """The absolute http(s) address `link` names at `base`, verbatim where it is one already; None if it names none."""
    link = (link or "").strip()
    if not link:
        return None
    try:
        resolved = urls.resolve(base, link)
    except urls.UrlError:
        return None
    return link if re.fullmatch(r"https?://[^\s<>\"\\]+", link, re.IGNORECASE) else resolved
