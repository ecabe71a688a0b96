"""From text to a tree: refused when it would cost too much to parse, then lxml, then everything that is never text gone."""

import re

from lxml import etree

from broadsheet.extract.errors import ExtractionError

Element = etree._Element

# The largest of 1,900 real pages has 3 MB and 20,000 tags; lxml takes a second for these.
MAX_BYTES = 8_000_000
MAX_TAGS = 100_000
# libxml2 compares each attribute of a tag with all before it: 100,000 stall it, 5,000 take 10 ms.
MAX_ATTRIBUTES = 5_000

_LONG_TAG = re.compile(r"<[^<]{20000,}")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
# What XML forbids and lxml would refuse or stop at.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
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
    for long_tag in _LONG_TAG.finditer(text):
        tag = _QUOTED.sub("", long_tag[0]).partition(">")[0]
        if len(tag.split()) > MAX_ATTRIBUTES:
            raise ExtractionError(url, "too-many-attributes", f"a tag has more than {MAX_ATTRIBUTES}")
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(_CONTROL.sub(" ", text).encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise ExtractionError(url, "not-html", str(error)) from None
    if root is None:
        raise ExtractionError(url, "not-html")
    return root


def strip_non_text(root: Element) -> None:
    """Removes, in place, the elements whose content is never read; call it after structured data was taken."""
    etree.strip_elements(root, "script", *_NEVER_TEXT, with_tail=False)


def text_of(element: Element) -> str:
    """All text within an element, white space collapsed."""
    return " ".join("".join(map(str, element.itertext())).split())
