"""Who is believed about headline, authors and date, and what broken structured data still gives."""

import re
from datetime import UTC, datetime

import pytest

from broadsheet.article import Article
from broadsheet.extract import extract
from broadsheet.extract.authors import split_byline
from broadsheet.extract.structured import load_json

PROSE = "<p>The little ferry that carried commuters across the harbour will sail again, its owner said.</p>" * 4


def article(head: str = "", top: str = "", body: str = PROSE, url: str = "https://quay.example/a") -> Article:
    return extract(f"<html lang=en><head>{head}</head><body>{top}<div>{body}</div></body></html>".encode(), url)


def ld(source: str) -> str:
    return f'<script type="application/ld+json">{source}</script>'


@pytest.mark.parametrize(
    ("byline", "people", "agency"),
    [
        ("By Ada Brook and Sam Hill", ["Ada Brook", "Sam Hill"], None),
        ("Von Ada Brook, Sam Hill und Lea Moss", ["Ada Brook", "Sam Hill", "Lea Moss"], None),
        ("Ada Brook, Senior Reporter", ["Ada Brook"], None),
        ("Ada Brook, AFP", ["Ada Brook"], "AFP"),
        ("By Sam Hill Jr.", ["Sam Hill Jr."], None),
        ("By Ada Brook.", ["Ada Brook"], None),
        ("记者：林小舟、王一", ["林小舟", "王一"], None),
        ("新华社", [], "Xinhua"),
        ("admin", [], None),
        ("https://quay.example/author/1", [], None),
        ("x" * 5000, [], None),
    ],
)
def test_a_byline_comes_apart_into_people_and_agency(byline: str, people: list[str], agency: str | None) -> None:
    assert split_byline(byline) == (people, agency)


def test_where_no_person_signs_the_agency_does() -> None:
    found = article(ld('{"@type":"NewsArticle","author":{"@type":"Organization","name":"Reuters"}}'))
    assert (found.authors, found.agency) == (("Reuters",), "Reuters")


def test_the_headline_readers_see_beats_the_one_for_search_engines() -> None:
    head = '<title>Ferry 2025: all you need | Quay</title><meta property="og:title" content="Ferry 2025: all you need">'
    assert article(head, "<h1>Harbour ferry returns after a year</h1>").title == "Harbour ferry returns after a year"


def test_a_lone_heading_with_the_sections_name_is_no_headline() -> None:
    head = '<title>Harbour ferry returns | Quay</title><meta property="og:site_name" content="Quay">'
    assert article(head, "<h1>Opinion</h1>").title == "Harbour ferry returns"


def test_a_modified_date_is_not_taken_for_the_published_one() -> None:
    found = article('<meta property="article:modified_time" content="2025-03-04T08:30:00Z">')
    assert found.published_at is None
    assert found.modified_at == datetime(2025, 3, 4, 8, 30, tzinfo=UTC)


def test_a_visible_date_is_read_and_says_that_its_zone_is_unknown() -> None:
    found = article(top="<h1>Harbour ferry returns after a year</h1><p class=date>4 March 2025, 8:30</p>")
    assert found.published_at == datetime(2025, 3, 4, 8, 30, tzinfo=UTC)
    assert "no zone" in found.provenance["published_at"].key


def test_a_date_with_a_label_below_beats_one_told_in_the_article() -> None:
    told = "<p>The harbour company had stopped the ferry on 2 January 2024, a day after its pier broke off.</p>"
    found = article(
        "<title>Ferry</title>", "<h1>Ferry returns</h1>", told + PROSE + "<ul><li>Date 4 March 2025</li></ul>"
    )
    assert found.published_at == datetime(2025, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "label", ["<span>By</span> <a href=/hill>Sam Hill</a>", "<li><strong>Autorin/Autor</strong> Sam Hill</li>"]
)
def test_a_name_is_found_beside_what_is_all_label(label: str) -> None:
    found = article(body=f"<div>{label}</div>{PROSE}")
    assert found.authors == ("Sam Hill",)
    assert found.provenance["authors"].kind == "html"


