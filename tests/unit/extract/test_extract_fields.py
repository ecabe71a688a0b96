"""Each field of an article from a page that has it, and its witness."""

import pytest

from broadsheet.article import Article, Block
from broadsheet.extract import extract

PROSE = "<p>The little ferry that carried commuters across the harbour will sail again, its owner said.</p>" * 4
URL = "https://quay.example/news/ferry"


def article(head: str = "", body: str = PROSE, top: str = "<h1>Harbour ferry returns after a year</h1>") -> Article:
    page = f"<html lang=en><head>{head}</head><body>{top}<div class=entry-content>{body}</div></body></html>"
    return extract(page.encode(), URL)


def ld(source: str) -> str:
    return f'<script type="application/ld+json">{source}</script>'


def blocks(body: str, kind: str) -> list[Block]:
    return [block for block in article(body=PROSE + body + PROSE).blocks if block.kind == kind]


@pytest.mark.parametrize(
    ("head", "access"),
    [
        (ld('{"@type":"NewsArticle","isAccessibleForFree":true}'), "free"),
        (ld('{"@type":"NewsArticle","isAccessibleForFree":"False"}'), "paywalled"),
        ('<meta property="article:content_tier" content="metered">', "metered"),
        ('<meta property="article:content_tier" content="locked">', "paywalled"),
        ("", None),
    ],
)
def test_access(head: str, access: str | None) -> None:
    found = article(head)
    assert found.access == access
    assert ("access" in found.provenance) == (access is not None)


def test_an_agency_stands_apart_from_the_people() -> None:
    author = '[{"@type":"Person","name":"Ada Brook"},{"@type":"Organization","name":"dpa"}]'
    found = article(ld(f'{{"@type":"NewsArticle","author":{author}}}'))
    assert (found.authors, found.agency) == (("Ada Brook",), "dpa")
    assert found.provenance["agency"].key == "author"


def test_the_lead_image_comes_first_with_its_size_and_what_it_shows() -> None:
    head = (
        '<meta property="og:image" content="/lead.jpg"><meta property="og:image:width" content="1200">'
        '<meta property="og:image:height" content="630"><meta property="og:image:alt" content="A ferry at the quay">'
    )
    picture = (
        '<figure><img src="deck.jpg" width=640 height=480 alt="Deck">'
        "<figcaption>Paint. Photo: Lea Moss</figcaption></figure>"
    )
    lead, second = article(head, PROSE + picture + PROSE).images
    assert (lead.url, lead.width, lead.height, lead.alt) == (
        "https://quay.example/lead.jpg",
        1200,
        630,
        "A ferry at the quay",
    )
    assert (second.url, second.width, second.height, second.alt, second.caption, second.credit) == (
        "https://quay.example/news/deck.jpg",
        640,
        480,
        "Deck",
        "Paint.",
        "Lea Moss",
    )


@pytest.mark.parametrize(
    ("markup", "address"),
    [
        ('<iframe src="https://video.example/embed/7"></iframe>', "https://video.example/embed/7"),
        (
            '<blockquote class="twitter-tweet"><p>The boat is back.</p><a href="https://twitter.example/quay/status/1">'
            "4 March</a></blockquote>",
            "https://twitter.example/quay/status/1",
        ),
        (
            '<blockquote class="instagram-media" data-instgrm-permalink="https://pictures.example/p/1/"><p>Hi</p></blockquote>',
            "https://pictures.example/p/1/",
        ),
    ],
)
def test_what_a_page_embeds_is_a_block_with_its_address(markup: str, address: str) -> None:
    assert [block.url for block in blocks(markup, "embed")] == [address]
    assert "The boat is back" not in article(body=PROSE + markup + PROSE).text


@pytest.mark.parametrize("source", ["javascript:alert(1)", "data:text/html,x", "http://[", ""])
def test_an_embed_that_leads_nowhere_is_none(source: str) -> None:
    assert blocks(f'<iframe src="{source}"></iframe>', "embed") == []


def test_code_keeps_to_itself() -> None:
    source = "ferry = Ferry(name='Quay')\nferry.sail(to='the other side', at='07:30', every_day=True)"
    assert [block.text.split("(")[0] for block in blocks(f"<pre><code>{source}</code></pre>", "code")] == [
        "ferry = Ferry"
    ]


