"""Hours of fetching in simulated time: every host is asked by one worker at a time, as rarely as it wants to be."""

import random
from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise

from broadsheet.fetch import FetchError, FetchTransient
from broadsheet.queue import ArticleMessage
from broadsheet.source import Source, Sources
from broadsheet.urls import article_id
from tests.stack.cloud import Cloud
from tests.stack.test_parse_faults import page
from tests.stack.traffic import FETCH_SECONDS, START, Request, Traffic

HOUR = 3600.0
SLACK = 1e-3  # epoch seconds as floats, added up


def sources(**delays: float) -> Sources:
    """A source for each host `<name>.example`, with its delay."""
    return Sources(
        sources=tuple(Source(id=id, name=id, url=f"https://{id}.example", delay=delay) for id, delay in delays.items())
    )


def articles(source: str, count: int) -> list[ArticleMessage]:
    """Messages for articles of one host."""
    urls = [f"https://{source}.example/2026/ferry-report-{n}" for n in range(count)]
    seen = datetime.fromtimestamp(START, UTC)
    return [ArticleMessage(id=article_id(url), url=url, source=source, first_seen=seen, trace=url) for url in urls]


def by_host(requests: list[Request]) -> dict[str, list[Request]]:
    found: dict[str, list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda one: one.start):
        found[request.host].append(request)
    return found


def assert_polite(requests: list[Request], delay_of: dict[str, float]) -> None:
    """One request at a time on each host, its delay between them."""
    for host, asked in by_host(requests).items():
        for one, other in pairwise(asked):
            assert other.start >= one.end + delay_of.get(host, 0.0) - SLACK, (one, other)


def pages(url: str, now: float) -> bytes | FetchError:
    """A page at every address, and no robots.txt."""
    answer = page(url)
    assert isinstance(answer, bytes | FetchError)
    return answer


def host_wide(error: FetchTransient, retry_after: float | None = None) -> FetchTransient:
    """The error as a host's trouble rather than a page's."""
    error.host_wide, error.retry_after = True, retry_after
    return error


def test_a_backlog_is_fetched_at_the_hosts_pace_by_all_workers(cloud: Cloud) -> None:
    traffic = Traffic(cloud, sources(slow=9), pages, workers=3, batch=8)
    traffic.publish(articles("slow", 40))
    traffic.run(START + HOUR)
    assert len(traffic.stored()) == 40
    assert traffic.dead == 0
    assert traffic.longest_delay <= 900
    assert len(traffic.requests) == 41, "robots.txt, then each page once"
    assert_polite(traffic.requests, {"slow.example": 9.0})


def test_an_article_of_a_backlog_waits_its_turn_in_the_queue_once(cloud: Cloud) -> None:
    traffic = Traffic(cloud, sources(slow=5), pages, workers=3)
    traffic.publish(articles("slow", 150))
    done = traffic.run(START + HOUR)
    assert len(traffic.stored()) == 150
    assert traffic.sends <= 2.2 * 150, "sent by discover, then to its place in line"
    assert done - START < 1.25 * 150 * (5 + FETCH_SECONDS)
    assert_polite(traffic.requests, {"slow.example": 5.0})


def test_a_crawl_delay_of_robots_txt_holds_across_workers(cloud: Cloud) -> None:
    def answer(url: str, now: float) -> bytes | FetchError:
        return b"User-agent: *\nCrawl-delay: 20\n" if url.endswith("/robots.txt") else pages(url, now)

    traffic = Traffic(cloud, sources(slow=1, other=1), answer, workers=4, batch=5)
    traffic.publish(articles("slow", 20) + articles("other", 5))
    traffic.run(START + HOUR)
    assert len(traffic.stored()) == 25
    assert_polite(traffic.requests, {"slow.example": 20.0, "other.example": 20.0})
    assert traffic.sends <= 3 * 25


def test_a_host_that_fails_for_an_hour_delays_no_other_and_loses_nothing(cloud: Cloud) -> None:
    def answer(url: str, now: float) -> bytes | FetchError:
        if "sick.example" in url and now < START + HOUR:
            return FetchTransient(url, "timeout") if "report-1" in url else host_wide(FetchTransient(url, "http-503"))
        return pages(url, now)

    calm, well = [f"calm{n}" for n in range(4)], [f"well{n}" for n in range(4)]
    alone = Traffic(cloud, sources(**dict.fromkeys(calm, 2.0)), pages, workers=2)
    beside = Traffic(cloud, sources(**dict.fromkeys([*well, "sick"], 2.0)), answer, workers=2)
    alone.publish([message for name in calm for message in articles(name, 12)])
    beside.publish([message for name in well for message in articles(name, 12)] + articles("sick", 30))
    alone.run(START + HOUR)
    beside.run(START + 12 * HOUR)
    stored = beside.stored()
    assert len(stored) == 4 * 12 + 30, "all arrive"
    assert beside.dead == 0
    assert_polite(beside.requests, {f"{name}.example": 2.0 for name in [*well, "sick"]})
    late = max(stored[url.replace("calm", "well")] - at for url, at in alone.stored().items())
    assert late <= 60, "once more through its own host's line at most, whatever the sick one does"
    asked = [one for one in beside.requests if one.host == "sick.example" and one.start < START + HOUR]
    assert len(asked) <= 20, "and it is left alone meanwhile"
    assert max(at for url, at in stored.items() if "sick" in url) < START + 4 * HOUR


def test_lone_articles_of_a_host_that_stalls_are_never_fetched_two_at_once(cloud: Cloud) -> None:
    """Each takes the turn for its own request only, which may last as long as that allows."""
    rng = random.Random(7)

    def answer(url: str, now: float) -> bytes | FetchError:
        return FetchTransient(url, "stalled") if rng.random() < 0.5 else pages(url, now)

    traffic = Traffic(cloud, sources(slow=5), answer, workers=3, batch=3)
    for message in articles("slow", 40):
        traffic.publish([message], at=START + rng.uniform(0, HOUR / 2))
    traffic.run(START + 4 * HOUR)
    assert len(traffic.stored()) == 40
    assert max(one.end - one.start for one in traffic.requests) == 30, "as long as a fetch may take"
    assert_polite(traffic.requests, {"slow.example": 5.0})


def test_a_host_that_asks_for_patience_gets_it_from_every_worker(cloud: Cloud) -> None:
    asked: list[float] = []

    def answer(url: str, now: float) -> bytes | FetchError:
        if "busy.example" in url and not url.endswith("robots.txt"):
            asked.append(now)
            if len(asked) == 1:
                return host_wide(FetchTransient(url, "http-429", status=429), retry_after=1200.0)
        return pages(url, now)

    traffic = Traffic(cloud, sources(busy=2, calm=2), answer, workers=3, batch=6)
    traffic.publish(articles("busy", 15) + articles("calm", 5))
    traffic.run(START + 3 * HOUR)
    assert len(traffic.stored()) == 20
    assert asked[1] >= asked[0] + 1200, "nobody asks before"
    assert max(at for url, at in traffic.stored().items() if "calm" in url) < START + 120
    assert_polite(traffic.requests, {"busy.example": 2.0, "calm.example": 2.0})