DATED = f"<p>{{}} – The ferry sails again{', and so on' * 20}</p>"
ISSUED = "<h1>Ferry returns</h1><p class=meta>4 March 2025</p>"
VIDEO = ld('{"@type":"VideoObject","uploadDate":"2019-05-02"}')


@pytest.mark.parametrize(
    ("head", "top", "body"),
    [
        (VIDEO + '<meta property="article:published_time" content="2025-03-04">', "", PROSE),
        (VIDEO, "<h1>Ferry returns</h1><time datetime=2025-03-04>4 March</time>", PROSE),
        # hAtom
        (
            "",
            "<h1>Ferry returns</h1><p>By Ada <i>·</i> <span class=published>4 March 2025</span></p>",
            PROSE + "<p>2 May 2019</p>",
        ),
        ("", "<h1>Ferry returns</h1><abbr class=published title=2025-03-04>Tuesday</abbr>", PROSE),
        (
            "",
            "<h1>Ferry returns</h1><time class='published updated' datetime=2025-03-04>4 March</time>",
            PROSE + "<time>2 May 2019</time>",
        ),
        ("", ISSUED, PROSE * 12 + "<aside><a>Old ferry</a> <span class=published>2 May 2019</span></aside>"),
        (
            "",
            "<h1>Ferry returns</h1>",
            "<div class='node published'><p>On 2 May 2019 it stopped.</p><p class=date>4 March 2025</p></div>" + PROSE,
        ),
        # Told and shown.
        (ld('{"@type":"NewsArticle","datePublished":"2025-05-05T09:00:00Z"}'), ISSUED, PROSE),
        (ld('{"@type":"NewsArticle","datePublished":"2026-04-03T09:00:00Z"}'), ISSUED, PROSE),
        # Datelines
        ("", "<h1>Ferry returns</h1>", DATED.format("04.03.2025") + PROSE),
        (
            "",
            "<h1>Ferry returns</h1>",
            f"<p>{'What the owner says of her boat. ' * 4}</p>" + DATED.format("04.03.2025, 14:30 Uhr"),
        ),
        (
            "<script>var page = {'datePublished': '2025-03-04'}</script>",
            "<h1>Ferry returns</h1>",
            DATED.format("12.05.2024") + PROSE,
        ),
        # Comments
        (
            "",
            "<h1>Ferry returns</h1>",
            DATED.format("04.03.2025") + PROSE + "<div id=comments><div><p>Ada, 02.05.2025</p></div></div>",
        ),
        ("", f"<div class='post has-comments comments-open'>{ISSUED}</div>", PROSE),
    ],
)
def test_the_day_is_the_articles(head: str, top: str, body: str) -> None:
    found = article(head, top, body).published_at
    assert found is not None
    assert found.date().isoformat() == "2025-03-04"


def test_a_shown_day_may_have_day_and_month_swapped() -> None:
    head = ld('{"@type":"NewsArticle","datePublished":"2025-11-01T09:00:00Z"}')
    found = article(head, "<h1>Ferry returns</h1><p>01/11/2025</p>").published_at
    assert found == datetime(2025, 11, 1, 9, tzinfo=UTC)


def test_the_address_gives_the_day_if_nothing_else_does() -> None:
    found = article(url="https://quay.example/2025/03/04/ferry")
    assert found.published_at == datetime(2025, 3, 4, tzinfo=UTC)
    assert found.provenance["published_at"].kind == "url"


@pytest.mark.parametrize(
    "source",
    [
        '{"@type":"NewsArticle","datePublished":"2025-03-04T08:30:00Z"}',
        '[{"@type":"WebSite"},{"@type":["NewsArticle"],"datePublished":"2025-03-04T08:30:00Z"}]',
        '{"@graph":[{"@type":"WebPage","mainEntity":{"@type":"Article","datePublished":"2025-03-04T08:30:00Z"}}]}',
        '<!-- {"@type":"NewsArticle","datePublished":"2025-03-04T08:30:00Z"} -->',
        '{"@type":"NewsArticle","description":"two\nlines","datePublished":"2025-03-04T08:30:00Z",}',
        '{"@type":"NewsArticle","headline":"a "quoted" word","datePublished":"2025-03-04T08:30:00Z"}',
        '{"@type":"NewsArticle","datePublished":"2025-03-04T08:30:00Z"',
        "{&quot;@type&quot;:&quot;NewsArticle&quot;,&quot;datePublished&quot;:&quot;2025-03-04T08:30:00Z&quot;}",
    ],
)
def test_json_ld_is_read_in_every_shape_also_broken(source: str) -> None:
    found = article(ld(source))
    assert found.published_at == datetime(2025, 3, 4, 8, 30, tzinfo=UTC)
    assert found.provenance["published_at"].kind == "json-ld"


