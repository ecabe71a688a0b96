"""The headings a page prints, and the kickers that stand in them."""

from collections.abc import Iterable, Iterator
from itertools import dropwhile, islice

import msgspec

from broadsheet.extract import titles
from broadsheet.extract.lines import words_in
from broadsheet.extract.signs import BESIDE_WORDS, HEADLINE_WORDS, LABEL_WORDS
from broadsheet.extract.tree import Element

# How many of a page's headings are read; how many elements one may have, and with how many their names count; how many
# characters, with the white space between and without. 1,500 real pages have no h1 of more than twelve elements; pages
# that are all headings, one in another with a book in the innermost, would be read once for each.
_MOST_READ = 60
_MOST_ELEMENTS = 1_000
_MOST_NAMED = 64
_LONGEST_SOURCE = 4_000
_LONGEST = 400
# A class of half a megabyte is an attack.
_LONGEST_CLASS = 500
_BESIDE_TAGS = frozenset(["small", "time"])
# What may join a kicker to its headline, and what it may end with if nothing does.
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
    """Those of its h1, h2 and h3 after another heading, or all if there is none, that are no links or teasers."""
    elements: Iterable[Element] = root.iter("h1", "h2", "h3")
    if after is not None:
        elements = islice(dropwhile(lambda element: element is not after, elements), 1, None)
    return (heading for heading in _read(elements) if not _is_elsewhere(heading.element))


def _read(elements: Iterable[Element]) -> Iterator[Heading]:
    for element in islice(elements, _MOST_READ):
        size = len(list(islice(element.iter(), _MOST_ELEMENTS + 1)))
        if size > _MOST_ELEMENTS:
            continue
        # Where each letter has an element, to be moved, names say nothing of kickers.
        parts = list(_parts(element, beside=False)) if size <= _MOST_NAMED else [(t, False) for t in _texts(element)]
        length = sum(len(text) for text, _ in parts)
        if length <= _LONGEST_SOURCE and (text := _joined(parts)) and len(text) <= _LONGEST:
            yield Heading(element, text, _headline(parts, text))


def _texts(element: Element) -> Iterator[str]:
    return map(str, element.itertext())


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
        yield from _parts(child, beside=beside or _is_beside(child))
        if child.tail:
            yield child.tail, beside


def _is_beside(element: Element) -> bool:
    words = words_in((element.get("class") or "")[:_LONGEST_CLASS])
    return (
        element.tag in _BESIDE_TAGS
        or not words.isdisjoint(BESIDE_WORDS)
        or (not words.isdisjoint(LABEL_WORDS) and words.isdisjoint(HEADLINE_WORDS))
    )


def _headline(parts: list[tuple[str, bool]], whole: str) -> str:
    """A heading's text from the first to the last piece that is the headline's own. What is cut off may not be more
    than what stays, unless that is a headline by its length: names are no proof."""
    own = [i for i, (text, beside) in enumerate(parts) if not beside and text.strip(_JOINTS + "\n\t\r\xa0")]
    before, after = (parts[: own[0]], parts[own[-1] + 1 :]) if own else (parts, [])
    kept = _joined(parts[own[0] : own[-1] + 1]) if own else ""
    if any(beside for _, beside in before):
        kept = kept.lstrip(_JOINTS)
    if any(beside for _, beside in after):
        kept = kept.rstrip(_JOINTS)
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
