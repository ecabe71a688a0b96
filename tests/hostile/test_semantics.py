"""What feeds, sitemaps, robots.txt and OPML do against all sense, each case as discover and parse meet it together."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from moto import mock_aws

from broadsheet.feeds import opml
from broadsheet.robots import parse
from tests.hostile.conftest import Case
from tests.hostile.loopback import answer
from tests.stack.cloud import Cloud, unpatient
from tests.stack.newsstand import HERALD, START, Newsstand, headline, herald, item, opened, rss, sitemap

FEED, MAP, ROBOTS = f"{HERALD}/feed", f"{HERALD}/sitemap.xml", f"{HERALD}/robots.txt"
A, B, C = "/2026/11/ferry-runs-late-again", "/2026/11/library-keeps-its-owls", "/2026/11/mill-wheel-turns-back"


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Newsstand]:
    unpatient(monkeypatch)
    with mock_aws(), opened(Cloud()) as stand:
        stand.publish(A, B, C)
        yield stand


def at(hours: float) -> str:
    """An RSS date, hours after the start."""
    return format_datetime(datetime.fromtimestamp(START, UTC) + timedelta(hours=hours))


def once(stand: Newsstand, *paths: str) -> None:
    """These articles and no others are stored, and the channel heard of each once."""
    assert [one.url for one in stand.stored] == [HERALD + path for path in sorted(paths)]
    assert stand.posts == {("town", headline(path)): 1 for path in paths}


def test_every_case_has_a_test(corpus: Callable[[str], list[Case]]) -> None:
    cases = {f"test_{case['sub'].replace('-', '_').lower()}" for case in corpus("semantics.jsonl")}
    assert len(cases) == 20
    assert cases <= set(globals())


def test_guid_changes_every_fetch(stand: Newsstand) -> None:
    for n in range(4):
        stand.pages[FEED] = rss(item(A, guid=f"a{n}", pubDate=at(-1)), item(B, guid=f"b{n}", pubDate=at(-2)))
        stand.poll()
        stand.later()
    once(stand, A, B)


def test_http_https_www_slash(stand: Newsstand) -> None:
    spellings = (
        HERALD + A,
        f"https://herald.example{A}",
        f"http://www.herald.example{A}",
        f"{HERALD}{A}/",
        f"{HERALD}{A}#top",
        f"http://herald.example:80{A}",
        f"http://HERALD.Example{A}",
    )
    stand.pages[FEED] = rss(*(item(A, link=link, guid="") for link in spellings))
    (outcome,) = stand.poll()
    assert (outcome.enqueued, outcome.skipped) == (1, {"twice": 6})
    for link in reversed(spellings):
        stand.later()
        stand.pages[FEED] = rss(item(A, link=link, guid=link))
        stand.poll()
    once(stand, A)


def test_two_feeds_same_article(stand: Newsstand) -> None:
    feeds = [herald(id=f"feed{n}", url=f"{HERALD}/feed{n}") for n in range(3)]
    stand.sources = (*feeds, herald(id="map", url=MAP, kind="sitemap"))
    stand.pages |= {source.url: rss(item(A)) for source in feeds} | {MAP: sitemap(HERALD + A)}
    stand.poll()
    once(stand, A)
    assert stand.stored[0].sources == {"feed0", "feed1", "feed2", "map"}


def test_amp_and_canonical(stand: Newsstand) -> None:
    stand.publish(A, (f"{A}/amp", headline(A)), canonical=HERALD + A)
    stand.pages[FEED] = rss(item(f"{A}/amp", title=headline(A)), item(A))
    stand.poll()
    once(stand, A)


def test_guid_reused(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A, guid="1", pubDate=at(-2)), item(B, guid="1", pubDate=at(-1)))
    stand.poll()
    stand.later()
    stand.pages[FEED] = rss(item(C, guid="1", pubDate=at(1)))
    stand.poll()
    once(stand, A, B, C)


def test_no_date(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    stand.later()
    stand.pages[FEED] = rss(item(A), item(B), item(C))
    stand.poll()
    stand.poll()
    once(stand, A, B, C)


def test_date_moves_forward(stand: Newsstand) -> None:
    for hour in range(4):
        stand.pages[FEED] = rss(item(A, pubDate=at(hour)), item(B, pubDate=at(hour)))
        stand.poll()
        stand.later()
    once(stand, A, B)


def test_feed_empties(stand: Newsstand) -> None:
    for feed in (rss(item(A), item(B)), rss(), rss(item(A), item(B), item(C))):
        stand.pages[FEED] = feed
        stand.poll()
        stand.later()
    once(stand, A, B, C)


def test_feed_truncated(stand: Newsstand) -> None:
    whole = rss(item(A), item(B), item(C))
    stand.pages[FEED] = whole[: whole.index(b"</item>") + 60]
    (outcome,) = stand.poll()
    assert outcome.enqueued == 1
    assert "truncated" in outcome.reason
    stand.later()
    stand.pages[FEED] = whole
    stand.poll()
    once(stand, A, B, C)


def test_feed_ids_migrate(stand: Newsstand) -> None:
    paths = [f"/2026/11/story-{n}-of-the-long-winter" for n in range(40)]
    stand.publish(*paths)
    stand.pages[FEED] = rss(*(item(path, pubDate=at(-n)) for n, path in enumerate(paths)))
    stand.sources = (herald(announce_first=0),)
    stand.poll()
    assert (len(stand.stored), len(stand.posts)) == (40, 0)
    stand.later()
    new, news = "http://gazette.example", "/2026/11/first-story-of-the-new-house"
    stand.publish(*paths, news, site=new)
    moved = [item(path, site=new, guid=f"new{n}", pubDate=at(-n)) for n, path in enumerate(paths)]
    stand.pages[FEED] = answer(status="301 Moved Permanently", headers={"Location": f"{new}/feed"})
    stand.pages[f"{new}/feed"] = rss(item(news, site=new, pubDate=at(0.5)), *moved, link=f"{new}/")
    stand.poll()
    assert len(stand.stored) == 81, "nothing is lost: what lies at the new address may be more than a copy"
    assert stand.posts == {("town", headline(news)): 1}, "but only what is newer than anything known is announced"


def test_enclosure_only(stand: Newsstand) -> None:
    """The rule: a sound is no page; such an entry is counted as having no link, and its neighbours are taken."""
    sound = "<item><title>Episode 9</title><enclosure url='http://herald.example/9.mp3' type='audio/mpeg' length='1'/>"
    stand.pages[FEED] = rss(f"{sound}<guid isPermaLink='false'>e9</guid></item>", item(A))
    (outcome,) = stand.poll()
    assert outcome.skipped == {"no-link": 1}
    once(stand, A)


def test_content_encoded_5mb(stand: Newsstand) -> None:
    """No claim check: a text beyond any article's length stays behind, and the page, which is asked for, has it."""
    words = "".join(f"<p>{n}: {'every boat of the ledger, ' * 8}</p>" for n in range(25_000))
    full = f"<description><![CDATA[{words}]]></description>"
    stand.pages[FEED] = rss(item(A).replace("</item>", f"{full}</item>"), item(B))
    assert len(stand.pages[FEED]) > 5_000_000
    (outcome,) = stand.poll()
    assert (outcome.status, outcome.enqueued) == ("found", 2)
    once(stand, A, B)
    assert {one.origin for one in stand.stored} == {"page"}


