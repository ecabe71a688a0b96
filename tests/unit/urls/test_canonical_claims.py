"""When a page's canonical link is believed: the claims that publishers make, honest and not."""

import pytest

from broadsheet import urls

PAGE = "https://www.herald.example/amp/2026/harbour-strike-42"
TITLE = "Harbour strike enters its third week"

BELIEVED = {
    "AMP page, titles agree": ("https://www.herald.example/2026/harbour-strike-42", TITLE),
    "title with the site's name": ("https://www.herald.example/2026/harbour-strike-42", f"{TITLE} | The Herald"),
    "subdomain": ("https://news.herald.example/2026/harbour-strike-42", TITLE),
    "title of the other page unknown, same slug": ("https://herald.example/2026/harbour-strike-42.html", None),
    "another spelling of its own address": (f"{PAGE}/?utm_source=x", "Quite another title"),
}
REFUSED = {
    "home page": ("https://www.herald.example/", TITLE),
    "home page by its file": ("https://www.herald.example/index.html", TITLE),
    "language's home page": ("https://www.herald.example/en/", TITLE),
    "section": ("https://www.herald.example/news/world/", TITLE),
    "Chinese section": ("https://www.herald.example/中国/", TITLE),
    "topic with a number": ("https://www.herald.example/tag/covid-19", TITLE),
    "archive": ("https://www.herald.example/2026/11/", TITLE),
    "another site": ("https://syndicate.example/2026/harbour-strike-42", TITLE),
    "another title": ("https://www.herald.example/2026/ferry-timetable-77", "New timetable for the island ferry"),
    "another day of the same series": ("https://www.herald.example/2026/strike-day-13", "Harbour strike, day 13"),
    "title unknown, another slug": ("https://www.herald.example/2026/ferry-timetable-77", None),
    "no address": ("about:blank", TITLE),
    "malformed": ("http://", TITLE),
}


@pytest.mark.parametrize(("claimed", "title"), BELIEVED.values(), ids=BELIEVED)
def test_believed(claimed: str, title: str | None) -> None:
    assert urls.believable_canonical(PAGE, claimed, TITLE, title)


@pytest.mark.parametrize(("claimed", "title"), REFUSED.values(), ids=REFUSED)
def test_refused(claimed: str, title: str | None) -> None:
    assert not urls.believable_canonical(PAGE, claimed, TITLE, title)


@pytest.mark.parametrize(
    ("a", "b", "agree"),
    [
        ("法国总统访问中国", "法国总统访问中国 - RFI", True),
        ("法国总统访问中国", "法国总统访问中国_国际新闻", True),
        ("“Strike” ends", "Strike ends", True),
        ("The harbour strike ends after three weeks", "Harbour strike ends after three weeks", True),
        ("Live - 5 May", "Live - 6 May", False),
        ("Harbour strike, day 12", "Harbour strike, day 13", False),
        ("法国总统访问中国", "德国总理访问日本", False),
        ("", "", False),
        ("!", "?", False),
    ],
)
def test_titles(a: str, b: str, agree: bool) -> None:
    assert urls.titles_agree(a, b) is agree
    assert urls.titles_agree(b, a) is agree


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/", True),
        ("", True),
        ("/index.html", True),
        ("/de/", True),
        ("/zh-hans", True),
        ("/pt_BR/", True),
        ("/?utm_source=x", True),
        ("/no-more", False),
        ("/my-post", False),
        ("/tv", False),
        ("/?p=815", False),
        ("/#!/story", False),
        ("/news", False),
    ],
)
def test_home_pages(path: str, home: bool) -> None:
    assert urls.is_home_page("https://a.example" + path) is home


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("/", True),
        ("/en", True),
        ("/zh-hans/", True),
        ("/news/world", True),
        ("/category/politics", True),
        ("/2026", True),
        ("/8123456", False),
        ("/oKyFAMiZMbU", False),
        ("/news/a-slug-of-several-words", False),
        ("/a/法国总统今日抵达北京", False),
        ("/story.html", False),
        ("/?p=815", False),
        ("/#!/story", False),
    ],
)
def test_section_pages(path: str, section: bool) -> None:
    assert urls.is_section_page("https://a.example" + path) is section
