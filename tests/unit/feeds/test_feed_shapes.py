"""One feed of each kind, in our own words, and what becomes of it."""

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadsheet import feeds
from broadsheet.feeds import Entry, Feed

URL = "https://herald.example/feeds/world.xml"


def read(body: str | bytes, content_type: str | None = None) -> Feed:
    return feeds.parse(body.encode() if isinstance(body, str) else body, url=URL, content_type=content_type)


def only(body: str | bytes, content_type: str | None = None) -> Entry:
    (entry,) = read(body, content_type).entries
    return entry


RSS2 = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"
     xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"
     xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">
<channel>
  <title>The Herald &amp;amp; Gazette</title>
  <link>https://herald.example/</link>
  <language>en-GB</language>
  <ttl>30</ttl>
  <sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>
  <atom:link rel="self" href="https://herald.example/feeds/world.xml"/>
  <atom:link rel="hub" href="https://hub.example/"/>
  <item>
    <title>Harbour strike &amp;mdash; &lt;i&gt;third&lt;/i&gt; week</title>
    <link>/2026/strike?utm_source=rss</link>
    <guid isPermaLink="false">herald-42</guid>
    <pubDate>Mon, 23 Nov 2026 09:30:00 +0100</pubDate>
    <dc:creator>Ada Quill</dc:creator>
    <category>Ports</category><category>Labour</category><category>Ports</category>
    <description>&lt;p&gt;Cranes&amp;nbsp;stand still.&lt;/p&gt;&lt;p&gt;So do ships.&lt;/p&gt;</description>
    <content:encoded><![CDATA[<p>Cranes stand still.</p><script>x()</script>
    <p onclick="x()">Ships wait.</p>]]></content:encoded>
    <media:content url="https://img.example/crane.jpg" medium="image"/>
  </item>
