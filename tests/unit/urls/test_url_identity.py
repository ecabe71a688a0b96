"""The policy of `broadsheet.urls`: what is one article, what isn't, and what is no article's address."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadsheet import urls

STORY = "https://www.herald.example/world/2026/Harbour-Strike-42.html?page=2&id=7"

TWINS = {
    "http": "http://www.herald.example/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "no www": "https://herald.example/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "host in capitals": "https://WWW.Herald.EXAMPLE/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "trailing dot": "https://www.herald.example./world/2026/Harbour-Strike-42.html?page=2&id=7",
    "default port": "https://www.herald.example:443/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "http's default port": "http://www.herald.example:80/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "password": "https://reader:secret@www.herald.example/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "order of parameters": "https://www.herald.example/world/2026/Harbour-Strike-42.html?id=7&page=2",
    "empty parameters": "https://www.herald.example/world/2026/Harbour-Strike-42.html?&page=2&&id=7&",
    "doubly escaped ampersand": "https://www.herald.example/world/2026/Harbour-Strike-42.html?page=2&amp;id=7",
    "trackers": STORY + "&utm_source=rss&UTM_Medium=feed&fbclid=x1&at_campaign=64&xtor=RSS-1&gclid=9",
    "ref naming a channel": STORY + "&ref=rss&from=timeline&CMP=share_btn_tw",
    "session in the query": STORY + "&PHPSESSID=0af3&sid=0123456789abcdef0123456789abcdef",
    "session in the path": ("https://www.herald.example/world/2026/Harbour-Strike-42.html;jsessionid=1A2B?page=2&id=7"),
    "cookieless ASP.NET": (
        "https://www.herald.example/(S(lit3py55t21z5v55vlm25s55))/world/2026/Harbour-Strike-42.html?page=2&id=7"
    ),
    "fragment": STORY + "#comments",
    "tracker as fragment": STORY + "#xtor=RSS-3208",
    "double slash": "https://www.herald.example//world//2026/Harbour-Strike-42.html?page=2&id=7",
    "dots": "https://www.herald.example/world/./x/../2026/Harbour-Strike-42.html?page=2&id=7",
    "needless escapes": "https://www.herald.example/world/2026/%48arbour%2DStrike-42.html?page=%32&id=7",
    "white space around": f" \n{STORY}\t ",
}
OTHERS = {
    "case in the path": "https://www.herald.example/world/2026/harbour-strike-42.html?page=2&id=7",
    "another parameter": "https://www.herald.example/world/2026/Harbour-Strike-42.html?page=3&id=7",
    "an unknown parameter": STORY + "&edition=evening",
    "ref naming an article": STORY + "&ref=1234",
    "a short sid": STORY + "&sid=815",
    "a subdomain": "https://m.herald.example/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "a port": "https://www.herald.example:8443/world/2026/Harbour-Strike-42.html?page=2&id=7",
    "an escaped slash": "https://www.herald.example/world%2F2026/Harbour-Strike-42.html?page=2&id=7",
    "a client-side route": STORY + "#!/photo/3",
}


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_twins_are_one_article(twin: str) -> None:
    assert urls.canonicalize(twin) == urls.canonicalize(STORY)
    assert urls.article_id(twin) == urls.article_id(STORY)


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_different_articles_stay_apart(other: str) -> None:
    assert urls.article_id(other) != urls.article_id(STORY)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("https://a.example/news/story", "https://a.example/news/story/"),
        ("https://a.example/news/story", "https://a.example/news/story/index.html"),
        ("https://a.example/news/index.php?id=1", "https://a.example/news/?id=1"),
        ("https://a.example/中文/新闻?标题=港口", "https://a.example/%e4%b8%ad%e6%96%87/%E6%96%B0%E9%97%BB?%E6%A0%87%E9%A2%98=%e6%b8%af%E5%8F%A3"),
        ("https://例え.example/a", "https://xn--r8jz45g.example/a"),
        ("https://a.example/it's,(late)", "https://a.example/it%27s%2C%28late%29"),
        ("https://a.example/s?q=a+b", "https://a.example/s?q=a%20b"),
        ("https://a.example/s?q", "https://a.example/s?q="),
        ("https://a.example", "https://a.example/?"),
    ],
)  # fmt: skip
def test_spellings_are_one(a: str, b: str) -> None:
    assert urls.canonicalize(a) == urls.canonicalize(b)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://127.0.0.1/a", "http://127.0.0.1/a"),
        ("http://127.0.0.1:8000/a/", "http://127.0.0.1:8000/a"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("http://localhost/a", "http://localhost/a"),
        ("http://herald.example:8080/a", "http://herald.example:8080/a"),
        ("http://www.gov.cn/a", "https://www.gov.cn/a"),
        ("http://www.www.herald.example/a", "https://herald.example/a"),
        ("https://a.example/#/story/1", "https://a.example/#/story/1"),
        ("https://a.example/a/..;jsessionid=1/b", "https://a.example/a/..;jsessionid=1/b"),
        ("https://a.example/p%zz", "https://a.example/p%25zz"),
    ],
)
def test_canonical_form(url: str, canonical: str) -> None:
    assert urls.canonicalize(url) == canonical


def test_clean_is_what_was_published_without_trackers() -> None:
    assert (
        urls.clean("http://u:p@WWW.a.example:80/B/?b=2&utm_source=x&a=%41#top") == "http://www.a.example/B/?b=2&a=%41"
    )
    assert urls.clean("https://a.example/x?b=&&a=1") == "https://a.example/x?b=&&a=1"
    assert urls.clean("https://a.example/#!/story") == "https://a.example/#!/story"


def test_the_id_is_the_hash_of_the_canonical_url() -> None:
    digest = hashlib.sha256(urls.canonicalize(STORY).encode()).digest()
    assert urls.article_id(STORY) == base64.b32encode(digest).decode().lower()[:26]


def test_a_longer_list_of_trackers_is_a_policy_beside_which_the_former_ones_ids_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracked = STORY + "&newtrack=7"
    (was,), (now,) = urls.article_ids(tracked), urls.article_ids(STORY)
    assert was != now
    monkeypatch.setattr(urls, "POLICY", 2)
    monkeypatch.setitem(urls._TRACKERS, "newtrack", 2)
    assert urls.article_id(tracked) == now
    assert urls.clean(tracked) == urls.clean(STORY)
    assert urls.article_ids(tracked) == (now, was)
    assert urls.article_ids(STORY) == (now,)
    monkeypatch.setattr(urls, "POLICY", 3)
    assert urls.article_ids(tracked) == (now, was)


def test_ids_never_change_under_policy_1() -> None:
    """Stored articles hang on these. A failure here wants a new POLICY and aliases, not a new expectation."""
    assert urls.POLICY == 1
    assert urls.article_id(STORY) == "q2bv3zsb46zmh7suhwyzwzbbkq"
    assert urls.article_id("https://a.example/中文") == "zmli6gzkjs3eejpc3rii6uf6do"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("story.html", "malformed"),
        ("http://", "malformed"),
        ("http://a b/", "malformed"),
        ("http://./", "malformed"),
        ("http://a.example/\ud800", "malformed"),
        ("mailto:desk@a.example", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://a.example/" + "x" * urls.MAX_LENGTH, "too-long"),
    ],
)
def test_no_address_of_an_article(text: str, reason: str) -> None:
    for function in (urls.canonicalize, urls.clean, urls.article_id, urls.host_key):
        with pytest.raises(urls.UrlError) as caught:
            function(text)
        assert caught.value.reason == reason


_MIXTURE = r"""/ // . .. %2e %2F %41 %zz % ? & = # #! #/ + %2B %20 &amp; amp; ;jsessionid=1 index.html utm_source=1
ref=rss sid= www. :80 :443 中 %E4 \ | ^ ' ß %00 %0a (S(aaaaaaaaaaaaaaaaaaaaaaaa))"""
_PIECES = st.sampled_from([*_MIXTURE.split(), "\u00ad", " "])
_HOSTS = st.sampled_from(
    ["www.a.example", "a.b", "localhost", "[::1]", "1.2.3.4", "www.gov.cn", "www.www.a.co.uk", "a.example:80"]
)


