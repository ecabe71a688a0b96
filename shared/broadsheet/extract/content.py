"""The generic finder: which box holds the article and which of its lines are the body."""

import re
from bisect import bisect_left
from collections import Counter
from functools import cached_property
from typing import NamedTuple

from broadsheet.extract.lines import Box, Line, Page
from broadsheet.extract.signs import (
    BODY_NAMES,
    CONSENT_WORDS,
    CREDITED,
    DISCARD_NAMES,
    DISCARD_ROLES,
    DISCARD_TAGS,
    DISCARD_WORDS,
    DISCLAIMERS,
    FACTS,
    FURNITURE,
    FURNITURE_STARTS,
    LEAD_WORDS,
    PICTURE_WORDS,
    STAMP,
    TEXT_NAMES,
)
from broadsheet.extract.titles import folded
from broadsheet.extract.tree import LARGE_PART
from broadsheet.language import han_and_kana

# What a line adds to the boxes it is in, per character: prose 1, prose in a list less, since lists are also menus;
# text that is no prose or stands in a dropped box takes away. Chosen among 0 to 2 on the labelled pages.
_LIST = 0.4
_JUNK = -1.0
_DROPPED = -0.6
# The chosen box holds at least this share of the prose it was looked for in.
_LEAST_SHARE = 0.5
# Of a page's text; one page of articles in a hundred has less.
_HARDLY_ANY = 0.1
# Of several `article` elements, the one with the headline counts from this share of the page's prose (.1 to .3 alike).
_OWN_SHARE = 0.2
# What a page may have more of than of the story; the least share of its prose that is the story then (.1 to .3 alike).
_BESIDE_TAGS = frozenset(["aside", "footer", "nav"])
_LEAST_BESIDE = 0.3
# A `p` named for the body is it only with this share of the prose around it: the parser, as HTML has it, ends a `p` at
# the first block in it, and what follows stands after it.
_MOST_OF_IT = 0.5
# If dropping leaves less of the prose than this, the names on this page mean something else.
_TOO_LITTLE_LEFT = 0.05
_OWN_NAMES = BODY_NAMES - TEXT_NAMES
_DISCARDED = DISCARD_NAMES | DISCARD_ROLES
_PICTURE_BOXES = frozenset(["figure", "noscript", "video"])
_SENTENCE_ENDS = frozenset(".!?…。！？؟।»”\"'」』)）:;：；")
# More of these in a line are a menu's.
_MOST_SEPARATORS = 5
_FULL_STOP = re.compile(r"[.!?…。！？][»”\"'」』)）]?\s*$")
_SEPARATORS = re.compile(r"[|｜┊·]")
# At least this share of the long lines of a body that is printed twice stands in it before.
_TWICE = 0.45
_FEWEST_AGAIN = 3
_LONG_ENOUGH = 40
# Lines, pictures among them, and how many of them are text: what it shows and who took it.
_LARGEST_PICTURE_BOX = 8
_MOST_CAPTIONS = 2
# Of a page's text; a gallery is all captions.
_CAPTIONS_SHARE = 0.15
_LEAD_KINDS = frozenset(["paragraph", "heading", "quote", "cell", "list"])
_LONGEST_FURNITURE = 400
# More is a book in a heading's tag.
_LONGEST_HEADING = 1_000
_LONGEST_TEASER = 160
_NEVER_CONTAINERS = frozenset(
    ["p", "li", "ul", "ol", "blockquote", "td", "tr", "h1", "h2", "h3", "h4", "pre", "dl", "dd"]
)


class Finding(NamedTuple):
    """The body's lines in order, the box they were found in, and how."""

    lines: list[Line]
    box: Box
    how: str


