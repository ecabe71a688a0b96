"""From text to a tree: refused if it would cost too much to parse, then lxml, then all that is never text gone."""

import re
from collections.abc import Iterator

from lxml import etree

from broadsheet.extract.errors import ExtractionError

Element = etree._Element

# The largest of 1,900 real pages has 3 MB and 20,000 tags; lxml takes a second for these.
MAX_BYTES = 8_000_000
MAX_TAGS = 100_000
# libxml2 compares each attribute of a tag with all before it: 100,000 stall it, 5,000 take 20 ms. So it is the squares
# of a page's long tags that add up, and that may not come to more than one tag of this many.
MAX_ATTRIBUTES = 5_000

# Shorter tags can't hold that many: an attribute takes two characters at least.
_LONG_TAG = 2 * MAX_ATTRIBUTES
# Possessive, so that no input makes it go back.
_TAG = re.compile(r"(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# libxml2 drops all that follows the page's end, and templates put together by halves end more than once; without these
# tags, which are optional, a page ends where its text does.
_ENDS = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)
_SHORT_END = 1_000
# What XML forbids below the space; lxml would stop at some of it.
_CONTROL_TO_SPACE = bytes(32 if code < 32 and code not in (9, 10, 13) else code for code in range(256))
# A box with this share of a page's text is never dropped for its name or tag (measured: +.016 body F1).
LARGE_PART = 0.35
_HEAD_TAGS = frozenset(["base", "link", "meta", "noscript", "object", "script", "style", "template", "title"])
# Never text. Embeds and images stay: blocks name them.
_NEVER_TEXT = (
    "style",
    "svg",
    "template",
    "head",
    "select",
    "option",
    "datalist",
    "map",
    "math",
    "canvas",
    "object",
    "dialog",
)


def parse(text: str, url: str) -> Element:
    """The page's root element; raises ExtractionError for what holds no markup or would cost seconds to parse.

    libxml2 keeps trees shallower than 256 elements, so that walking one never exhausts the stack.
    """
    if not text.strip():
        raise ExtractionError(url, "empty")
    tags = text.count("<")
    if tags > MAX_TAGS:
        raise ExtractionError(url, "too-many-tags", f"{tags} tags, at most {MAX_TAGS}")
    if sum(_attributes(piece) ** 2 for piece in _long_pieces(text)) > MAX_ATTRIBUTES**2:
        raise ExtractionError(url, "too-many-attributes", f"tags cost more to parse than one of {MAX_ATTRIBUTES}")
    end = text.find("</html>")
    if 0 <= end < len(text) - _SHORT_END:
        text = _ENDS.sub("", text)
    # Nobody asks for elements by their id: not noting them takes a tenth off parsing.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, collect_ids=False)
    try:
        root = etree.fromstring(text.encode("utf-8", "replace").translate(_CONTROL_TO_SPACE), parser)
    except etree.XMLSyntaxError as error:
        raise ExtractionError(url, "not-html", str(error)) from None
    if root is None:
        raise ExtractionError(url, "not-html")
    _free_body(root)
    return root


def _free_body(root: Element) -> None:
    """Moves out of the head what doesn't belong there: libxml2 knows no HTML5, and where a page leaves the `body` tag
    out, as it may, the head goes on through `article` and `main`."""
    head = root.find("head")
    strays = [child for child in head if child.tag not in _HEAD_TAGS] if head is not None else []
    if strays:
        body = root.find("body")
        if body is None:
            body = etree.SubElement(root, "body")
        for place, stray in enumerate(strays):
            body.insert(place, stray)


def _long_pieces(text: str) -> Iterator[str]:
    """What stands between one `<` and the next where that is more than a long tag needs; the others are leapt over."""
    start = text.find("<")
    while start >= 0:
        leap = text.rfind("<", start + 1, start + _LONG_TAG + 2)
        if leap < 0:
            end = text.find("<", start + 1)
            yield text[start + 1 : end if end >= 0 else None]
            leap = end
        start = leap


def _attributes(piece: str) -> int:
    """About how many attributes the tag has that a piece of text begins with."""
    tag = _TAG.match(piece)
    return len(_QUOTED.sub("", tag[0]).split()) if tag and len(tag[0]) > _LONG_TAG else 0


def strip_non_text(root: Element) -> None:
    """Removes, in place, the elements whose content is never read; call it after structured data was taken."""
    etree.strip_elements(root, "script", *_NEVER_TEXT, with_tail=False)


def remove(element: Element, parent: Element) -> None:
    """Takes an element out of its parent and leaves the text that follows it."""
    if element.tail:
        previous = element.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def text_of(element: Element) -> str:
    """All text within an element, white space collapsed."""
    return " ".join("".join(map(str, element.itertext())).split())