def test_sitemap_index_loop(stand: Newsstand) -> None:
    stand.sources = (herald(url=MAP, kind="sitemap"),)
    other = f"{HERALD}/other.xml"
    stand.pages |= {MAP: index(MAP, other, f"{HERALD}/a.xml"), other: index(MAP, other)}
    stand.pages[f"{HERALD}/a.xml"] = sitemap(HERALD + A)
    stand.poll()
    once(stand, A)
    assert stand.fetched.count(MAP) == 1


def test_sitemap_50k_x_50k(stand: Newsstand) -> None:
    """Of 50,000 sitemaps a poll reads ten, and of their articles takes what the source allows."""
    stand.sources = (herald(url=MAP, kind="sitemap", max_new_per_poll=5),)
    stand.pages[MAP] = index(*(f"{HERALD}/map{n}.xml" for n in range(50_000)))
    urls = [f"{HERALD}/2026/{n}-story" for n in range(2_500)]
    for n in range(20):
        stand.pages[f"{HERALD}/map{n}.xml"] = sitemap(*urls)
    (outcome,) = stand.discoverer().run(force=True)
    assert (outcome.entries, outcome.enqueued) == (25_000, 5)
    assert len(stand.fetched) == 11


def test_sitemap_foreign_host(stand: Newsstand) -> None:
    foreign = f"http://gazette.example{B}"
    stand.publish(B, site="http://gazette.example")
    stand.sources = (herald(url=MAP, kind="sitemap"),)
    stand.pages[MAP] = sitemap(HERALD + A, foreign)
    (outcome,) = stand.poll()
    assert outcome.skipped == {"off-site": 1}
    once(stand, A)
    stand.sources = (herald(id="both", url=MAP, kind="sitemap", off_site=True),)
    stand.poll()
    assert [one.url for one in stand.stored] == [foreign, HERALD + A]


def test_robots_404(stand: Newsstand) -> None:
    assert ROBOTS not in stand.pages
    stand.pages[FEED] = rss(item(A))
    stand.poll()
    once(stand, A)


def test_robots_10mb(stand: Newsstand) -> None:
    rules = f"User-agent: *\nDisallow: {A}\n".encode()
    stand.pages[ROBOTS] = rules + b"# the rest says nothing, at length\n" * 300_000 + b"Disallow: /\n"
    assert len(stand.pages[ROBOTS]) > 10_000_000
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    once(stand, B)


def test_robots_redirect_5(stand: Newsstand) -> None:
    for n in range(5):
        stand.pages[f"{HERALD}/robots{n or ''}.txt"] = answer(
            status="301 Moved Permanently", headers={"Location": f"/robots{n + 1}.txt"}
        )
    stand.pages[f"{HERALD}/robots5.txt"] = f"User-agent: *\nDisallow: {A}\n".encode()
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    once(stand, B)


@pytest.mark.parametrize("ending", ["\r", "\r\n", "\n"])
def test_robots_bom_crlf_cr(ending: str) -> None:
    robots = parse("\ufeffUser-agent: *|Disallow: /private|Crawl-delay: 3|".replace("|", ending).encode())
    assert not robots.allows(f"{HERALD}/private/1", "Broadsheet")
    assert robots.allows(f"{HERALD}/public", "Broadsheet")
    assert robots.crawl_delay("Broadsheet") == 3


def test_opml_nested_1000() -> None:
    inside = f"<outline text='Herald' xmlUrl='{FEED}'/>"
    nested = "<outline text='folder'>" * 1000 + inside + "</outline>" * 1000
    (found,) = opml.read(f"<opml version='2.0'><body>{nested}</body></opml>".encode())
    assert (found.feed_url, found.category) == (FEED, "folder")


def index(*urls: str) -> bytes:
    """A sitemap index."""
    maps = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{maps}</sitemapindex>".encode()
