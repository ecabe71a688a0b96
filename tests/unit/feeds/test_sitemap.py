"""Sitemaps in every form the protocol and its bad habits allow."""

import gzip
from datetime import UTC, datetime

import pytest

from broadsheet.feeds import FeedError, sitemap

URL = "https://herald.example/sitemap.xml"
NEWS = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:n="http://www.google.com/schemas/sitemap-news/0.9"
        xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
  <url><loc>https://herald.example/old</loc><lastmod>2026-11-01</lastmod></url>
  <url><loc>https://herald.example/undated</loc></url>
  <url>
    <loc> https://herald.example/new?a=1&amp;b=2 </loc>
    <n:news><n:publication><n:name>The Herald</n:name><n:language>zh</n:language></n:publication>
      <n:publication_date>2026-11-23T08:00:00+08:00</n:publication_date><n:title>港口 &amp; 船</n:title>
      <n:keywords>港口, 罢工</n:keywords></n:news>
    <image:image><image:loc>https://img.example/crane.jpg</image:loc></image:image>
    <lastmod>2026-11-23T01:00:00Z</lastmod>
  </url>
</urlset>"""


def test_news_newest_first() -> None:
    feed = sitemap.parse(NEWS.encode(), url=URL)
    assert (feed.kind, feed.title, feed.warnings) == ("sitemap", "The Herald", ())
    assert [entry.url for entry in feed.entries] == [
        "https://herald.example/new?a=1&b=2",
        "https://herald.example/old",
        "https://herald.example/undated",
    ]
    newest = feed.entries[0]
    assert newest.headline == "港口 & 船"
    assert newest.published_at == datetime(2026, 11, 23, 0, tzinfo=UTC)
    assert newest.updated_at == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert (newest.language, newest.tags, newest.image) == ("zh", ("港口", "罢工"), "https://img.example/crane.jpg")
    assert feed.entries[1].published_at == datetime(2026, 11, 1, tzinfo=UTC)


INDEX = """<sitemapindex>
  <sitemap><loc>https://herald.example/2025.xml</loc><lastmod>2025-12-31</lastmod></sitemap>
  <sitemap><loc>https://herald.example/2026.xml.gz</loc><lastmod>2026-11-23</lastmod></sitemap>
  <sitemap><loc>https://herald.example/sitemap.xml</loc></sitemap>
  <sitemap><loc>https://herald.example/2025.xml</loc></sitemap>
</sitemapindex>"""


def test_an_index_gives_its_children_once_newest_first_and_never_itself() -> None:
    feed = sitemap.parse(INDEX.encode(), url=URL)
    assert (feed.kind, feed.entries) == ("sitemap-index", ())
    assert feed.children == ("https://herald.example/2026.xml.gz", "https://herald.example/2025.xml")


@pytest.mark.parametrize(
    "packed", [gzip.compress(NEWS.encode()), NEWS.encode("utf-16"), b"\xef\xbb\xbf\n" + NEWS[38:].encode()]
)
def test_packings(packed: bytes) -> None:
    assert len(sitemap.parse(packed, url=URL).entries) == 3


def test_a_list_of_addresses() -> None:
    body = b"https://herald.example/a\r\nherald.example/b\n\n# note\nftp://herald.example/c\n"
    feed = sitemap.parse(body, url=URL, content_type="text/plain")
    assert [entry.url for entry in feed.entries] == ["https://herald.example/a", "http://herald.example/b"]


def test_a_feed_served_as_a_sitemap() -> None:
    body = b"<rss><channel><item><link>https://herald.example/a</link></item></channel></rss>"
    assert sitemap.parse(body, url=URL).kind == "rss"


@pytest.mark.parametrize("length", range(NEWS.index("<url>") + 60, len(NEWS) - 1, 41))
def test_a_cut_sitemap_gives_what_came_before_the_break(length: int) -> None:
    body = NEWS.encode()[: len(NEWS[:length].encode())]
    feed = sitemap.parse(body, url=URL)
    assert {entry.url for entry in feed.entries} <= {
        entry.url for entry in sitemap.parse(NEWS.encode(), url=URL).entries
    }
    assert len(feed.entries) == NEWS[:length].count("</loc>")
    assert feed.warnings == ("truncated",)


def test_a_cut_gzip() -> None:
    packed = gzip.compress(NEWS.encode() + b" " * 50_000)
    assert "truncated" in sitemap.parse(packed[:-20], url=URL).warnings


def test_more_than_the_protocol_allows() -> None:
    body = (
        "<urlset>" + "".join(f"<url><loc>https://herald.example/{n}</loc></url>" for n in range(50_010)) + "</urlset>"
    )
    feed = sitemap.parse(body.encode(), url=URL)
    assert len(feed.entries) == sitemap.MAX_URLS
    assert feed.warnings == ("too-large",)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"nothing here", "not-a-feed"),
        (b"<html><body/></html>", "html"),
        (b"<note/>", "not-a-feed"),
        (b"<urlset><url>", "malformed"),
        (b"\x1f\x8bnot gzip", "malformed"),
    ],
)
def test_what_is_no_sitemap_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(FeedError) as caught:
        sitemap.parse(body, url=URL)
    assert caught.value.reason == reason
