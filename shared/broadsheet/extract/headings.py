"""The headings a page prints, and the kickers that stand in them."""

from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice

import msgspec

from broadsheet.extract import titles
from broadsheet.extract.lines import words_in
from broadsheet.extract.signs import BESIDE_WORDS
from broadsheet.extract.tree import Element

# Of the h1 elements of 1,500 real pages none has more than twelve elements, and one more characters, a page's whole
# text. Headings that lie in each other with a book in the innermost would be read once for each.
_MOST_ELEMENTS = 64
_LONGEST = 4_000
_MOST_READ = 60
_LONGEST_CLASS = 500
_BESIDE_TAGS = frozenset(["small", "time"])
# What may join a kicker to its headline.
_JOINTS = " :：|｜/／·•–—-"
_ENDS = ":!?"
# Where teasers are, and the names of boxes.
_ELSEWHERE = frozenset(["a", "aside", "nav", "footer"])


class Heading(msgspec.Struct, frozen=True):
    """A heading's element, its text, and that without what stands beside the headline; the same if nothing does."""

    element: Element
    text: str
    headline: str


def main(root: Element) -> Iterator[Heading]:
    """The page's h1 elements that hold a heading's worth of text."""
    return _read(root.iter("h1"))


def minor(root: Element, after: Element | None) -> Iterator[Heading]:
    """Those of its h1, h2 and h3 from another heading on, or all if there is none, that are no links or teasers."""
    elements: Iterable[Element] = root.iter("h1", "h2", "h3")
    if after is not None:
        elements = dropwhile(lambda element: element is not after, elements)
    for heading in _read(elements):
        if not _is_elsewhere(heading.element):
            yield heading


def _read(elements: Iterable[Element]) -> Iterator[Heading]:
    for element in islice(elements, _MOST_READ):
        if len(list(islice(element.iter(), _MOST_ELEMENTS + 1))) <= _MOST_ELEMENTS:
            parts = list(_parts(element, beside=False))
            if 0 < sum(len(text) for text, _ in parts) <= _LONGEST and (text := _joined(parts)):
                yield Heading(element, text, _headline(parts) if len(element) else text)


def _is_elsewhere(element: Element) -> bool:
    if next(element.iter("a"), None) is not None:
        return True
    around = [element, *element.iterancestors()]
    return any(box.tag in _ELSEWHERE or box.get("hidden") is not None for box in around)


def _parts(element: Element, *, beside: bool) -> Iterator[tuple[str, bool]]:
    """The pieces of a heading's text, each with whether it stands beside the headline."""
    if element.text:
        yield element.text, beside
    for child in element:
        aside = child.tag in _BESIDE_TAGS or not BESIDE_WORDS.isdisjoint(
            words_in((child.get("class") or "")[:_LONGEST_CLASS])
        )
        yield from _parts(child, beside=beside or aside)
        if child.tail:
            yield child.tail, beside


def _headline(parts: list[tuple[str, bool]]) -> str:
    """A heading's text from the first to the last piece that is the headline's own. What is cut off may not be more
    than what stays, unless that is a headline by its length: names are no proof."""
    own = [i for i, (text, beside) in enumerate(parts) if not beside and text.strip(_JOINTS + "\n\t\r\xa0")]
    before, after = (parts[: own[0]], parts[own[-1] + 1 :]) if own else (parts, [])
    kept = _joined(parts[own[0] : own[-1] + 1]) if own else ""
    if any(beside for _, beside in before):
        kept = kept.lstrip(_JOINTS)
    if any(beside for _, beside in after):
        kept = kept.rstrip(_JOINTS)
    whole = _joined(parts)
    return kept if titles.is_long(kept) or titles.weight(kept) > titles.weight(whole) / 2 else whole


def _joined(parts: list[tuple[str, bool]]) -> str:
    """The text of pieces; a style sheet parts a kicker from the headline where the markup doesn't."""
    pieces: list[str] = []
    for i, (text, beside) in enumerate(parts):
        last, was = parts[i - 1] if i else (" ", beside)
        if beside != was and text[0].isalnum() and (last[-1].isalnum() or last[-1] in _ENDS):
            pieces.append(" ")
        pieces.append(text)
    return " ".join("".join(pieces).split())
