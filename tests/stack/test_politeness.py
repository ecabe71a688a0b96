"""Hours of fetching in simulated time: every host is asked by one worker at a time, as rarely as it wants to be."""

from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise

from broadsheet.fetch import FetchError
from broadsheet.queue import ArticleMessage
from broadsheet.source import Source, Sources
from broadsheet.urls import article_id
from tests.stack.cloud import Cloud
from tests.stack.test_parse_faults import page
from tests.stack.traffic import START, Request, Traffic

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


def test_a_backlog_is_fetched_at_the_hosts_pace_by_all_workers(cloud: Cloud) -> None:
    traffic = Traffic(cloud, sources(slow=9), pages, workers=3, batch=8)
    traffic.publish(articles("slow", 40))
    traffic.run(START + HOUR)
    assert len(traffic.stored()) == 40
    assert traffic.dead == 0
    assert traffic.longest_delay <= 900
    assert len(traffic.requests) == 41, "robots.txt, then each page once"
    assert_polite(traffic.requests, {"slow.example": 9.0})