class Finder:
    """One search of one page; `title` and `summaries` are what the other witnesses say, to know lines by."""

    def __init__(self, page: Page, title: str = "", summaries: tuple[str, ...] = ()) -> None:
        self.page = page
        self.title = folded(title)
        self.summaries = [folded(text) for text in summaries if text]
        sample = " ".join(line.text for line in page.lines)[:20_000]
        self.dense = han_and_kana(sample) > 0.2 * len(sample)
        self.prose_length = 25 if self.dense else 60
        self.short_length = 12 if self.dense else 30
        # What a story beside a longer notice on cookies has at least.
        self.short_story = 120 if self.dense else 300
        # Shares of the body, chosen among 0.02 to 0.5: Chinese templates keep all paragraphs in boxes of one name.
        self.longest_tail = 0.5 if self.dense else 0.1
        self._tell_captions()
        self.prose = [self._is_prose(line) for line in page.lines]
        # Boxes dropped by themselves, and those within them.
        self.dropped: set[Box] = set()
        self.hidden: set[Box] = set()

    @cached_property
    def _headlines(self) -> list[int]:
        """The lines that are the article's headline."""
        return [i for i, line in enumerate(self.page.lines) if line.kind == "heading" and self._has_title(line)]

    @cached_property
    def _bodies(self) -> set[Box]:
        """Articles and boxes named for the body, and those around them that hold little else."""
        found: set[Box] = set()
        for body in self.page.boxes:
            if body.tag == "article" or body.names & _OWN_NAMES:
                box: Box | None = body
                while box is not None and box not in found and 2 * body.prose > box.prose:
                    found.add(box)
                    box = box.parent
        return found

    def _post(self) -> tuple[Box, str] | None:
        """The box named for the body, where that holds no prose and the page hardly any: a post of a line or two, which
        the page's terms outweigh. Whatever it holds then counts as prose."""
        top = self.page.boxes[0]
        if top.prose >= _HARDLY_ANY * top.text:
            return None
        named = [box for box in self.page.boxes if box.names & BODY_NAMES and box not in self.hidden]
        box = max(named, key=lambda box: box.text, default=None)
        if box is None or box.prose:
            return None
        said = [
            index
            for index in range(box.first, box.last)
            if (line := self.page.lines[index]).kind in ("paragraph", "list", "quote")
            and line.linked <= 0.5 * len(line.text)
        ]
        for index in said:
            self.prose[index] = True
        return (box, _container(box)) if said else None

    def _tell_captions(self) -> None:
        """Marks as captions the few lines beside a picture in a box named for it, unless they are much of the page."""
        captions: dict[int, Line] = {}
        for line in self.page.lines:
            box: Box | None = line.box if line.kind == "image" else None
            while box is not None and box.last - box.first <= _LARGEST_PICTURE_BOX:
                texts = [text for text in self.page.within(box) if text.text]
                if box.words & PICTURE_WORDS and len(texts) <= _MOST_CAPTIONS:
                    captions |= {id(text): text for text in texts if text.kind == "paragraph"}
                box = box.parent
        if sum(len(line.text) for line in captions.values()) < _CAPTIONS_SHARE * self.page.boxes[0].text:
            for line in captions.values():
                line.kind = "caption"

    def find(self) -> Finding:
        self._sum_prose()
        drops = self._drops()
        if notices := {box for box in drops if box.words & CONSENT_WORDS}:
            self._drop(notices)
            self._sum_prose()
        everything = self.page.boxes[0].prose
        self._drop(drops)
        self._sum_prose()
        if self.page.boxes[0].prose < _TOO_LITTLE_LEFT * everything:
            self._drop(set())
            self._sum_prose()
        box, how = self._post() or self._start()
        if not how.startswith("container"):
            box = self._heaviest(box)
        twins = [] if how == "density" else self._twins(box)
        self._drop(self.dropped | self._nested(box))
        body = [line for part in sorted([box, *twins], key=lambda part: part.first) for line in self._body(part)]
        body = self._without_tail(_once(body))
        return Finding(self._lead(box, body) + body, box, how)

    def _without_tail(self, body: list[Line]) -> list[Line]:
        """The body up to its last line of the usual kind: what hangs on after it, in a little box of another name, is
        who the author is, where to buy, whose rights."""
        homes = [_home(line.box) for line in body]
        shares: Counter[Home] = Counter()
        for line, home in zip(body, homes, strict=True):
            shares[home] += len(line.text)
        if not shares:
            return body
        usual, share = shares.most_common(1)[0]
        end = len(homes) - homes[::-1].index(usual)
        tail = sum(len(line.text) for line in body[end:])
        whole = shares.total()
        return body[:end] if 2 * share >= whole and tail <= self.longest_tail * whole else body

    def _nested(self, box: Box) -> set[Box]:
        """Teasers of other articles within the body, and the header whose lead is looked for by itself."""
        parts = (b for b in self.page.boxes if b.tag in ("article", "header"))
        inside = [b for b in parts if b is not box and self._is_within(b, box)]
        return set(inside) if sum(b.prose for b in inside) < LARGE_PART * box.prose else set()

    def _twins(self, box: Box) -> list[Box]:
        """Other boxes of the same name beside the chosen one: a body cut in parts by a gate or an advertisement."""
        names = box.names & BODY_NAMES
        parts = []
        end = box.last
        for other in self.page.boxes:
            if (
                other.prose
                and other is not box
                and other.tag == box.tag
                and (other.names & names if names else other.names and other.names <= box.names)
                and not self._is_within(other, box)
                and not self._is_within(box, other)
                and other not in self.hidden
                and _article(other) is _article(box)
                and (other.first >= end or other.last <= box.first)
            ):
                parts.append(other)
                end = max(end, other.last)
        return parts if len(parts) <= 3 else []

    def _is_prose(self, line: Line) -> bool:
        if line.kind in ("heading", "caption", "image", "embed"):
            return False
        length = len(line.text)
        if length < self.short_length or (line.linked > 0.5 * length and not _is_sentence(line)):
            return False
        if length < self.prose_length and line.text[-1] not in _SENTENCE_ENDS:
            return False
        return len(_SEPARATORS.findall(line.text)) <= _MOST_SEPARATORS

    def _mass(self, line: Line) -> int:
        if line.kind == "list":
            return int(len(line.text) * _LIST)
        return len(line.text)

    def _drop(self, dropped: set[Box]) -> None:
        self.dropped, self.hidden = dropped, self.page.all_within(dropped)

    def _sum_prose(self) -> None:
        for box in self.page.boxes:
            box.prose = 0
        for line, prose in zip(self.page.lines, self.prose, strict=True):
            if prose and line.box not in self.hidden:
                line.box.prose += self._mass(line)
        for box in reversed(self.page.boxes):
            if box.parent is not None:
                box.parent.prose += box.prose

    def _drops(self) -> set[Box]:
        return self._fact_boxes() | {
            box
            for box in self.page.boxes
            if (box.tag in DISCARD_TAGS or (box.marks and (box.words & DISCARD_WORDS or box.names & _DISCARDED)))
            and (self._is_small(box) or self._stands_apart(box))
            and not (box.tag == "figure" and any(line.kind in ("cell", "quote") for line in self.page.within(box)))
        }

    def _fact_boxes(self) -> set[Box]:
        """The boxes, however named, that begin with a heading such as "Facts about ..."."""
        found = set()
        for index, line in enumerate(self.page.lines):
            if line.kind in ("heading", "paragraph") and FACTS.fullmatch(line.text):
                box = line.box
                while box.parent is not None and box.parent.first == index and self._is_small(box.parent):
                    box = box.parent
                if box.last > index + 1:
                    found.add(box)
        return found

    def _is_small(self, box: Box) -> bool:
        top = self.page.boxes[0]
        return box.text < LARGE_PART * max(1, top.text) and box.prose < LARGE_PART * max(1, top.prose)

    def _stands_apart(self, box: Box) -> bool:
        """Whether a box that is much of the page is none of the article all the same, such as a notice on cookies that
        is longer than the story: neither headline nor body is in it, and what is left without it may be the story."""
        whole = self.page.boxes[0].prose
        if box.words & CONSENT_WORDS:
            alone = whole - box.prose >= self.short_story and not _article(box)
        else:
            alone = box.tag in _BESIDE_TAGS and whole - box.prose >= _LEAST_BESIDE * whole
        return alone and not _any_within(self._headlines, box) and box not in self._bodies

    def _is_dropped(self, box: Box | None, until: Box | None = None, spare: frozenset[str] = frozenset()) -> bool:
        """Whether a box or one around it, up to a chosen box, is dropped; `spare` are tags that don't count."""
        if box not in self.hidden:
            return False
        while box is not None and box is not until:
            if box in self.dropped and box.tag not in spare:
                return True
            box = box.parent
        return False

    def _start(self) -> tuple[Box, str]:
        boxes = self.page.boxes
        top = boxes[0]
        articles = [box for box in boxes if box.tag == "article" and box.prose >= _OWN_SHARE * top.prose]
        # Of several, the others are the next to read.
        own = [box for box in articles if _any_within(self._headlines, box)] if len(articles) > 1 else []
        scope = max(own, key=lambda box: (box.prose, -box.depth), default=top)
        least = 0.4 * scope.prose
        known = [
            box
            for box in boxes
            if box.prose >= least
            and box.names & BODY_NAMES
            and (box.tag != "p" or box.prose >= _MOST_OF_IT * scope.prose)
            and box not in self.hidden
            and self._is_within(box, scope)
        ]
        if known:
            best = max(known, key=lambda box: (box.prose, box.depth))
            return best, _container(best)
        if scope is not top:
            return scope, "article"
        articles = [box for box in articles if box.prose >= least]
        if articles:
            return max(articles, key=lambda box: (box.prose, -box.depth)), "article"
        return top, "density"

    def _heaviest(self, start: Box) -> Box:
        """The box within whose prose most outweighs everything else in it."""
        weights: dict[Box, float] = {}
        for index in range(start.first, start.last):
            line = self.page.lines[index]
            if self.prose[index]:
                weight = _DROPPED * len(line.text) if line.box in self.hidden else self._mass(line)
            elif line.kind == "heading":
                weight = 0.0
            elif line.box in self.hidden:
                weight = _DROPPED * len(line.text)
            else:
                weight = _JUNK * len(line.text)
            weights[line.box] = weights.get(line.box, 0.0) + weight
        best, most = start, float("-inf")
        for box in reversed(self.page.boxes):
            weight = weights.get(box, 0.0)
            if box.parent is not None and box is not start:
                weights[box.parent] = weights.get(box.parent, 0.0) + weight
            # Inner boxes come first, so the tighter of two equals wins.
            if weight > most and self._may_hold_body(box, start):
                best, most = box, weight
        return best

    def _may_hold_body(self, box: Box, start: Box) -> bool:
        return (
            box.prose >= _LEAST_SHARE * start.prose and box.tag not in _NEVER_CONTAINERS and self._is_within(box, start)
        )

    def _is_within(self, box: Box, outer: Box) -> bool:
        return outer.first <= box.first and box.last <= outer.last and box.depth >= outer.depth

    def _lead(self, box: Box, body: list[Line]) -> list[Line]:
        """The standfirst that stands between headline and body, known by its class or by what the page's head says."""
        lines = self.page.lines
        starts = {id(line) for line in body[:1]}
        end = next((i for i in range(box.first, box.last) if id(lines[i]) in starts), box.first)
        heading = next((i for i, line in enumerate(lines[:end]) if line.box.tag == "h1"), None)
        kept = {line.text for line in body}
        for line in lines[heading if heading is not None else max(0, end - 40) : end]:
            if len(line.text) < self.prose_length or line.linked > 0.3 * len(line.text) or line.text in kept:
                continue
            text = folded(line.text)
            if line.kind not in _LEAD_KINDS or text == self.title:
                continue
            if self._is_lead_box(line.box) or any(text[:60] == summary[:60] for summary in self.summaries):
                return [line]
            if heading is not None and _FULL_STOP.search(line.text) and not self._is_dropped(line.box, box):
                return [line]
        return []

    def _is_lead_box(self, box: Box | None) -> bool:
        for _ in range(3):
            if box is None:
                return False
            if box.words & LEAD_WORDS:
                return True
            box = box.parent
        return False

    def _body(self, box: Box) -> list[Line]:
        kept: list[Line] = []
        waiting: list[Line] = []
        for index in range(box.first, box.last):
            line = self.page.lines[index]
            if line.kind in ("image", "embed"):
                if not self._is_dropped(line.box, box, _PICTURE_BOXES):
                    waiting.append(line)
                continue
            if self._is_dropped(line.box, box) or line.kind == "caption" or is_furniture(line):
                continue
            # A subhead may be a link; in Chinese pages such a heading is another article's.
            linked = line.linked > 0.6 * len(line.text) and not self.prose[index]
            if linked and (self.dense or line.kind != "heading"):
                continue
            if line.kind == "heading" and self._is_headline(line, kept):
                continue
            if self.prose[index]:
                kept += waiting
                kept.append(line)
                waiting = []
            elif line.kind == "heading" or (kept and self._is_beside_prose(line)):
                waiting.append(line)
        return kept

    def _is_beside_prose(self, line: Line) -> bool:
        """Whether a short line stands among paragraphs: players, buttons and counters keep to boxes of their own."""
        if line.kind != "paragraph":
            return True
        parent = line.box.parent
        return line.box.prose > 0 or (parent is not None and parent.prose > 0)

    def _is_headline(self, line: Line, kept: list[Line]) -> bool:
        """Whether a heading is the article's own, perhaps with a kicker before it."""
        if len(line.text) > _LONGEST_HEADING:
            return False
        text = folded(line.text)
        return text == self.title or (not kept and (line.box.tag == "h1" or (bool(self.title) and self.title in text)))

    def _has_title(self, line: Line) -> bool:
        if not self.title or len(line.text) > _LONGEST_HEADING:
            return False
        text = folded(line.text)
        return text == self.title or (line.box.tag == "h1" and self.title in text)


