"""Hosts that share one server share one turn, whoever asks them: a poll, a page, a redirect, a sitemap's part."""

from collections.abc import Iterator

import pytest

from broadsheet.hosts import Hosts
from broadsheet.source import Sources
from tests.hostile.loopback import answer
from tests.stack.cloud import Cloud
from tests.stack.newsstand import HERALD, START, Newsstand, herald, item, opened, rss, sitemap

COURIER, GAZETTE = "http://courier.example", "http://gazette.example"
PATH = "/2026/11/ferry-runs-late-again"


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    """The Courier's hosts share a server with others; the Herald's don't."""
    with opened(cloud) as stand:
        stand.sources = (
            herald(off_site=True),
            herald(id="courier", url=f"{COURIER}/feed", host_key="press"),
        )
        stand.publish(PATH, site=HERALD)
        stand.publish(PATH, site=COURIER)
        stand.publish(PATH, site="http://www.courier.example")
        stand.pages |= {f"{HERALD}/feed": rss(), f"{COURIER}/feed": rss()}
        yield stand


def hold(stand: Newsstand, name: str) -> None:
    """Another worker has this turn for an hour."""
    hosts = Hosts(stand.cloud.dynamodb, stand.cloud.state_table, run="another", lease=3600)
    hosts.take(name, now=stand.now)


def test_a_turn_goes_by_host_then_by_site() -> None:
    sources = Sources(
        sources=(
            herald(url="https://feeds.courier.example/a", host_key="press"),
            herald(id="b", url="https://img.courier.example/b", host_key="pictures"),
            herald(id="c", url="https://gazette.example/c", host_key="press"),
            herald(id="d", url="https://other.example/d"),
        )
    )
    turns = {
        "https://feeds.courier.example/x": "press",
        "https://www.courier.example/x": "press",
        "https://img.courier.example/x": "pictures",
        "https://gazette.example:8443/x": "press",
        "https://other.example/x": "other.example",
        "https://unknown.example/x": "unknown.example",
    }
    assert {url: sources.turn(url) for url in turns} == turns


def test_a_feed_is_polled_under_the_shared_turn(stand: Newsstand) -> None:
    hold(stand, "press")
    assert [(one.source, one.status) for one in stand.poll()] == [("herald", "nothing-new"), ("courier", "busy")]
    assert stand.fetched == [f"{HERALD}/feed"]


@pytest.mark.parametrize("site", [COURIER, "http://www.courier.example"])
def test_a_page_is_fetched_under_the_shared_turn_whichever_source_it_is_from(stand: Newsstand, site: str) -> None:
    stand.pages[f"{HERALD}/feed"] = rss(item(PATH, site=site))
    hold(stand, "press")
    stand.poll()
    assert stand.fetched == [f"{HERALD}/feed"]
    assert stand.stored == []


def test_a_redirect_is_followed_under_the_shared_turn(stand: Newsstand) -> None:
    to_courier = answer(status="302 Found", headers={"Location": f"{COURIER}/feed"})
    stand.pages |= {f"{HERALD}/feed": to_courier, f"{HERALD}{PATH}": to_courier}
    hold(stand, "press")
    assert [one.status for one in stand.poll()] == ["busy", "busy"]
    assert stand.fetched == [f"{HERALD}/feed"]


def test_a_source_that_moved_is_asked_under_its_new_hosts_turn(stand: Newsstand) -> None:
    stand.sources = (herald(),)
    stand.pages |= {
        f"{HERALD}/feed": answer(status="301 Moved Permanently", headers={"Location": f"{GAZETTE}/feed"}),
        f"{GAZETTE}/feed": rss(),
    }
    for _ in range(2):
        stand.poll()
        stand.later(24 * 8)
    hold(stand, "gazette.example")
    before = len(stand.fetched)
    assert [one.status for one in stand.poll()] == ["busy"]
    assert len(stand.fetched) == before
    assert stand.now > START


def test_a_sitemaps_part_on_another_host_waits_for_that_hosts_turn(stand: Newsstand) -> None:
    stand.sources = (herald(kind="sitemap", url=f"{HERALD}/map.xml"),)
    parts = "".join(f"<sitemap><loc>{site}/part.xml</loc></sitemap>" for site in (HERALD, GAZETTE))
    stand.pages |= {
        f"{HERALD}/map.xml": f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{parts}</sitemapindex>".encode(),
        f"{HERALD}/part.xml": sitemap(HERALD + PATH),
        f"{GAZETTE}/part.xml": sitemap(),
    }
    hold(stand, "gazette.example")
    (outcome,) = stand.poll()
    assert (outcome.status, outcome.reason) == ("found", "unread-busy")
    assert f"{GAZETTE}/part.xml" not in stand.fetched
    assert len(stand.stored) == 1