@pytest.mark.parametrize("source", ["", "{" * 100_000, '{"a":' * 100_000, "9" * 100_000, "null", '"x"', "[[[]]]"])
def test_json_ld_that_is_an_attack_or_nothing_is_harmless(source: str) -> None:
    load_json(source)
    assert article(ld(source)).text


def test_an_article_within_a_nav_is_still_found() -> None:
    found = extract(f"<html><body><nav class=menu>{PROSE}</nav></body></html>".encode(), "https://quay.example/a")
    assert found.text.startswith("The little ferry")


def test_a_page_that_ends_before_its_article_is_read_on() -> None:
    header = "<html><body><header><nav><ul><li><a href=/>Quay</a></li></ul></nav></header></body></html>"
    page = f"{header}<!-- the article's template --><html><body><div><h1>Ferry</h1>{PROSE * 4}</div></body></html>"
    assert extract(page.encode(), "https://quay.example/a").text.startswith("The little ferry")


def test_a_link_left_open_does_not_make_a_menu_of_the_article() -> None:
    prose = "<br><br>".join(
        f"Pier {n} will be served again by the little ferry from Monday on, its owner said." for n in range(8)
    )
    foot = "<p>All rights belong to the Quay, which is in Harbour Road.</p>"
    page = f"<html><body><div><a href=/more>{prose}</div>{foot}</body></html>"
    assert "Pier 5" in extract(page.encode(), "https://quay.example/a").text


@pytest.mark.parametrize("again", ["<div>{}</div>", "<div class=gate>{}</div>"])
def test_an_article_printed_twice_is_read_once(again: str) -> None:
    told = [f"Pier {n} will be served again by the little ferry from Monday on, its owner said." for n in range(8)]
    first = "".join(f"<p>{text}</p>" for text in told)
    second = again.format(first if "gate" not in again else " ".join(told))
    text = article(body=f"<article>{first}{second}</article>").text
    assert [text.count(line) for line in told] == [1] * 8


def test_a_box_that_holds_most_of_the_page_is_kept_whatever_its_name() -> None:
    elsewhere = "<div><p>Readers wrote to us about something else entirely, and at some length as well.</p></div>"
    page = f"<html><body><nav class=menu>{PROSE}</nav>{elsewhere}</body></html>"
    assert "The little ferry" in extract(page.encode(), "https://quay.example/a").text


def test_a_post_of_a_social_network_is_not_the_articles_text() -> None:
    tweet = (
        '<blockquote class="twitter-tweet"><p>Somebody said something about the ferry on the internet.</p></blockquote>'
    )
    assert "Somebody" not in article(body=PROSE + tweet + PROSE).text


def test_chinese_briefs_are_articles() -> None:
    found = extract(
        "<html><body><h1>渡轮复航</h1><p>港口渡轮停航一年之后，将于下周一恢复，船票价格不变。</p></body></html>".encode(),
        "https://x.example/",
    )
    assert found.text == "港口渡轮停航一年之后，将于下周一恢复，船票价格不变。"
    assert (found.length_unit, found.length) == ("characters", 26)


@pytest.mark.parametrize("title", ["X", "Quay", "·"])
def test_a_title_that_says_less_than_the_heading_is_not_believed(title: str) -> None:
    assert article(f"<title>{title}</title>", "<h1>Ferry sails</h1>").title == "Ferry sails"


def test_a_headline_goes_without_the_kicker_before_it() -> None:
    head = '<meta property="og:title" content="Harbour ferry returns after a year">'
    assert article(head, "<h1>Transport: Harbour ferry returns after a year</h1>").title == (
        "Harbour ferry returns after a year"
    )