def _any_within(places: list[int], box: Box) -> bool:
    """Whether any of some lines, in order, is in a box: without a look at each line, for boxes lie in one another."""
    return bisect_left(places, box.first) < bisect_left(places, box.last)


def _is_sentence(line: Line) -> bool:
    """Whether a line that is mostly links is a sentence about what they lead to, rather than a teaser or a menu."""
    own = len(line.text) - line.linked
    return line.kind == "paragraph" and own >= max(30, 0.25 * len(line.text)) and bool(_FULL_STOP.search(line.text))


def _container(box: Box) -> str:
    return f"container {' '.join(sorted(box.names & BODY_NAMES))}"


def find(page: Page, title: str = "", summaries: tuple[str, ...] = ()) -> Finding:
    """The body of a page."""
    return Finder(page, title, summaries).find()


def all_of(page: Page, title: str = "") -> list[Line]:
    """The lines of markup that is all body, but for the headline, captions and what is furniture wherever it stands."""
    headline = folded(title)
    return [
        line
        for line in page.lines
        if line.kind != "caption" and not is_furniture(line) and (not line.text or folded(line.text) != headline)
    ]


def _once(body: list[Line]) -> list[Line]:
    """The body without its second printing, for screens of another size or behind a gate, if half of it is one."""
    seen: set[str] = set()
    again: set[str] = set()
    first: list[Line] = []
    whole = sum(len(line.text) for line in body if len(line.text) >= _LONG_ENOUGH)
    repeated = 0
    for line in body:
        length = len(line.text)
        # The second printing may be all one line.
        held = {text for text in seen if text in line.text} if length >= _TWICE * whole else {line.text} & seen
        if held and length >= _LONG_ENOUGH and sum(map(len, held)) >= _TWICE * length:
            again |= held
            repeated += length
        else:
            first.append(line)
        if length >= _LONG_ENOUGH:
            seen.add(line.text)
    return first if len(again) >= _FEWEST_AGAIN and repeated >= _TWICE * whole else body


