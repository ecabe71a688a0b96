"""The generic finder: which box holds the article and which of its lines are the body."""

import re

from broadsheet.extract.lines import Box, Line, Page
from broadsheet.extract.signs import BODY_NAMES, DISCARD_NAMES, DISCARD_ROLES, DISCARD_TAGS, DISCARD_WORDS

# A box with this share of the page's text is never dropped: parsers nest articles into a nav or a button.
_TOO_MUCH_TO_DROP = 0.35
_PICTURE_BOXES = frozenset(["figure", "noscript", "video"])
_SENTENCE = re.compile(r"[.!?…。！？؟।»”\"'」』)）:;：；]\s*$")
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Thresholds:
    """Lengths in characters by script: a Chinese character carries about what two and a half letters do."""

    def __init__(self, text: str) -> None:
        sample = text[:20_000]
        self.dense = len(_HAN.findall(sample)) > 0.2 * len(sample)
        self.prose = 25 if self.dense else 60
        self.short = 12 if self.dense else 30


def find(page: Page) -> tuple[list[Line], Box, str]:
    """The body's lines in order, the box they were found in, and how it was found."""
    thresholds = Thresholds(" ".join(line.text for line in page.lines))
    dropped = _dropped(page)
    prose = {id(line): _is_prose(line, thresholds) for line in page.lines}
    for line in page.lines:
        if prose[id(line)] and not _inside(line.box, dropped):
            line.box.prose += len(line.text)
    for box in reversed(page.boxes):
        if box.parent is not None:
            box.parent.prose += box.prose
    start, how = _start(page, dropped)
    box = start
    while (inner := _best_child(page, box)) is not None:
        box = inner
    return _clean(page, box, dropped, prose), box, how


def _dropped(page: Page) -> set[int]:
    total = max(1, page.boxes[0].text)
    return {
        id(box)
        for box in page.boxes
        if (
            box.tag in DISCARD_TAGS
            or box.words & DISCARD_WORDS
            or box.names & DISCARD_NAMES
            or box.names & DISCARD_ROLES
        )
        and box.text < _TOO_MUCH_TO_DROP * total
    }


def _inside(box: Box | None, dropped: set[int]) -> bool:
    while box is not None:
        if id(box) in dropped:
            return True
        box = box.parent
    return False


def _is_prose(line: Line, thresholds: Thresholds) -> bool:
    if line.kind in ("heading", "caption", "image", "embed"):
        return False
    length = len(line.text)
    if line.linked > 0.5 * length:
        return False
    return length >= thresholds.prose or (length >= thresholds.short and bool(_SENTENCE.search(line.text)))


def _start(page: Page, dropped: set[int]) -> tuple[Box, str]:
    total = page.boxes[0].prose
    known = [
        box for box in page.boxes if box.names & BODY_NAMES and box.prose >= 0.4 * total and not _inside(box, dropped)
    ]
    if known:
        best = max(known, key=lambda box: (box.prose, box.depth))
        return best, f"container {' '.join(sorted(best.names & BODY_NAMES))}"
    articles = [box for box in page.boxes if box.tag == "article" and box.prose >= 0.4 * total]
    if articles:
        return max(articles, key=lambda box: (box.prose, -box.depth)), "article"
    return page.boxes[0], "density"


def _best_child(page: Page, box: Box) -> Box | None:
    for candidate in page.boxes:
        if (
            candidate.parent is box
            and candidate.prose >= 0.8 * box.prose
            and candidate.prose
            and candidate.tag not in ("p", "li", "ul", "blockquote", "td", "tr", "tbody")
        ):
            return candidate
    return None


def _clean(page: Page, box: Box, dropped: set[int], prose: dict[int, bool]) -> list[Line]:
    kept: list[Line] = []
    waiting: list[Line] = []
    pictures = {id(inner) for inner in page.boxes if inner.tag in _PICTURE_BOXES}
    for line in page.within(box):
        if line.kind in ("image", "embed"):
            if not _inside_until(line.box, box, dropped - pictures):
                waiting.append(line)
            continue
        if _inside_until(line.box, box, dropped) or line.linked > 0.6 * len(line.text) or line.kind == "caption":
            continue
        if prose[id(line)]:
            kept += waiting
            kept.append(line)
            waiting = []
        elif kept or line.kind == "heading":
            waiting.append(line)
    return kept


def _inside_until(box: Box | None, stop: Box, dropped: set[int]) -> bool:
    while box is not None and box is not stop:
        if id(box) in dropped:
            return True
        box = box.parent
    return False
