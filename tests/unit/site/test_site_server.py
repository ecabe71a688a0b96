"""The sample site over real HTTP: each misbehaviour as announced, and a log that tells on impolite clients."""

import socket
import threading
from collections.abc import Iterator

import feedparser
import pytest
import urllib3
from lxml import etree
from protego import Protego

from broadsheet import source
from local.site import SampleSite
from local.site.publication import Publication

USER_AGENT = "Broadsheet-Test/1"
STALL = 0.6  # longer than this file's client waits, shorter than anybody minds
PATIENCE = 0.2


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite(stall=STALL, latency=0) as site:
        yield site


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, headers={"User-Agent": USER_AGENT}) as http:
        yield http


def publication(site: SampleSite, id: str) -> Publication:
    return next(p for p in site.publications if p.id == id)


def test_every_linked_page_answers(site: SampleSite, http: urllib3.PoolManager) -> None:
    expected = {"forbidden": 403, "missing": 404, "busy": 429, "moved": 301}
    for p in site.publications:
        assert http.request("GET", site.base(p.id) + "/").status == 200
        for story in p.stories:
            for link in p.links(story):
                reply = http.request("GET", site.base(p.id) + link)
                assert reply.status == expected.get(story.answer or "", 200), story.slug
            assert http.request("GET", site.base(p.id) + story.picture_path).headers["Content-Type"] == "image/png"


def test_feeds_parse(site: SampleSite, http: urllib3.PoolManager) -> None:
    for p in site.publications:
        reply = http.request("GET", site.base(p.id) + p.feed_path)
        links = [site.base(p.id) + link for story in p.stories for link in p.links(story)]
        if p.shape == "anzeiger":
            found = etree.fromstring(reply.data).xpath("//*[local-name() = 'loc']/text()")
            assert found == links
            continue
        feed = feedparser.parse(reply.data, response_headers={"content-type": reply.headers["Content-Type"]})
        if p.shape == "daily":
            assert feed.bozo
            links.pop()
        else:
            assert not feed.bozo
            assert len({entry.id for entry in feed.entries}) == len(links)
            assert all(entry.published_parsed for entry in feed.entries)
        assert [entry.link for entry in feed.entries if "link" in entry] == links


def test_feeds_answer_304_to_who_has_them(site: SampleSite, http: urllib3.PoolManager) -> None:
    for p in site.publications:
        url = site.base(p.id) + p.feed_path
        first = http.request("GET", url)
        tag, modified = first.headers["ETag"], first.headers["Last-Modified"]
        for headers, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": f'"other", W/{tag}'}, 304),
            ({"If-None-Match": '"other"', "If-Modified-Since": modified}, 200),
            ({"If-Modified-Since": modified}, 304),
            ({"If-Modified-Since": "Sun, 01 Nov 2026 00:00:00 GMT"}, 200),
        ):
            reply = http.request("GET", url, headers={"User-Agent": USER_AGENT, **headers})
            assert (reply.status, bool(reply.data)) == (status, status == 200), headers
            assert reply.headers["ETag"] == tag


def test_robots_txt(site: SampleSite, http: urllib3.PoolManager) -> None:
    for p in site.publications:
        reply = http.request("GET", site.base(p.id) + "/robots.txt")
        if p.shape == "daily":
            assert reply.status == 404
            continue
        rules = Protego.parse(reply.data.decode())
        assert rules.crawl_delay(USER_AGENT) == (1 if p.shape == "anzeiger" else None)
        for story in p.stories:
            assert rules.can_fetch(site.base(p.id) + p.path(story), USER_AGENT) == (story.answer != "disallowed")
    assert any(story.answer == "disallowed" for story in publication(site, "anzeiger").stories)


def test_too_many_requests_once(site: SampleSite, http: urllib3.PoolManager) -> None:
    url = site.url("yunan", "railway-path")
    busy = http.request("GET", url)
    assert (busy.status, busy.headers["Retry-After"]) == (429, "2")
    assert http.request("GET", url).status == 200


def test_a_page_that_times_out_once(site: SampleSite, http: urllib3.PoolManager) -> None:
    url = site.url("courier", "tide-clock")
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.request("GET", url, timeout=PATIENCE)
    assert http.request("GET", url, timeout=PATIENCE).status == 200
    assert sorted(request.status for request in site.requests) == [0, 200]
    assert next(r.end - r.start for r in site.requests if r.status == 0) < STALL
    assert site.overlaps() == []