def _article(box: Box) -> Box | None:
    """The innermost `article` element around a box."""
    around = box.parent
    while around is not None and around.tag != "article":
        around = around.parent
    return around


Home = tuple[str, frozenset[str]]


def _home(box: Box) -> Home:
    """The tag and the names of the box a line's own box stands in."""
    while box.tag in _NEVER_CONTAINERS and box.parent is not None:
        box = box.parent
    return box.tag, box.names


def is_furniture(line: Line) -> bool:
    """Whether a line is one of those that stand among paragraphs but are not the article's."""
    text = line.text
    if len(text) > _LONGEST_FURNITURE:
        return False
    lower = text.casefold()
    return (
        _begins_as_furniture(lower)
        or bool(FURNITURE.match(text))
        or (line.kind in ("paragraph", "list") and bool(STAMP.match(text)))
        or (text.endswith(")") and bool(CREDITED.search(text)))
        or (not text.isascii() and any(phrase in lower for phrase in DISCLAIMERS))
    )


def _begins_as_furniture(text: str) -> bool:
    if not text.startswith(FURNITURE_STARTS):
        return False
    rest = next(text[len(start) :] for start in FURNITURE_STARTS if text.startswith(start))
    return len(rest) <= _LONGEST_TEASER and not (rest and (rest[0].isalnum() or rest[0] == "_"))