@pytest.mark.parametrize(
    "heading",
    [
        '<span class="article__overline">Transport</span> Harbour ferry returns after a year',
        '<span class="topline">Transport</span><span class="hidden">: </span>Harbour ferry returns after a year',
        '<span class="kicker">Transport:</span><span>Harbour ferry returns after a year</span>',
        "<div><small>4 March</small><br>Harbour ferry returns after a year</div>",
        "<time>4 March</time> | Harbour ferry returns after a year",
        'Harbour ferry returns after a year <span class="subtitle">Its owner is glad</span>',
        'Harbour ferry returns after a year – <span class="entryDate">4 March</span>',
    ],
)
def test_what_stands_beside_the_headline_in_its_heading_is_not_part_of_it(heading: str) -> None:
    assert article("<title>Ferry is back</title>", f"<h1>{heading}</h1>").title == "Harbour ferry returns after a year"


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ('<span class="badge">New</span> <a class="label-link">Harbour ferry returns after a year</a>', None),
        ('Why the <span class="topic-label">Albatross</span> sails the harbour again', None),
        ("What the council said on <time>4 March</time> about the ferry", None),
        ('Harbour ferry <a class="validated update">Albatross</a> returns', None),
        ('<span class="topic">Harbour ferry returns</span>', None),
        ("-20 degrees: <em>cold wave</em> stops the ferry", None),
        ('Ferry <span class="section">to the islands and back in one day</span>', None),
        (
            '<span class="section-heading">Harbour ferry returns</span> <i>By Ada Brook, our harbour correspondent</i>',
            None,
        ),
        ("".join(f"<i>{letter}</i>" for letter in "Harbour ferry returns after a year " * 3), None),
        ('<span class="label">快讯</span>：停航一年的港口渡轮恢复通航', "停航一年的港口渡轮恢复通航"),
        ('<span class="label">Live</span>«Harbour ferry returns after a year»', "«Harbour ferry returns after a year»"),
    ],
)
def test_names_alone_do_not_cut_a_headline(heading: str, title: str | None) -> None:
    whole = " ".join(re.sub("<[^>]+>", "", heading).split())
    assert article("<title>Ferry is back</title>", f"<h1>{heading}</h1>").title == (title or whole)


@pytest.mark.parametrize(
    ("heading", "head"),
    [
        ('<span class="kicker">Harbour ferry</span><span>: </span>Back after a year', "<title>{} | Quay</title>"),
        ('<span class="kicker">Harbour ferry:</span><span>Back after a year</span>', "<title>{} - Regional</title>"),
        ('<span class="kicker">Harbour ferry: </span>Back after a year', '<meta property="og:title" content="{}">'),
    ],
)
def test_a_kicker_stays_where_the_pages_head_has_it(heading: str, head: str) -> None:
    title = "Harbour ferry: Back after a year"
    assert article(head.format(title), f"<h1>{heading}</h1>").title == title


def test_a_kicker_that_others_part_from_the_headline_and_the_page_runs_into_it_goes() -> None:
    head = '<meta property="og:title" content="Harbour ferry: Service returns after a year">'
    heading = '<h1><span class="kicker">Harbour ferry</span> Service returns after a year</h1>'
    assert article(head, heading).title == "Service returns after a year"


CRUMBS = "<nav><a href=/>Quay</a> <h1>Ferry 2025: when it sails and what it costs</h1></nav>"
SHARED = '<meta property="og:title" content="Harbour ferry returns after a year">'


