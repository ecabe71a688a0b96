"""Feeds made to harm: entities, bombs, floods. Each ends soon, in little memory, and fetches or opens nothing."""

import resource
import socket
from pathlib import Path

import pytest

from broadsheet import feeds
from broadsheet.feeds import Feed, FeedError, opml, sitemap

URL = "https://herald.example/feed"
SECRET = "root:x:0:0"

ENTITIES = """<?xml version="1.0"?><!DOCTYPE rss [
  <!ENTITY a "expanded"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
  <!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]>
<rss version="2.0"><channel><item><title>&c; &file;</title><link>https://herald.example/1</link></item></channel></rss>"""

FLOODS = {
    "attributes": b"<rss " + b" ".join(b'a%d="1"' % n for n in range(20_000)) + b"/>",
    "namespaces": b"<rss " + b" ".join(b'xmlns:n%d="u"' % n for n in range(20_000)) + b"/>",
    "depth": b"<rss><channel>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</channel></rss>",
    "instructions": b"<?x y?>" * 300_000 + b"<rss/>",
    "angle brackets": b"<rss><channel>" + b"<" * 100_000,
    "open comments": b"<rss><channel>" + b"<!--" * 50_000,
    "open CDATA": b"<rss><channel>" + b"<![CDATA[" * 50_000,
    "ampersands": b"<rss><channel><title>" + b"&" * 200_000,
    "doctypes": b"<!DOCTYPE " * 50_000,
    "open scripts": b"<rss><channel><item><description><![CDATA[" + b"<script>" * 90_000 + b"]]></description></item>",
    "open entries, and a stumble": b"<rss><channel></textinput></x:y></gml:pos>"
    + b"<item>" * 90_000
    + b"</channel></rss>",
    "open entries after one": b"<rss><channel></gml:pos></x:y><item></item>" + b"<item>" * 90_000 + b"</channel></rss>",
    "text": b"<rss><channel><item><title>" + b"x" * 12_000_000 + b"</title></item></channel></rss>",
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a feed made us open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def outcome(body: bytes) -> Feed | FeedError:
    try:
        return feeds.parse(body, url=URL)
    except FeedError as error:
        return error


def test_entities_are_never_expanded_and_the_entry_is_kept() -> None:
    feed = feeds.parse(ENTITIES.encode(), url=URL)
    assert [entry.url for entry in feed.entries] == ["https://herald.example/1"]
    assert "expanded" not in repr(feed)
    assert SECRET not in repr(feed)


def test_a_plain_short_entity_is_what_its_author_meant() -> None:
    body = '<!DOCTYPE rss [<!ENTITY paper "The Herald">]><rss><channel><title>&paper;</title></channel></rss>'
    assert feeds.parse(body.encode(), url=URL).title == "The Herald"


@pytest.mark.timeout(20)  # each takes well under a second; what this catches takes minutes
@pytest.mark.parametrize("body", FLOODS.values(), ids=FLOODS)
def test_floods_end(body: bytes) -> None:
    assert isinstance(outcome(body), Feed | FeedError)


def test_a_feed_of_too_much_gives_its_first_entries() -> None:
    article = "<item><link>https://herald.example/{}</link><description><![CDATA[{}]]></description></item>"
    items = "".join(article.format(n, "<p>Line.</p>" * 1000) for n in range(120))
    feed = feeds.parse(f"<rss version='2.0'><channel>{items}</channel></rss>".encode(), url=URL)
    assert feed.entries[0].url == "https://herald.example/0"
    assert 50 < len(feed.entries) < 120
    assert "too-large" in feed.warnings


def test_bytes_are_never_taken_for_a_file_or_an_address(tmp_path: Path) -> None:
    secret = tmp_path / "feed.xml"
    secret.write_text("<rss><channel><item><title>secret</title></item></channel></rss>")
    for body in (str(secret).encode(), secret.as_uri().encode(), b"http://127.0.0.1:9/feed"):
        with pytest.raises(FeedError, match="not-a-feed"):
            feeds.parse(body, url=URL)


def test_markup_in_entries_is_sanitised() -> None:
    body = """<rss><channel><item><title>a&lt;p onclick="x()"&gt;b&lt;/p&gt;</title><description><![CDATA[
      <p onclick="x()">Words <a href="javascript:x()">link</a><iframe src="https://evil.example"></iframe></p>
      <svg onload="x()"/>]]></description><content:encoded><![CDATA[<p>Full<script>x()</script></p>
      <iframe>framed</iframe><noscript>unseen</noscript>]]></content:encoded>
      </item></channel></rss>"""
    (entry,) = feeds.parse(body.encode(), url=URL).entries
    for bad in ("script", "onclick", "javascript:", "iframe", "onload", "framed", "unseen"):
        assert bad not in entry.html + entry.title + entry.headline


def test_sitemap_entities_and_inclusions_name_no_page() -> None:
    body = """<!DOCTYPE urlset [<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY t "https://herald.example/entity">]>
      <urlset xmlns:xi="http://www.w3.org/2001/XInclude">
      <url><loc>&f;</loc></url><url><loc>&t;</loc></url>
      <url><loc><xi:include href="file:///etc/passwd" parse="text"/></loc></url>
      <url><loc>https://herald.example/real</loc></url></urlset>"""
    feed = sitemap.parse(body.encode(), url=URL)
    assert [entry.url for entry in feed.entries] == ["https://herald.example/real"]


def test_a_gzip_bomb_is_bounded() -> None:
    import gzip

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FeedError):
        sitemap.parse(gzip.compress(b"<urlset>" + b" " * 300_000_000), url=URL)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700_000  # KiB; the test holds 300 MB itself


def test_deeply_nested_outlines() -> None:
    body = b"<opml><body>" + b'<outline text="x">' * 1000 + b'<outline xmlUrl="https://herald.example/f"/>'
    (found,) = opml.read(body + b"</outline>" * 1000 + b"</body></opml>")
    assert (found.feed_url, found.category) == ("https://herald.example/f", "x")