@given(st.sampled_from(["http", "https"]), _HOSTS, st.lists(_PIECES, max_size=8).map("".join) | st.text(max_size=20))
def test_canonicalising_is_idempotent(scheme: str, host: str, rest: str) -> None:
    url = f"{scheme}://{host}/{rest}"
    try:
        canonical = urls.canonicalize(url)
    except urls.UrlError:
        return
    assert urls.canonicalize(canonical) == canonical
    assert urls.clean(urls.clean(url)) == urls.clean(url)
    assert urls.canonicalize(urls.clean(url)) == canonical


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://www.A.example/x", "www.a.example"),
        ("https://a.example.:443/x", "a.example"),
        ("http://a.example:443/", "a.example:443"),
        ("http://例え.example/", "xn--r8jz45g.example"),
        ("http://[::1]:8080/", "[::1]:8080"),
        ("http://0x7f.1/", "127.0.0.1"),
    ],
)
def test_politeness_is_owed_to_a_host(url: str, key: str) -> None:
    assert urls.host_key(url) == key


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://news.bbc.co.uk/a", "bbc.co.uk"),
        ("https://www.rfi.fr/cn/", "rfi.fr"),
        ("https://desk.github.io/a", "desk.github.io"),
        ("https://a.b.公司.cn/", "b.xn--55qx5d.cn"),
        ("http://127.0.0.1:9000/", "127.0.0.1"),
        ("http://localhost/", "localhost"),
    ],
)
def test_registrable_domain(url: str, domain: str) -> None:
    assert urls.registrable_domain(url) == domain


def test_sites() -> None:
    assert urls.same_site("http://a.herald.example/x", "https://herald.example:8443/")
    assert not urls.same_site("https://one.github.io/", "https://two.github.io/")


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        ("b?x=1", "https://a.example/news/b?x=1"),
        ("/b", "https://a.example/b"),
        ("//c.example/b", "https://c.example/b"),
        ("\\b", "https://a.example/b"),
        ("?p=2", "https://a.example/news/story?p=2"),
        ("#x", "https://a.example/news/story?p=1#x"),
        ("https:b", "https://a.example/news/b"),
        ("http:b", "http://b/"),
        ("../../../b", "https://a.example/b"),
        (" b\n", "https://a.example/news/b"),
        ("", "https://a.example/news/story?p=1"),
    ],
)
def test_links_resolve_as_in_a_browser(link: str, resolved: str) -> None:
    assert urls.resolve("https://a.example/news/story?p=1#top", link) == resolved


def test_a_link_to_elsewhere_is_no_address() -> None:
    with pytest.raises(urls.UrlError, match="scheme"):
        urls.resolve("https://a.example/", "javascript:alert(1)")