@pytest.mark.parametrize(
    "heading",
    [
        "<h2>Harbour ferry returns after a year</h2>",
        "<h3>Harbour ferry returns after a year</h3>",
        "<h2>News</h2><h2><span>Transport</span> Harbour ferry returns after a year</h2>",
        "<h2>Harbour ferry returns after a year <small>4 March</small></h2>",
    ],
)
def test_where_the_breadcrumb_has_the_h1_the_headline_is_the_heading_that_machines_are_told(heading: str) -> None:
    linked = ld('{"@type":"NewsArticle","headline":"Harbour ferry returns after a year"}')
    for head in (SHARED, linked):
        assert article(head, CRUMBS + heading).title == "Harbour ferry returns after a year"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "<h2>More of the harbour</h2>",
        "<h2>Harbour ferry returns after a year, and what its owner says</h2>",
        "<ul><li><h3><a href=/a>Harbour ferry returns after a year</a></h3></ul>",
        "<a href=/a><h3>Harbour ferry returns after a year</h3></a>",
        "<aside><h3>Harbour ferry returns after a year</h3></aside>",
        "<div hidden><h2>Harbour ferry returns after a year</h2></div>",
    ],
)
def test_a_teaser_is_not_the_headline_for_what_machines_are_told(elsewhere: str) -> None:
    shown = "Ferry 2025: when it sails and what it costs"
    assert article(SHARED, CRUMBS, PROSE + elsewhere).title == shown
    assert (
        article(SHARED, f"<header><h2>Harbour ferry returns after a year</h2></header><h1>{shown}</h1>").title == shown
    )


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("Harbour ferry returns after a year, and what its owner says", "Harbour ferry returns after a year"),
        ("Harbour ferry returns after a year", "Transport: Harbour ferry returns after a year"),
        ("Harbour ferry returns after a year", "Ferry & harbour"),
    ],
)
def test_a_heading_that_says_less_or_the_same_is_not_against_the_h1(shown: str, told: str) -> None:
    head = f'<meta property="og:title" content="{told}">'
    assert article(head, f"<h1>{shown}</h1><h2>{told}</h2>").title == shown


def test_the_headlines_own_second_line_is_not_another_heading() -> None:
    head = '<meta property="og:title" content="Its owner is glad of the boat">'
    top = "<h1>Harbour ferry returns on Monday <small>Its owner is glad of the boat</small></h1>"
    assert article(head, top).title == "Harbour ferry returns on Monday"


def test_a_short_chinese_headline_is_one() -> None:
    head = '<meta property="og:title" content="停航一年港口渡轮复航">'
    crumbs = "<nav><h1>渡轮最新时刻表票价查询攻略大全</h1></nav>"
    assert article(head, crumbs + "<h2>停航一年港口渡轮复航</h2>").title == "停航一年港口渡轮复航"
    assert article(head, "<h1>快讯｜停航一年港口渡轮复航</h1>").title == "停航一年港口渡轮复航"


@pytest.mark.parametrize(
    ("nodes", "news"),
    [
        ('{"@type":"NewsArticle",%s}', True),
        ('{"@type":"NewsArticle",%s, broken}', True),
        ('[{"@type":"WebPage"},{"@type":["Article","NewsArticle"],%s}]', True),
        ('{"@type":"LiveBlogPosting",%s}', True),
        ('{"@type":"BlogPosting",%s}', False),
        ('[{"@type":"NewsArticle","datePublished":"2025-03-04"},{"@type":"BlogPosting",%s}]', False),
        ('[{"@type":"BlogPosting",%s},{"@type":"NewsArticle","headline":"Town hall sold"}]', False),
    ],
)
def test_json_ld_and_opengraph_together_beat_the_heading_only_on_news(nodes: str, news: bool) -> None:
    told, shown = "Ferry sails again after a year away", "Harbour ferry returns on Monday"
    head = f'<meta property="og:title" content="{told}">' + ld(nodes % f'"headline":"{told}"')
    assert article(head, f"<h1>{shown}</h1>").title == (told if news else shown)


@pytest.mark.parametrize(
    "head",
    [
        ld('{"@type":"NewsArticle","headline":"Harbour ferry: Back after a year"}'),
        '<meta property="og:title" content="Harbour ferry: Back after a year">',
    ],
)
def test_parts_of_a_heading_do_not_run_into_each_other(head: str) -> None:
    assert article(head, "<h1><span>Harbour ferry:</span><span>Back after a year</span></h1>").title == (
        "Harbour ferry: Back after a year"
    )


def test_of_several_headings_the_one_most_like_the_title_is_the_headline() -> None:
    top = "<h1>Ferry</h1><h1>Harbour ferry returns after one year</h1><h1>More about the ferry</h1>"
    assert article("<title>Harbour ferry returns after a year</title>", top).title == (
        "Harbour ferry returns after one year"
    )


