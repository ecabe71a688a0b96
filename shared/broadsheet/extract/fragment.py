"""The body of a feed entry or a seed document: HTML that is all article, but for what its publisher hung onto it."""

import re

from broadsheet.article import Article, Witness
from broadsheet.extract import blocks, tree
from broadsheet.extract.claims import Verdict, claim
from broadsheet.extract.errors import ExtractionError
from broadsheet.extract.lines import Line, Page
from broadsheet.extract.page import article

_SHARE_LINK = re.compile(
    r"^(?:whatsapp|fb-messenger|tg|viber|line):|facebook\.com/(?:sharer|dialog)|(?:twitter|x)\.com/(?:intent|"
    r"share)|web\.whatsapp\.com/send|"
    r"linkedin\.com/share|t\.me/share|reddit\.com/submit|service\.weibo\.com/share|pinterest\.com/pin/create|"
    r"^mailto:\?",
    re.IGNORECASE,
)
_DATE_ONLY = re.compile(r"[\d\s/.\-:,T年月日时時分]+(?:UTC|GMT|CES?T)?")
_APPEARED_FIRST = re.compile(r"^The post .{1,300} (?:appeared first on|first appeared on) ", re.IGNORECASE)
_LONGEST_SHARE_TEXT = 60


def from_fragment(html: str, url: str) -> Article:
    """The article in a fragment: blocks, text, sanitised HTML, images and links; its title is the caller's to set.

    A leading paragraph that is bold throughout is the standfirst and not repeated among the blocks; a line that holds
    nothing but a date is left out, share buttons and what carries `data-selfpromo-*` too. Raises ExtractionError if no
    text and no image remains.
    """
    root = tree.parse(html, url)
    tree.strip_non_text(root)
    for element in list(root.iter()):
        if _is_hung_on(element) and (parent := element.getparent()) is not None:
            tree.remove(element, parent)
    lines = [
        line
        for line in Page(root).lines
        if not _DATE_ONLY.fullmatch(line.text) and not _APPEARED_FIRST.match(line.text)
    ]
    verdicts: dict[str, Verdict] = {}
    spoken = [line for line in lines if line.text]
    if len(spoken) > 1 and _is_bold(spoken[0]):
        lines.remove(spoken[0])
        verdicts["standfirst"] = Verdict((), claim(spoken[0].text, "html", "p > strong"), "the leading bold paragraph")
    body = blocks.build(lines, url)
    if not body.blocks:
        raise ExtractionError(url, "no-article", "the fragment holds no text")
    return article(url, body, verdicts, Witness("html", "fragment"))


def _is_hung_on(element: tree.Element) -> bool:
    if any(str(name).startswith("data-selfpromo") for name in element.attrib):
        return True
    if element.tag not in ("div", "ul", "p", "section", "aside"):
        return False
    targets = [anchor.get("href") or "" for anchor in element.iter("a")]
    shares = sum(bool(_SHARE_LINK.search(target)) for target in targets)
    return shares > 0.5 * len(targets) and len(tree.text_of(element)) <= _LONGEST_SHARE_TEXT


def _is_bold(line: Line) -> bool:
    if not line.whole or line.kind != "paragraph":
        return False
    children = list(line.box.element)
    return (
        len(children) == 1
        and children[0].tag in ("strong", "b")
        and not (line.box.element.text or "").strip()
        and not (children[0].tail or "").strip()
    )