</channel></rss>"""


def test_rss_2() -> None:
    feed = read(RSS2)
    assert (feed.kind, feed.title, feed.link, feed.language) == (
        "rss",
        "The Herald & Gazette",
        "https://herald.example/",
        "en-GB",
    )
    assert (feed.ttl_minutes, feed.update_minutes) == (30, 360)
    assert (feed.self_url, feed.hub, feed.warnings) == (URL, "https://hub.example/", ())
    (entry,) = feed.entries
    assert entry.headline == "Harbour strike — third week"
    assert "<i>third</i>" in entry.title
    assert entry.url == "https://herald.example/2026/strike?utm_source=rss"
    assert entry.id == "herald-42"
    assert entry.published_at == datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    assert entry.updated_at is None
    assert entry.authors == ("Ada Quill",)
    assert entry.tags == ("Ports", "Labour")
    assert entry.summary == "Cranes stand still. So do ships."
    assert entry.html == "<p>Cranes stand still.</p>\n    <p>Ships wait.</p>"
    assert entry.image == "https://img.example/crane.jpg"
    assert entry.language == "en-GB"


def test_rdf() -> None:
    feed = read("""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
      xmlns:dc="http://purl.org/dc/elements/1.1/">
      <channel rdf:about="https://herald.example/"><title>Herald</title><link>https://herald.example/</link></channel>
      <item rdf:about="urn:herald:1"><title>Ferry</title><link>https://herald.example/ferry</link>
        <dc:date>2026-11-23T08:00:00+01:00</dc:date></item></rdf:RDF>""")
    assert feed.kind == "rdf"
    (entry,) = feed.entries
    assert (entry.id, entry.url) == ("urn:herald:1", "https://herald.example/ferry")
    assert entry.published_at == datetime(2026, 11, 23, 7, tzinfo=UTC)


def test_atom() -> None:
    feed = read("""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="zh" xml:base="https://herald.example/cn/">
      <title type="html">&lt;b&gt;先驱&lt;/b&gt;报</title><id>urn:1</id><updated>2026-11-23T00:00:00Z</updated>
      <link rel="self" href="atom.xml"/><link rel="next" href="atom.xml?page=2"/>
      <entry><id>tag:herald.example,2026:7</id><title>港口 &lt; 三周</title>
        <link rel="enclosure" type="image/jpeg" href="crane.jpg"/><link rel="alternate" href="2026/7"/>
        <published>2026-11-22T23:00:00Z</published><updated>2026-11-23T01:00:00Z</updated>
        <author><name>墨</name></author><summary>船停了。</summary>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>船停了。</p></div></content></entry></feed>""")
    assert (feed.kind, feed.title, feed.language) == ("atom", "先驱报", "zh")
    assert feed.next_url == "https://herald.example/cn/atom.xml?page=2"
    (entry,) = feed.entries
    assert entry.headline == "港口 < 三周"
    assert entry.url == "https://herald.example/cn/2026/7"
    assert entry.image == "https://herald.example/cn/crane.jpg"
    assert entry.published_at == datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert entry.updated_at == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert "<p>船停了。</p>" in entry.html
    assert (entry.summary, entry.authors, entry.language) == ("船停了。", ("墨",), "zh")


def test_json_feed() -> None:
    feed = read("""{"version": "https://jsonfeed.org/version/1.1", "title": "Herald", "language": "en",
      "home_page_url": "https://herald.example/", "feed_url": "/feed.json", "next_url": "/feed.json?p=2",
      "hubs": [{"type": "rssCloud", "url": "https://no.example/"}, {"type": "WebSub", "url": "https://hub.example/"}],
      "authors": [{"name": "The desk"}],
      "items": [
        {"id": 7, "url": "/ferry", "title": "Ferry <timetable>", "content_html": "<p>At six.</p><script>x</script>",
         "date_published": "2026-11-23T06:00:00Z", "tags": ["Sea", 3], "image": "/f.jpg"},
        {"id": "https://herald.example/note", "content_text": "One.\\n\\nTwo & three."},
        "junk"]}""")
    assert (feed.kind, feed.hub, feed.self_url) == ("json", "https://hub.example/", "https://herald.example/feed.json")
    assert feed.next_url == "https://herald.example/feed.json?p=2"
    ferry, note = feed.entries
    assert (ferry.id, ferry.url, ferry.headline) == ("7", "https://herald.example/ferry", "Ferry <timetable>")
    assert (ferry.html, ferry.tags, ferry.authors) == ("<p>At six.</p>", ("Sea",), ("The desk",))
    assert ferry.published_at == datetime(2026, 11, 23, 6, tzinfo=UTC)
    assert note.url == "https://herald.example/note"
    assert note.html == "<p>One.</p><p>Two &amp; three.</p>"
    assert note.published_at is None


def test_escaped_control_characters_reach_no_text() -> None:
    entry = only('{"items": [{"id": "1", "title": "A\\u0000B\\u001b[0m", "content_html": "<p>C&#7;D</p>"}]}')
    assert entry.headline == "A B [0m"
    assert "\x07" not in entry.summary


def item(inside: str, attributes: str = "") -> str:
    return f'<rss version="2.0"{attributes}><channel><title>t</title><item>{inside}</item></channel></rss>'


@pytest.mark.parametrize(
    ("inside", "url"),
    [
        ("<guid>https://herald.example/a</guid>", "https://herald.example/a"),
        ('<guid isPermaLink="false">https://herald.example/a</guid>', "https://herald.example/a"),
        ("<link> https://herald.example/a </link>", "https://herald.example/a"),
        ("<link>a b</link>", "https://herald.example/feeds/a%20b"),
        ('<guid isPermaLink="false">42</guid>', None),
        ("<link>javascript:alert(1)</link>", None),
        ("<link></link>", None),
        ("<guid>42</guid>", None),
        ("<guid>https://herald.example/a?x=1&amp;y=2</guid>", "https://herald.example/a?x=1&y=2"),
        ("<guid><![CDATA[ https://herald.example/a ]]></guid>", "https://herald.example/a"),
        ("<link>https://herald.example/a</link><guid>https://herald.example/a</guid>", "https://herald.example/a"),
        ('<enclosure url="https://herald.example/a.mp3" type="audio/mpeg"/>', None),
        (
            '<link>https://feedproxy.example/~r/1</link><f:origLink xmlns:f="http://rssnamespace.org/feedburner/ext/1.0">'
            "https://herald.example/a</f:origLink>",
            "https://herald.example/a",
        ),
    ],
)
def test_the_address_of_an_entry(inside: str, url: str | None) -> None:
    entry = only(item(f"<title>T</title>{inside}"))
    assert entry.url == url
    assert entry.headline == "T"


def test_an_id_that_is_the_link_does_not_hide_it() -> None:
    entry = only("""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>/2026/7</id><title>T</title>
      <link href="/2026/7"/></entry></feed>""")
    assert entry.url == "https://herald.example/2026/7"


def test_links_in_the_text_are_made_absolute() -> None:
    text = "<p>" + 'See <a href="/more">more</a>. <img src="a.jpg">' * 2 + "</p>"
    entry = only(item(f"<content:encoded><![CDATA[{text}]]></content:encoded>"))
    assert entry.html.count('href="https://herald.example/more"') == 2
    assert entry.html.count('src="https://herald.example/feeds/a.jpg"') == 2


def test_an_entry_of_nothing_but_text_is_delivered() -> None:
    assert only(item("<description>Only this.</description>")).summary == "Only this."


def test_an_unreadable_date_is_no_date() -> None:
    assert only(item("<pubDate>soon</pubDate>")).published_at is None


@pytest.mark.parametrize(("paragraphs", "full"), [(1, False), (12, True)])
def test_a_description_that_is_an_article_is_its_full_text(paragraphs: int, full: bool) -> None:
    text = "".join(f"<p>Paragraph {n} of the harbour report, of about sixty characters.</p>" for n in range(paragraphs))
    entry = only(item(f"<description><![CDATA[{text}]]></description>"))
    assert bool(entry.html) is full


def test_a_chinese_article_needs_fewer_characters() -> None:
    text = "".join(
        f"<p>港口罢工进入第{n}周，码头上的起重机一动不动，船只在海湾里等待消息，工会说谈判明天继续。</p>"
        for n in range(8)
    )
    assert only(item(f"<description><![CDATA[{text}]]></description>")).html


@pytest.mark.parametrize(
    ("declared", "encoding", "content_type"),
    [
        ("utf-8", "utf-8", None),
        ("gb2312", "gb18030", None),
        ("gb2312", "gb18030", "text/xml; charset=gb2312"),
        ("gb2312", "utf-8", None),
        ("iso-8859-1", "utf-8", "application/rss+xml; charset=iso-8859-1"),
        ("utf-8", "gb18030", "text/xml; charset=gb2312"),
        ("big5", "big5", None),
        ("utf-16", "utf-16", None),
        ("utf-8", "utf-8-sig", None),
        ("x-nonsense", "utf-8", None),
    ],
)
def test_charsets(declared: str, encoding: str, content_type: str | None) -> None:
    body = f'<?xml version="1.0" encoding="{declared}"?>' + item("<title>港口罷工進入第三週</title>")
    assert only(body.encode(encoding), content_type).headline == "港口罷工進入第三週"


def test_utf_8_is_believed_before_a_header_that_could_be_right() -> None:
    assert only(item("<title>A — B</title>"), "text/xml; charset=iso-8859-1").headline == "A — B"


def test_characters_beyond_gb2312_survive_its_name() -> None:
    body = '<?xml version="1.0" encoding="gb2312"?>' + item("<title>朱镕基</title>")
    assert only(body.encode("gb18030")).headline == "朱镕基"


SPLINTERS = [
    "",
    "<",
    ">",
    "&",
    "\x00",
    "]]>",
    "<![CDATA[",
    "<!--",
    "</item>",
    "<item>",
    "</rss>",
    "<link>",
    "</media:license>",
    "&#55296;",
    "&#x110000;",
    "�",
    'xml:base="x:y"',
    "</textinput>",
    "</gml:pos>",
    "<link rel='x' href='http://[::'/>",
]

BROKEN = {
    "bare ampersand": "<title>Fish & chips</title><link>https://herald.example/a?x=1&y=2</link>",
    "HTML entities": "<title>Fish&nbsp;&amp;&nbsp;chips</title><link>https://herald.example/a?x=1&amp;y=2</link>",
    "control characters": "<title>Fish\x0b &amp; chips&#x1f;</title><link>https://herald.example/a?x=1&amp;y=2</link>",
    "unknown prefix": "<x:y>1</x:y><title>Fish &amp; chips</title><link>https://herald.example/a?x=1&amp;y=2</link>",
}


@pytest.mark.parametrize("inside", BROKEN.values(), ids=BROKEN)
def test_malformed_feeds_give_what_can_be_had(inside: str) -> None:
    entry = only(item(inside))
    assert entry.headline == "Fish & chips"
    assert entry.url == "https://herald.example/a?x=1&y=2"


@pytest.mark.parametrize("reference", ["&#55296;", "&#x110000;", "&#xDFFF;", "&#0;", "&#9999999999;"])
def test_references_to_no_character_spoil_nothing(reference: str) -> None:
    entry = only(item(f"<title>A{reference}B</title><x:y>broken</x:y><link>https://herald.example/a</link>"))
    assert (entry.headline, entry.url) == ("AB", "https://herald.example/a")


def test_an_entry_that_feedparser_stumbles_over_spoils_no_other() -> None:
    bad = "<item><title>Bad</title></media:license></textinput></gml:pos><link>https://herald.example/bad</link></item>"
    feed = read(WHOLE.replace(SECOND, bad + SECOND))
    assert {"https://herald.example/first", "https://herald.example/second-story"} <= {
        entry.url for entry in feed.entries
    }
    assert "malformed" in feed.warnings


def test_a_link_that_also_has_an_address_of_another_network_is_a_link() -> None:
    """Sites that publish on Bluesky, too, say so in an attribute, which feedparser would take for the link."""
    entry = "<item><title>Owls</title><link uri='at://did:plc:x/post/1'>https://herald.example/owls</link></item>"
    assert only(f"<rss version='2.0'><channel>{entry}</channel></rss>").url == "https://herald.example/owls"


def test_what_a_server_appends_does_not_matter() -> None:
    feed = read(RSS2 + "\n<!-- cached --><script>track()</script><b>Warning</b>: in line 3 & 4")
    assert (len(feed.entries), feed.warnings) == (1, ())


def test_upper_case_references_open_no_tag() -> None:
    assert only(item("<title>1 &LT; 2 &AMP; 3</title>")).headline == "1 < 2 & 3"


def test_leading_blank_lines_do_not_matter() -> None:
    assert read("\n\n  \ufeff" + RSS2).warnings == ()


@settings(deadline=None)
@given(st.integers(0, len(RSS2)), st.integers(0, 60), st.sampled_from(SPLINTERS), st.integers(0, len(RSS2)))
def test_no_damage_raises_anything_but_feed_error(start: int, length: int, splinter: str, other: int) -> None:
    damaged = RSS2[:start] + splinter + RSS2[start + length :]
    damaged = damaged[:other] + splinter + damaged[other:]
    with contextlib.suppress(feeds.FeedError):
        read(damaged.encode("utf-8", "surrogatepass"))


FIRST = "<item><title>One</title><link>https://herald.example/first</link></item>"
SECOND = "<item><title>Two</title><link>https://herald.example/second-story</link></item>"
WHOLE = f'<rss version="2.0"><channel>{FIRST}{SECOND}</channel></rss>'


@pytest.mark.parametrize("length", range(WHOLE.index("<item>"), len(WHOLE), 7))
def test_a_cut_feed_gives_its_whole_entries_only(length: int) -> None:
    """Half a link would be another article's address; the entry it belongs to comes at the next poll."""
    feed = read(WHOLE[:length])
    whole = WHOLE[:length].count("</item>")
    expected = ["https://herald.example/first", "https://herald.example/second-story"][:whole]
    assert [entry.url for entry in feed.entries] == expected
    assert feed.warnings == ("truncated",) or not whole


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"plain words", "not-a-feed"),
        (b"<!doctype html><html><body>Not found</body></html>", "html"),
        (b"<?xml version='1.0'?><!-- x --><note/>", "not-a-feed"),
        (b'{"items": 1}', "not-a-feed"),
        (b'{"items": [', "malformed"),
        (b"[" * 100_000, "not-a-feed"),
        (b'{"items":' * 100_000, "malformed"),
    ],
)
def test_what_is_no_feed_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(feeds.FeedError) as caught:
        read(body)
    assert caught.value.reason == reason
    assert caught.value.url == URL
    assert URL in str(caught.value)


def test_an_empty_feed_is_a_feed() -> None:
    assert read("<rss version='2.0'><channel><title>t</title></channel></rss>").entries == ()