def test_a_moved_page_is_where_the_redirect_says(site: SampleSite, http: urllib3.PoolManager) -> None:
    reply = http.request("GET", site.base("qinghe") + "/go/mountain-clinic", redirect=True, retries=1)
    assert reply.status == 200
    assert "山路上的流动诊所" in reply.data.decode()
    assert site.base("qinghe") + str(reply.url) == site.url("qinghe", "mountain-clinic")


def test_both_links_of_a_duplicate_are_one_page(site: SampleSite, http: urllib3.PoolManager) -> None:
    courier = publication(site, "courier")
    story = next(story for story in courier.stories if story.answer == "duplicated")
    links = courier.links(story)
    assert len(links) == 2
    assert len({http.request("GET", site.base("courier") + link).data for link in links}) == 1


def test_unknown_paths_are_404(site: SampleSite, http: urllib3.PoolManager) -> None:
    assert http.request("GET", site.base("courier") + "/2026/11/02/").status == 404
    assert http.request("HEAD", site.base("courier") + "/").status == 200


def test_the_log_tells_who_asked_for_what(site: SampleSite, http: urllib3.PoolManager) -> None:
    http.request("GET", site.base("courier") + "/robots.txt")
    http.request("GET", site.base("qinghe") + "/cn/rss?x=1")
    first, second = site.requests
    assert (first.source, first.path, first.status, first.user_agent) == ("courier", "/robots.txt", 200, USER_AGENT)
    assert (second.source, second.path, second.status) == ("qinghe", "/cn/rss?x=1", 200)
    assert site.base("courier").endswith(first.host)
    assert first.start <= first.end <= second.start <= second.end


def test_the_log_shows_two_requests_at_once(http: urllib3.PoolManager) -> None:
    with SampleSite(latency=0.3) as site:
        urls = [site.base("courier") + "/", site.base("courier") + "/robots.txt", site.base("qinghe") + "/"]
        threads = [threading.Thread(target=http.request, args=("GET", url)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [{one.path, other.path} for one, other in site.overlaps()] == [{"/", "/robots.txt"}]
        gap = site.shortest_gap("courier")
        assert gap is not None and gap < 0.3
        assert site.shortest_gap("qinghe") is None


def test_one_after_another_is_polite(http: urllib3.PoolManager) -> None:
    with SampleSite(latency=0.02) as site:
        for path in ("/", "/robots.txt", "/feed.atom"):
            http.request("GET", site.base("courier") + path)
        assert site.overlaps() == []
        gap = site.shortest_gap("courier")
        assert gap is not None and gap >= 0.02


def test_it_stops_with_connections_open_and_pages_stalled() -> None:
    with SampleSite(stall=100) as site:
        host, _, port = site.base("courier").removeprefix("http://").partition(":")
        idle = socket.create_connection((host, int(port)))
        stalled = socket.create_connection((host, int(port)))
        path = site.url("courier", "tide-clock").removeprefix(site.base("courier"))
        stalled.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    with idle, stalled:
        idle.settimeout(5)
        stalled.settimeout(5)
        assert idle.recv(1) == b""
        assert stalled.recv(1) == b""


def test_ports_can_be_fixed() -> None:
    with SampleSite() as somewhere:
        port = int(somewhere.base("anzeiger").rpartition(":")[2])
    for first in range(port, port + 50, 4):
        try:
            with SampleSite(port=first) as site:
                assert [int(site.base(p.id).rpartition(":")[2]) for p in site.publications] == [
                    first + number for number in range(len(site.publications))
                ]
                return
        except OSError:
            continue  # somebody else has one of them
    pytest.fail("no four free ports in a row")


def test_its_sources_file_is_a_sources_file(site: SampleSite) -> None:
    text = site.sources_yaml({"town": "slack", "archive": "json"}, delay=0.5)
    sources = source.parse(text)
    assert [s.id for s in sources.sources] == [p.id for p in site.publications]
    assert [s.kind for s in sources.sources].count("sitemap") == 1
    assert {s.delay for s in sources.sources} == {0.5}
    assert {s.channels for s in sources.sources} == {("town", "archive")}
    assert all(s.url.startswith(site.base(s.id) + "/") for s in sources.sources)
