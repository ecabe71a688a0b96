"""The pages as a browser shows them: on phone and desk, light and dark, in any script, whatever a title holds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import feedparser
import pytest

from broadsheet import pages
from broadsheet.pages import Standing
from broadsheet.source import Source
from broadsheet.store import Record
from tests.browser import Browser, Page

SIZES = {"phone": 320, "desk": 1280}  # CSS pixels: the narrowest phone still about, what WCAG 1.4.10 asks reflow for
AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
HOSTILE = (
    "</title></h1><script>document.title='gone'</script><img src=http://127.0.0.1:9/x onerror=document.title=1>]]>"
)


def record(number: int, title: str, summary: str, **more: Any) -> Record:
    at = f"{AT - timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}"
    url = more.pop("url", f"https://news.example/{number}")
    id = f"a{number}".ljust(26, "b")
    return Record(
        id=id, status="stored", url=url, source="s", first_seen=at, sort_at=at, title=title, summary=summary, **more
    )


def source(id: str, name: str, language: str | None = None) -> Source:
    return Source(id=id, name=name, url=f"https://{id}.example/feed", language=language)


ZH = ("风暴过后渡轮恢复通航，首班船清晨离港" * 3, "港口于黎明时分重新开放。" * 30)
AR = ("عودة العبّارة بعد العاصفة", "فُتح الميناء عند الفجر. تبحر سفينتان اليوم.")
LONG = "https://" + "h" * 200 + ".example/" + "p" * 1500
SOURCES: dict[str, tuple[Source, list[Record]]] = {
    "english": (
        source("harbour", "Harbour Gazette", "en"),
        [record(i, f"Ferry {i} resumes", "The harbour opened at dawn.", authors=("Ida Berg",)) for i in range(9)],
    ),
    "chinese": (source("qinghe", "清河日报", "zh"), [record(i, *ZH, language="zh") for i in range(5)]),
    "arabic": (source("mina", "أخبار الميناء", "ar"), [record(i, *AR, language="ar") for i in range(5)]),
    "long words": (
        source("long", "S" * 300),
        [record(0, "Donaudampfschifffahrt" * 30, "x" * 1900, authors=("A" * 90,), url=LONG)],
    ),
    "hostile": (
        source("hostile", HOSTILE, '"><script>1</script>'),
        [
            record(0, HOSTILE, HOSTILE, authors=(HOSTILE,), tags=(HOSTILE,), url="javascript:document.title=1"),
            record(
                1,
                "](javascript:x) [a](b)\x00\u202e",
                "<style>*{display:none}</style>",
                url=f"https://x.example/{HOSTILE}",
            ),
        ],
    ),
    "empty": (source("empty", "Empty"), []),
}
STANDINGS = [
    Standing(
        source=source,
        days=tuple((f"2026-02-{day:02}", day * 7 % 23) for day in range(1, 29)),
        state="failing" if name == "hostile" else "well",
        reason=HOSTILE,
        since=AT.timestamp(),
        newest="2026-03-04",
    )
    for name, (source, _) in SOURCES.items()
]
PAGES = {name: pages.source_page(source, records) for name, (source, records) in SOURCES.items()} | {
    "index": pages.index(STANDINGS),
    "health": pages.health(STANDINGS),
}


def luminance(page: Page, expression: str) -> float:
    """Of a CSS colour, as WCAG reckons it."""
    parts: list[int] = page.evaluate(f"{expression}.match(/[0-9.]+/g).slice(0, 3).map(Number)")
    linear = [v / 12.92 if (v := part / 255) <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("size", SIZES)
def test_nothing_sticks_out_loads_or_runs(browser: Browser, name: str, size: str) -> None:
    with browser.page(SIZES[size], mobile=size == "phone") as page:
        page.show(PAGES[name])
        title = page.evaluate("document.title")
        wide, needed = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert needed == wide <= SIZES[size]
        assert page.evaluate("document.querySelectorAll('script, img, iframe, object, base').length") == 0
        assert [url for url in page.requests if not url.startswith("data:text/html")] == []
        assert page.errors == []
        assert title not in ("gone", "1")


@pytest.mark.parametrize("name", ["english", "chinese", "arabic", "hostile"])
def test_every_word_is_shown(browser: Browser, name: str) -> None:
    _, records = SOURCES[name]
    with browser.page(SIZES["phone"]) as page:
        page.show(PAGES[name])
        shown = "".join(str(page.evaluate("document.body.innerText")).split())
        for one in records:
            for text in (one.title, one.summary, *one.authors):
                assert "".join(c for c in text if c.isprintable() and not c.isspace()) in shown


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["english", "health"])
def test_text_can_be_read_by_day_and_by_night(browser: Browser, name: str, scheme: str) -> None:
    with browser.page() as page:
        page.scheme(scheme)
        page.show(PAGES[name])
        paper = luminance(page, "getComputedStyle(document.body).backgroundColor")
        assert (paper > 0.5) == (scheme == "light")
        for words in ("h1", "h2 a", "nav a", ".small", *([".bad"] if name == "health" else ["li p:last-child"])):
            ink = luminance(page, f"getComputedStyle(document.querySelector({json.dumps(words)})).color")
            assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, words  # WCAG 1.4.3


def test_right_to_left_text_starts_at_the_right(browser: Browser) -> None:
    start = "getComputedStyle(document.querySelector('li h2')).direction"
    with browser.page() as page:
        for name, direction in (("arabic", "rtl"), ("english", "ltr"), ("chinese", "ltr")):
            page.show(PAGES[name])
            assert page.evaluate(start) == direction


def test_links_lead_to_the_articles_and_to_nothing_else(browser: Browser) -> None:
    with browser.page() as page:
        page.show(PAGES["hostile"])
        found = page.evaluate("[...document.querySelectorAll('main a')].map(one => one.getAttribute('href'))")
    assert [url.startswith("https://x.example/") for url in found] == [True]


@pytest.mark.parametrize("name", SOURCES)
def test_feeds_are_what_a_feed_reader_reads(name: str) -> None:
    paper, records = SOURCES[name]
    read = feedparser.parse(pages.atom(paper, records, base="https://pages.example/s/").encode())
    assert not read.bozo
    assert [entry.id for entry in read.entries] == [f"urn:broadsheet:article:{one.id}" for one in records]
    if name == "chinese":
        assert [entry.title for entry in read.entries] == [one.title for one in records]
    feed = json.loads(pages.json_feed(paper, records))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["id"] for item in feed["items"]] == [entry.id for entry in read.entries]
    assert all("content_text" in item for item in feed["items"])


def test_the_list_is_one_line_an_article_whatever_its_title() -> None:
    lines = pages.markdown(*SOURCES["hostile"], ZoneInfo("UTC")).rstrip("\n").split("\n\n")
    assert len(lines) == 3
    assert lines[2].startswith("3-4 [\\](javascript:x) \\[a\\](b)](<https://x.example/")
    assert "<script" not in "".join(lines).replace("\\<script", "")
