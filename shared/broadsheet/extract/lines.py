"""The page as a reader sees it: lines of text in order, each in its box, boxes with their sums."""

import re
from functools import lru_cache
from typing import Literal

from broadsheet.extract.signs import POSTS
from broadsheet.extract.tree import Element

Kind = Literal["paragraph", "heading", "list", "quote", "cell", "caption", "code", "image", "embed"]

_BOXES: dict[str, Kind | None] = {
    **dict.fromkeys(
        [
            "html", "body", "div", "p", "section", "article", "main", "header", "footer", "nav", "aside", "form",
            "fieldset", "figure", "address", "center", "details", "summary", "ul", "ol", "dl", "table", "tbody",
            "tr", "button", "noscript", "amp-story", "menu", "search", "video",
            "audio", "legend",
        ],
        None,
    ),
    **dict.fromkeys(["h1", "h2", "h3", "h4", "h5", "h6"], "heading"),
    **dict.fromkeys(["li", "dt", "dd"], "list"),
    **dict.fromkeys(["td", "th"], "cell"),
    **dict.fromkeys(["figcaption", "caption"], "caption"),
    "blockquote": "quote",
    "pre": "code",
}  # fmt: skip
_BREAKS = frozenset(["br", "hr"])
_IMAGES = frozenset(["img", "amp-img"])
_EMBEDS = frozenset(["iframe", "embed", "amp-youtube", "amp-iframe", "amp-twitter"])
# Boxes of single lines: only their class and id are worth asking for.
_PLAIN = frozenset(["p", "li", "td", "th", "tr", "ul", "ol", "h2", "h3", "h4", "h5", "h6", "dt", "dd"])
_SILENT = frozenset(["script", "style", "textarea", "input", "track", "source"])
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

# A warm function would keep these for ever.
_LONG_MARKS = 500

_UNNAMED: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())


@lru_cache(maxsize=8192)
def _names_and_words(marks: str) -> tuple[frozenset[str], frozenset[str]]:
    """Class names and the words they are made of; cached because a page repeats a few of them hundreds of times."""
    lower = marks.lower()
    parted = lower if lower == marks else _CAMEL.sub(" ", marks).lower()
    return frozenset(lower.split()), frozenset(_WORD.findall(parted))


class Box:
    """An element that makes a block; sums cover everything within it. `text`, `linked` and `prose` count characters."""

    __slots__ = (
        "depth", "element", "first", "kind", "last", "linked", "names", "parent", "prose", "tag",
        "text", "words",
    )  # fmt: skip

    def __init__(self, element: Element, tag: str, parent: "Box | None", kind: Kind | None) -> None:
        self.element = element
        self.tag = tag
        self.parent = parent
        self.kind = kind
        self.depth: int = parent.depth + 1 if parent else 0
        get = element.get
        marks = get("class") or ""
        if name := get("id"):
            marks += " " + name
        if tag not in _PLAIN:
            for attribute in ("role", "itemprop", "data-testid"):
                if name := get(attribute):
                    marks += " " + name
        known = _names_and_words if len(marks) < _LONG_MARKS else _names_and_words.__wrapped__
        self.names, self.words = known(marks) if marks else _UNNAMED
        self.text = self.linked = self.prose = 0
        # The range of lines within, as indexes into Page.lines.
        self.first = self.last = 0


class Line:
    """A run of text without a block boundary inside; `linked` counts its characters within links."""

    __slots__ = ("box", "element", "kind", "linked", "text", "whole")

    def __init__(self, text: str, linked: int, box: Box, kind: Kind, element: Element | None = None) -> None:
        self.text = text
        self.linked = linked
        self.box = box
        self.kind = kind
        self.element = element
        # True if the line is everything its box holds, so that the box's markup is the line's.
        self.whole = False


class Page:
    """All boxes and lines of a tree in document order."""

    def __init__(self, root: Element) -> None:
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self._pieces: list[str] = []
        self._linked = 0
        top = Box(root, root.tag, None, None)
        self.boxes.append(top)
        self._walk(root, top, "paragraph", in_link=False)
        self._flush(top, "paragraph")
        top.last = len(self.lines)
        for line in self.lines:
            line.box.text += len(line.text)
            line.box.linked += line.linked
        for box in reversed(self.boxes):
            if box.parent is not None:
                box.parent.text += box.text
                box.parent.linked += box.linked

    def within(self, box: Box) -> list[Line]:
        return self.lines[box.first : box.last]

    def _walk(self, element: Element, box: Box, kind: Kind, *, in_link: bool) -> None:
        pieces = self._pieces
        text = element.text
        if text and (pieces or not text.isspace()):
            pieces.append(text)
            if in_link:
                self._linked += len(text.strip())
        for child in element:
            tag = child.tag
            if tag in _BOXES:
                if pieces:
                    self._flush(box, kind)
                inner_kind = _BOXES[tag] or kind
                inner = Box(child, tag, box, inner_kind)
                self.boxes.append(inner)
                inner.first = len(self.lines)
                if inner.names & POSTS:
                    self._mark("embed", child, inner)
                else:
                    self._walk(child, inner, inner_kind, in_link=in_link)
                if pieces:
                    self._flush(inner, inner_kind)
                inner.last = len(self.lines)
                if inner.last == inner.first + 1 and self.lines[-1].box is inner:
                    self.lines[-1].whole = True
            elif tag in _BREAKS:
                self._flush(box, kind)
            elif tag in _IMAGES:
                self._mark("image", child, box)
            elif tag in _EMBEDS:
                self._flush(box, kind)
                self._mark("embed", child, box)
            elif tag not in _SILENT:
                if len(child):
                    self._walk(child, box, kind, in_link=in_link or tag == "a")
                elif text := child.text:
                    pieces.append(text)
                    if in_link or tag == "a":
                        self._linked += len(text.strip())
            tail = child.tail
            if tail and (pieces or not tail.isspace()):
                pieces.append(tail)
                if in_link:
                    self._linked += len(tail.strip())

    def _mark(self, kind: Kind, element: Element, box: Box) -> None:
        self.lines.append(Line("", 0, box, kind, element))

    def _flush(self, box: Box, kind: Kind) -> None:
        if self._pieces:
            text = " ".join("".join(self._pieces).split())
            if text:
                self.lines.append(Line(text, min(self._linked, len(text)), box, kind))
            self._pieces.clear()
            self._linked = 0
