"""The headings a page prints, and the kickers that stand in them."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import islice

from broadsheet.extract import titles
from broadsheet.extract.tree import Element

_MOST = 8
_LONGEST = 400
# With the white space between its lines; what has more is no heading, whatever its tag.
_LONGEST_SOURCE = 4_000
# Elements looked at: headings that lie in each other, with a book in the innermost, would cost seconds.
_MOST_READ = 60
# What stands in a heading beside the headline: kickers, sections, dates, second lines.
_BESIDE_TAGS = frozenset(["small", "time"])
_BESIDE_NAMES = re.compile(
    r"kicker|eyebrow|overline|topline|roofline|dachzeile|top-?title|sub-?(?:title|head)|topic|section|categor|label|"
    r"descriptor|prefix|small|date",
    re.IGNORECASE,
)
_JOINTS = " :|/·•-–—"


def printed(root: Element, told: Collection[str]) -> list[str]:
    """The texts of the page's first h1 elements, each without its kicker unless one of the titles told has it whole."""
    texts: list[str] = []
    for h1 in islice(root.iter("h1"), _MOST_READ):
        text = _text(h1)
        if text and len(text) < _LONGEST:
            if len(h1) and _plain(text) not in map(_plain, told):
                text = " ".join("".join(_headline(h1)).split()).strip(_JOINTS) or text
            texts.append(text)
            if len(texts) == _MOST:
                break
    return texts


def first_that_ends_with(root: Element, endings: list[str]) -> str | None:
    """Which of some titles the page's first h2 or h3 ends with that ends with any; a kicker may go before it."""
    if endings:
        for element in islice(root.iter("h2", "h3"), _MOST_READ):
            text = titles.folded(_text(element))
            for ending in endings:
                if text.endswith(titles.folded(ending)):
                    return ending
    return None


def _text(heading: Element) -> str:
    """All its text, white space collapsed; none if that is longer than headings are."""
    pieces: list[str] = []
    length = 0
    for piece in heading.itertext():
        pieces.append(str(piece))
        length += len(piece)
        if length > _LONGEST_SOURCE:
            return ""
    return " ".join("".join(pieces).split())


def _plain(text: str) -> str:
    """A title as it is compared with its punctuation: width, case and white space don't count."""
    return " ".join(unicodedata.normalize("NFKC", text[: 2 * _LONGEST]).casefold().split())


def _headline(element: Element) -> Iterator[str]:
    """The text of a heading but for the elements that stand beside the headline."""
    yield element.text or ""
    for child in element:
        if child.tag not in _BESIDE_TAGS and not _BESIDE_NAMES.search(child.get("class") or ""):
            yield from _headline(child)
        yield child.tail or ""