def test_a_local_time_gets_its_zone_from_a_witness_that_knows_it() -> None:
    head = ld('{"@type":"NewsArticle","datePublished":"2025-03-04T08:30:00"}')
    found = article(head + '<meta name=date content="2025-03-04T08:30:00+02:00">')
    assert found.published_at == datetime(2025, 3, 4, 6, 30, tzinfo=UTC)
    assert found.provenance["published_at"].kind == "meta"


def test_the_time_nearest_to_the_headline_is_the_articles() -> None:
    teaser = "<p><time datetime=2025-01-02>2 January</time></p>" + "<p>Another story of the harbour</p>" * 9
    top = teaser + "<h1>Harbour ferry returns</h1><time datetime=2025-03-04>4 March</time>"
    assert article(top=top).published_at == datetime(2025, 3, 4, tzinfo=UTC)


def test_microdata_marks_a_date_on_any_element() -> None:
    found = article(top="<h1>Harbour ferry returns</h1><span itemprop=datePublished>4 March 2025</span>")
    assert found.published_at == datetime(2025, 3, 4, tzinfo=UTC)
    assert found.provenance["published_at"].kind == "microdata"


@pytest.mark.parametrize(
    ("shown", "day"),
    [
        ("4 March 2025", 4),
        ("Updated 4 March 2025", 20),
        ("30 March 2025", 20),
        ("4 March 2025 is the day on which all of it began", 20),
    ],
)
def test_a_page_that_was_rebuilt_later_shows_the_day_it_appeared(shown: str, day: int) -> None:
    head = ld('{"@type":"BlogPosting","datePublished":"2025-03-20T08:30:00Z"}')
    found = article(head, f"<h1>Harbour ferry returns</h1><p>{shown}</p>")
    assert found.published_at is not None
    assert found.published_at.day == day


@pytest.mark.parametrize(
    "byline",
    [
        "<div class=byline><span>Text by</span><span>Ada Brook</span></div>",
        "<div class=byline><span>Ada Brook</span><span>May 14</span></div>",
        "<div class=byline><span>Sat</span><span>Ada Brook</span><span>20 Dec</span></div>",
    ],
)
def test_what_stands_beside_a_name_in_a_byline_is_no_name(byline: str) -> None:
    assert article(top=f"<h1>Harbour ferry returns</h1>{byline}").authors == ("Ada Brook",)


@pytest.mark.parametrize("mark", ["•", "Written by:", "—"])
def test_a_byline_of_nobody_names_nobody(mark: str) -> None:
    assert article(top=f"<h1>Harbour ferry returns</h1><div class=byline>{mark}</div>").authors == ()


def test_where_an_agency_signs_a_teasers_byline_is_not_the_articles() -> None:
    head = ld('{"@type":"NewsArticle","author":[{"@type":"Organization","name":"dpa"}]}')
    found = article(head, "<h1>Harbour ferry returns</h1><a class=teaser-author href=/x>Ada Brook</a>")
    assert (found.authors, found.agency) == (("dpa",), "dpa")


def test_the_sites_own_desk_beside_a_person_is_no_author() -> None:
    head = '<meta property="og:site_name" content="Quay">'
    byline = "<div class=byline>Ada Brook, Quay Harbour Desk</div>"
    assert article(head, f"<h1>Harbour ferry returns</h1>{byline}").authors == ("Ada Brook",)


def test_a_publisher_that_calls_itself_the_author_gives_way_to_the_person_a_label_names() -> None:
    head = '<meta name=publisher content="Quay Press (quay.example)"><meta name=author content="Quay Press">'
    assert article(head, "<h1>Harbour ferry returns</h1><ul><li><b>Author</b> Ada Brook</li></ul>").authors == (
        "Ada Brook",
    )


def test_a_link_to_an_authors_page_names_the_author_if_nothing_else_does() -> None:
    byline = "<p class=headline-small><a href=https://quay.example/author/ada/>Ada Brook</a></p>"
    assert article(top=f"<h1>Harbour ferry returns</h1>{byline}").authors == ("Ada Brook",)
