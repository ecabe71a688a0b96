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
# What else isn't merely part of a line.
_MARKS: dict[str, Literal["break", "image", "embed", "silent"]] = {
    **dict.fromkeys(["br", "hr"], "break"),
    **dict.fromkeys(["img", "amp-img"], "image"),
    **dict.fromkeys(["iframe", "embed", "amp-youtube", "amp-iframe", "amp-twitter"], "embed"),
    **dict.fromkeys(["script", "style", "textarea", "input", "track", "source"], "silent"),
}
# Boxes of single lines: only their class and id are worth asking for.
_PLAIN = frozenset(["p", "li", "td", "th", "tr", "ul", "ol", "h2", "h3", "h4", "h5", "h6", "dt", "dd"])
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

# A teaser that is all link has a picture, a headline, a few lines; a link left open holds the rest of the page.
_MOST_LINKED = 6

# A warm function would keep these for ever.
_LONG_MARKS = 500

_NONE: frozenset[str] = frozenset()


# Cached because a page repeats a few marks hundreds of times.
@lru_cache(maxsize=4096)
def _names(marks: str) -> frozenset[str]:
    return frozenset(marks.lower().split())


@lru_cache(maxsize=4096)
def _words(marks: str) -> frozenset[str]:
    lower = marks.lower()
    return frozenset(_WORD.findall(lower if lower == marks else _CAMEL.sub(" ", marks).lower()))


def words_in(marks: str) -> frozenset[str]:
    """The words that classes, ids and roles are made of, split at hyphens, underlines and capitals; lower-case."""
    return (_words(marks) if len(marks) < _LONG_MARKS else _words.__wrapped__(marks)) if marks else _NONE


class Box:
    """An element that makes a block; sums cover everything within it. `text` and `prose` count characters."""

    __slots__ = (
        "depth", "element", "first", "last", "marks", "parent", "prose", "tag", "text",
    )  # fmt: skip

    def __init__(self, element: Element, tag: str, parent: "Box | None") -> None:
        self.element = element
        self.tag = tag
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent else 0
        get = element.get
        marks = get("class") or ""
        # A heading's id is its text, made an anchor.
        if _BOXES.get(tag) != "heading" and (name := get("id")):
            marks += " " + name
        if tag not in _PLAIN:
            for attribute in ("role", "itemprop", "data-testid"):
                if name := get(attribute):
                    marks += " " + name
        self.marks = marks
        self.text = self.prose = 0
        # The range of lines within, as indexes into Page.lines.
        self.first = self.last = 0

    @property
    def names(self) -> frozenset[str]:
        """Its classes, id and role, lower-case."""
        marks = self.marks
        return (_names(marks) if len(marks) < _LONG_MARKS else _names.__wrapped__(marks)) if marks else _NONE

    @property
    def words(self) -> frozenset[str]:
        """The words its names are made of, split at hyphens, underlines and capitals."""
        return words_in(self.marks)


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
    """All lines of a tree and the boxes that hold any, in document order."""

    def __init__(self, root: Element) -> None:
        self.boxes: list[Box] = []
        self.lines: list[Line] = []
        self._pieces: list[str] = []
        self._linked = 0
        top = Box(root, root.tag, None)
        self.boxes.append(top)
        self._walk(root, top, "paragraph", False)
        self._flush(top, "paragraph")
        top.last = len(self.lines)
        for line in self.lines:
            line.box.text += len(line.text)
        for box in reversed(self.boxes):
            if box.parent is not None:
                box.parent.text += box.text

    def all_within(self, boxes: set[Box]) -> set[Box]:
        """Some boxes and all that lie in them."""
        found = set(boxes)
        if boxes:
            for box in self.boxes:
                if box.parent in found:
                    found.add(box)
        return found

    def within(self, box: Box) -> list[Line]:
        return self.lines[box.first : box.last]

    def _walk(self, element: Element, box: Box, kind: Kind, in_link: bool) -> None:
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
                inner = Box(child, tag, box)
                self.boxes.append(inner)
                inner.first = len(self.lines)
                if inner.marks and inner.names & POSTS:
                    self._mark("embed", child, inner)
                else:
                    self._walk(child, inner, inner_kind, in_link)
                if pieces:
                    self._flush(inner, inner_kind)
                inner.last = len(self.lines)
                if inner.last == inner.first:
                    self.boxes.pop()
                elif inner.last == inner.first + 1 and self.lines[-1].box is inner:
                    self.lines[-1].whole = True
            elif tag not in _MARKS:
                if len(child):
                    start = len(self.lines)
                    self._walk(child, box, kind, in_link or tag == "a")
                    if tag == "a" and len(self.lines) > start + _MOST_LINKED:
                        self._unlink(start)
                elif text := child.text:
                    pieces.append(text)
                    if in_link or tag == "a":
                        self._linked += len(text.strip())
            elif (mark := _MARKS[tag]) == "image":
                self._mark("image", child, box)
            elif mark != "silent":
                if pieces:
                    self._flush(box, kind)
                if mark == "embed":
                    self._mark("embed", child, box)
            tail = child.tail
            if tail and (pieces or not tail.isspace()):
                pieces.append(tail)
                if in_link:
                    self._linked += len(tail.strip())

    def _unlink(self, start: int) -> None:
        """Takes a link that was left open, as its length betrays, for what it is: none."""
        for line in self.lines[start:]:
            line.linked = 0
        self._linked = 0

    def _mark(self, kind: Kind, element: Element, box: Box) -> None:
        self.lines.append(Line("", 0, box, kind, element))

    def _flush(self, box: Box, kind: Kind) -> None:
        pieces = self._pieces
        if pieces:
            text = " ".join((pieces[0] if len(pieces) == 1 else "".join(pieces)).split())
            if text:
                self.lines.append(Line(text, min(self._linked, len(text)), box, kind))
            pieces.clear()
            self._linked = 0
