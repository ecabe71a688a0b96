"""Pages made to cost, each against one loop or pattern of extraction, as large as the caps before parsing let pass."""

from collections.abc import Callable
from typing import Final

SENTENCE = b"The ferry sailed, as it should, at ten, and nobody was left upon the quay. "
TAGS = 99_000  # nearly extract.tree.MAX_TAGS
SIZE = 7_900_000  # bytes, nearly extract.tree.MAX_BYTES


def _filled(before: bytes, again: bytes, after: bytes = b"") -> bytes:
    """`again` as often as a page of the largest size holds it."""
    return before + again * ((SIZE - len(before) - len(after)) // len(again)) + after


def _repeated(again: bytes, tags: int = 1, before: bytes = b"", after: bytes = b"") -> bytes:
    """`again`, which has so many tags, as often as a page may have tags and bytes."""
    room = (SIZE - len(before) - len(after)) // len(again)
    return before + again * min(TAGS // tags - 600, room) + after


def _numbered(pattern: str, tags: int = 1, before: bytes = b"", after: bytes = b"") -> bytes:
    """The same, each with a number of its own."""
    count = min(TAGS // tags - 600, (SIZE - len(before) - len(after)) // len(pattern % 10_000))
    return before + b"".join((pattern % n).encode() for n in range(count)) + after


def _script(text: bytes) -> bytes:
    return b'<script type="application/ld+json">' + text + b"</script><article><p>" + SENTENCE * 9


_STORY = b"<p>" + SENTENCE * 9 + b"</p>"
_DEEP = b"<div>" * 240

PAGES: Final[dict[str, Callable[[], bytes]]] = {
    "one text": lambda: _filled(b"<article><p>", SENTENCE),
    "words of two letters": lambda: _filled(b"<article><p>", b"it "),
    "wide letters": lambda: _filled("<article><p>\U0001f4f0".encode(), b"it is "),
    "ideographs": lambda: _filled(b"<article><p>", "渡轮按时出港码头上没有人被留下".encode()),
    "ideographs in another set": lambda: _filled(b"<article><p>", "渡轮按时出港码头上没有人被留下".encode("gb18030")),
    "a million sentences": lambda: _filled(b"<article><p>", b"A. "),
    "paragraphs": lambda: _repeated(b"<p>" + SENTENCE, before=b"<article>"),
    "paragraphs, 240 deep": lambda: _repeated(b"<p>" + SENTENCE, before=_DEEP),
    "short lines, 240 deep": lambda: _repeated(b"<p>A line.", before=_DEEP + _STORY),
    "cells, 240 deep": lambda: _repeated(b"<td>One.<td>Two.<tr>", 3, before=_DEEP + _STORY + b"<table><tr>"),
    "list items, 240 deep": lambda: _repeated(b"<li>" + SENTENCE, before=_DEEP + _STORY + b"<ul>"),
    "nested boxes": lambda: _repeated(b"<div>" + SENTENCE),
    "nested emphasis": lambda: _repeated(b"<b>" + SENTENCE, before=b"<article><p>"),
    "nested times": lambda: _repeated(b"<time>" + SENTENCE),
    "nested authors": lambda: _repeated(b"<div rel=author>" + SENTENCE),
    "nested signatures": lambda: _repeated(b"<div>by <b>us</b> ", 3),
    "nested headlines": lambda: _repeated(b"<h1><div>" + SENTENCE, 2),
    "nested figures": lambda: _repeated(b"<figure><figcaption>" + SENTENCE, 2, before=_STORY),
    "authors side by side": lambda: _repeated(b'<span rel="author"></span>', 2, before=b"<p>"),
    "authors by class": lambda: _repeated(b'<span class="byline">Ann Lee</span>', 2, before=b"<p>"),
    "authors in meta": lambda: _numbered('<meta name="author" content="Ann Lee%d">', after=_STORY),
    "names of the site": lambda: _numbered('<meta property="og:site_name" content="The Herald %d">', after=_STORY),
    "headlines": lambda: _numbered("<h1>The ferry sails again on day %d</h1>", 2, after=_STORY),
    "titles": lambda: _numbered("<title>The ferry sails again on day %d</title>", 2, after=_STORY),
    "a long title": lambda: _filled(b"<title>", b"Ferry - Herald ", b"</title><article>" + _STORY),
    "a long headline": lambda: _filled(b"<article>" + _STORY + b"<h1>", b"Ferry - Herald ", b"</h1>"),
    "a long description": lambda: _filled(b'<meta name=description content="', b"Ferry. ", b'"><article>' + _STORY),
    "pictures": lambda: _numbered('<img src="/%d.jpg">', before=b"<article>" + _STORY, after=_STORY),
    "pictures in a figure": lambda: _numbered(
        '<img src="/%d.jpg"><figcaption>It.</figcaption>', 3, before=b"<article>" + _STORY + b"<figure>", after=_STORY
    ),
    "embeds": lambda: _numbered('<iframe src="/%d"></iframe>', 2, before=b"<article>" + _STORY, after=_STORY),
    "links": lambda: _numbered(
        '<a href="/2026/%d?of=the+day">ferry</a> sailed, ', 2, before=b"<article>" + _STORY + b"<p>", after=_STORY
    ),
    "links in paragraphs": lambda: _numbered(
        f'<p><a href="/%d">ferry</a> {SENTENCE.decode()}</p>', 4, before=b"<article>"
    ),
    "a long address": lambda: _filled(b'<article><p><a href="', b"../", b'">x</a>' + SENTENCE * 9),
    "entities": lambda: _filled(b"<article><p>", b"&amp;"),
    "entities in emphasis": lambda: _repeated(
        b"<p><i>" + b"&lt;" * 900 + b"</i>" + SENTENCE + b"</p>", 4, before=b"<article>"
    ),
    "classes": lambda: b'<article><p class="' + b" ".join(b"c%d" % n for n in range(950_000)) + b'">' + SENTENCE * 9,
    "classes on each": lambda: _numbered('<div class="lead-%d shared-%d">'.replace('-%d"', '-x"') + "Ab.</div>", 2),
    "attributes": lambda: _repeated(
        b"<p " + b" ".join(b"a%d=1" % n for n in range(4_900)) + b">" + SENTENCE, before=b"<article>"
    ),
    "angle brackets": lambda: b"<article>" + _STORY + b"< " * 98_000,
    "comments": lambda: _repeated(b"<!-- x -->", before=b"<article>" + _STORY),
    "tables": lambda: _repeated(b"<table><tr><td>One.<td>Two.</table>", 5, before=b"<article>" + _STORY),
    "nested tables": lambda: _repeated(b"<table><tr><td>One.<td>Two.", 4, before=b"<article>" + _STORY),
    "nested lists": lambda: _repeated(b"<ul><li>" + SENTENCE, 2, before=b"<article>" + _STORY),
    "JSON-LD, white space": lambda: _script(b'{"author":' + b" " * 190_000 + b"x"),
    "JSON-LD, white space after a comment": lambda: _script(b"{-->" + b" " * 400_000 + b"x"),
    "JSON-LD, open strings": lambda: b"".join(_script(b'{"headline":"' * 15_000 + b"x") for _ in range(38)),
    "JSON-LD, open authors": lambda: b"".join(_script(b'{"author":{"name":"' * 10_000 + b"x") for _ in range(38)),
    "JSON-LD, many broken": lambda: _repeated(
        b'<script type="application/ld+json">{"headline":x}</script>', 2, after=b"<article>" + _STORY
    ),
    "JSON-LD, a graph": lambda: _script(
        b'{"@graph":[' + b",".join(b'{"@type":"Article","headline":"H %d"}' % n for n in range(180_000)) + b"]}"
    ),
    "JSON-LD, graphs of graphs": lambda: _script(
        b"[" + b",".join(b"[" + b",".join(b'{"@type":"A"}' for _ in range(1_900)) + b"]" for _ in range(290)) + b"]"
    ),
    "JSON-LD, twins": lambda: _script(
        b"[" + b",".join(b'{"@type":"A","x":[' + b"[]," * 13_000 + b"%d]}" % n for n in range(190)) + b"]"
    ),
    "JSON-LD, numbers": lambda: _script(b"[" + b",".join([b"1"] * 3_900_000) + b"]"),
    "JSON-LD, empty lists": lambda: _script(b"[" + b",".join([b"[]"] * 2_600_000) + b"]"),
    "JSON-LD, objects": lambda: _script(b"[" + b",".join([b'{"":{}}'] * 980_000) + b"]"),
    "JSON-LD, a number": lambda: _script(b'{"wordCount":' + b"9" * 7_000_000 + b"}"),
    "JSON-LD, keywords": lambda: _script(b'{"@type":"Article","keywords":"' + b"a,b," * 1_900_000 + b'"}'),
    "JSON-LD, authors": lambda: _script(
        b'{"@type":"Article","author":[' + b",".join(b'{"name":"Ann Lee %d"}' % n for n in range(300_000)) + b"]}"
    ),
    "angle brackets in no set": lambda: b"\xff\xfe\xfd<article>" + b"<" * 90_000 + _STORY,
    "open styles in no set": lambda: b"\x81\x8d<article>" + b"<style>" * 18_000 + b"\x81\x8d" * 50_000,
    "open quotes in metas": lambda: b'<meta "' * 1_000 + _STORY,
    "dates in a script": lambda: _filled(b"<script>", b"datePublished\\\"':", b"</script>" + _STORY),
    "dates in lines": lambda: _repeated(b"<p>2026 2026 12.12.12 at 2026", before=_STORY),
    "times": lambda: _repeated(b"<time>x</time>", 2, after=_STORY),
    "marks": lambda: _filled(b"<article><p>" + SENTENCE, b"...", b" x"),
    "accents": lambda: _filled(b"<article><p>" + SENTENCE + b"a", "\u0301".encode()),
    "ligatures": lambda: _filled(b"<article><h1>" + SENTENCE, "\ufdfa".encode(), b"</h1>" + _STORY),
    "white space": lambda: _filled(b"<article><p>" + SENTENCE, b" \n\t", b"</p>" + _STORY),
    "captions": lambda: _filled(
        b"<article>" + _STORY + b"<figure><img src=/1.jpg><figcaption>",
        b"photo by x ",
        b"</figcaption></figure>" + _STORY,
    ),
    "separators": lambda: _repeated(b"<p>" + b"Home | " * 11, before=b"<article>" + _STORY),
}