def test_a_table_is_rows_of_cells() -> None:
    rows = "<tr><th>Pier</th><th>Departure</th></tr><tr><td>North</td><td>7:30 from the new landing stage</td></tr>"
    table = blocks(f"<table>{rows}<tr><td>South pier, by the market hall</td><td>7:45</td></tr></table>", "table")[0]
    assert table.rows[0] == ("Pier", "Departure")
    assert table.rows[2] == ("South pier, by the market hall", "7:45")


def test_characters_are_counted_and_read_where_a_script_writes_no_spaces() -> None:
    sentence = "渡轮公司周三表示，港口渡轮停航一年之后将于下周一恢复，船票价格不变。"
    page = f"<html lang=zh><body><h1>渡轮复航</h1><div>{f'<p>{sentence}</p>' * 20}</div></body></html>"
    found = extract(page.encode(), URL)
    assert (found.length, found.length_unit) == (20 * len(sentence), "characters")
    assert found.reading_minutes == 3
    assert (found.language, found.language_declared, found.language_detected) == ("zh", "zh", "zh")


def test_who_wrote_it_and_where_to_buy_after_the_body_is_left_out() -> None:
    about = "<div class=who><p>Ada Brook has covered boats and those who sail in them for a decade.</p></div>"
    assert "for a decade" not in article(body=PROSE * 4 + about).text


def test_a_tail_as_long_as_a_chapter_is_part_of_the_body() -> None:
    chapter = f"<div class=chapter>{PROSE.replace('will sail', 'never sailed')}</div>"
    assert "never sailed" in article(body=PROSE * 4 + chapter).text


HOSTILE = [
    "<script>alert(1)</script>",
    "<p onclick='alert(1)'>The ferry sails at eight o'clock, so <a href='javascript:alert(1)'>be early</a>.</p>",
    "<p>The ferry sails at eight o'clock, <a href=' jAvAsCrIpT&#58;alert(1)' onmouseover=alert(1)>click</a>.</p>",
    "<p>The ferry sails at eight o'clock <b style='background:url(javascript:alert(1))' onload=alert(1)>now</b></p>",
    "<p>The ferry sails at eight o'clock <svg/onload=alert(1)><math><mtext><script>alert(1)</script></p>",
    "<figure><img src='x.jpg' onerror=alert(1) alt='\"><script>alert(1)</script>' width=600></figure>",
    "<p>The ferry sails at eight o'clock, &lt;script&gt;alert(1)&lt;/script&gt; was its motto.</p>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><object data='javascript:alert(1)'></object>",
    "<p>The ferry sails at eight <a href='vbscript:alert(1)'>here</a> <a href='data:text/html,alert(1)'>x</a></p>",
    "<table><tr><td><img src=x onerror=alert(1)>One cell</td><td><script>alert(1)</script>Another</td></tr></table>",
]


@pytest.mark.parametrize("attack", HOSTILE)
def test_the_html_runs_nothing(attack: str) -> None:
    from lxml import etree

    html = article(body=PROSE + attack + PROSE).html
    root = etree.fromstring(f"<body>{html}</body>", etree.HTMLParser())
    for element in root.iter():
        assert element.tag not in ("script", "style", "iframe", "object", "svg", "math", "form", "link", "meta", "base")
        for name, value in element.attrib.items():
            assert name in ("href", "src", "alt"), (element.tag, name)
            assert name == "alt" or str(value).startswith(("http://", "https://", "mailto:")), value


FULL = (
    '<meta property="og:site_name" content="The Quay"><meta property="og:url" content="https://quay.example/ferry">'
    '<meta name=description content="The boat sails again."><meta property="article:section" content="Local">'
    '<meta name=keywords content="ferry, harbour"><meta property="og:image" content="/lead.jpg">'
    '<meta property="article:modified_time" content="2025-03-04T11:00:00Z">'
    + ld(
        '{"@type":"NewsArticle","datePublished":"2025-03-04T08:30:00Z","isAccessibleForFree":true,'
        '"author":[{"name":"Ada Brook"},{"name":"Reuters"}]}'
    )
)


def test_every_field_that_has_a_value_has_a_witness() -> None:
    found = article(FULL, PROSE + '<p>More on <a href="/boats">the boats</a> of the harbour is told elsewhere.</p>')
    given = {"url", "length", "length_unit", "reading_minutes", "rule_missed", "provenance"}
    reserved = {"noarchive", "tdm_reserved", "tdm_policy"}
    fields = set(found.__struct_fields__) - given - reserved
    assert [field for field in fields if not getattr(found, field)] == []
    assert fields <= found.provenance.keys()
