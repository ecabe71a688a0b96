"""Pages as sources: links by a selector, and the feeds a page names. Lists of feeds as OPML."""

from datetime import UTC, datetime

import pytest

from broadsheet.feeds import FeedError, autodiscovery, listing, opml
from broadsheet.feeds.opml import Subscription

URL = "https://herald.example/world/"
PAGE = """<!doctype html><html lang="en"><head><title> World | Herald </title><base href="/desk/">
<link rel="alternate" type="application/rss+xml" href="feed.xml" title="Desk">
<link rel="alternate stylesheet" type="text/xml" href="x.css">
<link rel="ALTERNATE" type="application/atom+xml; charset=utf-8" href="/atom">
<link rel="alternate" hreflang="fr" href="/fr/"><link rel="feed" href="feed.xml"></head><body>
<nav><a href="/about">About</a></nav>
<ul>
  <li><a class="pic" href="1"><img src="a.jpg"></a><h3><a href="1">Strike</a></h3>
    <time datetime="2026-11-23T08:00Z">today</time></li>
  <li><article><h3>Ferry <em>late</em></h3>
    <a href="https://other.example/2">more</a></article></li>
  <li><a href="3" title="Tide tables"></a></li>
  <li><a href="javascript:void(0)">menu</a></li>
  <li>no link</li>
</ul></body></html>"""


def test_links_by_selector() -> None:
    feed = listing.parse(PAGE.encode(), url=URL, select="li a")
    assert (feed.kind, feed.title, feed.language) == ("listing", "World | Herald", "en")
    assert [(entry.url, entry.headline) for entry in feed.entries] == [
        ("https://herald.example/desk/1", "Strike"),
        ("https://other.example/2", "more"),
        ("https://herald.example/desk/3", "Tide tables"),
    ]
    assert feed.entries[0].published_at == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert feed.entries[1].published_at is None


def test_a_page_in_gb2312_by_its_meta() -> None:
    page = '<meta charset="gb2312"><a href="/1">朱镕基</a>'.encode("gb18030")
    assert listing.parse(page, url=URL, select="a").entries[0].headline == "朱镕基"


def test_a_charset_that_is_none() -> None:
    page = b'<meta charset="\x01nonsense\xff"><a href="/1">One</a>'
    assert listing.parse(page, url=URL, select="a").entries[0].headline == "One"


def test_a_selected_box_stands_for_its_link() -> None:
    feed = listing.parse(PAGE.encode(), url=URL, select="article, h3")
    assert [(entry.url, entry.headline) for entry in feed.entries][:2] == [
        ("https://herald.example/desk/1", "Strike"),
        ("https://other.example/2", "Ferry late more"),
    ]


@pytest.mark.parametrize("select", ["li[", "article.gone a", "nav"])
def test_a_selector_that_finds_nothing_says_so(select: str) -> None:
    if select == "nav":
        assert listing.parse(PAGE.encode(), url=URL, select=select).entries[0].url == "https://herald.example/about"
        return
    with pytest.raises(FeedError) as caught:
        listing.parse(PAGE.encode(), url=URL, select=select)
    assert caught.value.reason == "selector"


def test_feeds_of_a_page() -> None:
    found = autodiscovery.find(PAGE.encode(), url=URL)
    assert [(link.url, link.title) for link in found] == [
        ("https://herald.example/desk/feed.xml", "Desk"),
        ("https://herald.example/atom", "https://herald.example/atom"),
    ]


@pytest.mark.parametrize("page", [b"", b"\x00\x01", b"<" * 1000, b"plain"])
def test_a_page_without_feeds(page: bytes) -> None:
    assert autodiscovery.find(page, url=URL) == ()


SUBSCRIPTIONS = (
    Subscription("https://herald.example/feed", "The Herald & more", "https://herald.example/", "News"),
    Subscription("https://rfi.example/cn", "法广", None, "中文"),
    Subscription("https://bare.example/feed", "", None, None),
)


def test_opml_round_trip() -> None:
    back = opml.read(opml.write(SUBSCRIPTIONS, title="Ours"))
    assert back[:2] == SUBSCRIPTIONS[:2]
    assert back[2] == Subscription("https://bare.example/feed", "https://bare.example/feed", None, None)


def test_opml_as_readers_export_it() -> None:
    body = b"""<?xml version="1.0"?><opml version="1.1"><body><outline title="All"><outline text="Ports">
      <outline text="Herald" type="rss" XMLURL="https://herald.example/f?a=1&b=2"/>
      <outline text="Again" xmlUrl="https://herald.example/f?a=1&amp;b=2"/><outline text="a note"/></outline></outline>
      </body></opml>"""
    assert opml.read(body) == (Subscription("https://herald.example/f?a=1&b=2", "Herald", None, "Ports"),)


@pytest.mark.parametrize(
    "body", [b"<a:b:c><opml/></a:b:c>", b"<\xed\xa0\x80>", b"<opml><outline:x:y xmlUrl='u'/></opml>"]
)
def test_names_that_are_no_names(body: bytes) -> None:
    try:
        assert opml.read(body) == ()
    except FeedError as error:
        assert error.reason in ("malformed", "not-a-feed")


@pytest.mark.parametrize(("body", "reason"), [(b"<rss/>", "not-a-feed"), (b"", "malformed"), (b"words", "not-a-feed")])
def test_no_opml(body: bytes, reason: str) -> None:
    with pytest.raises(FeedError) as caught:
        opml.read(body, name="list.opml")
    assert caught.value.subject == "list.opml"
    assert caught.value.reason in (reason, "malformed")
