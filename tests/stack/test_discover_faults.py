"""Polls that go wrong, or whose source is larger than a poll: what is remembered, what comes again, who waits."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broadsheet.discover import Discoverer, Outcome
from broadsheet.fetch import Client, FetchGone, FetchTransient, Response
from broadsheet.hosts import BusyError, Hosts
from broadsheet.polls import Polls
from broadsheet.queue import ArticleMessage, Queue, decode
from broadsheet.shares import Shares
from broadsheet.source import Source, Sources
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die

HOST = "https://news.example"
INDEX = f"{HOST}/sitemap.xml"
NOW = 1_790_000_000.0


class World:
    """Pages by URL, bytes or what is raised, and one source that reads them."""

    def __init__(self, cloud: Cloud, *sources: Source) -> None:
        self.cloud, self.now, self.sources = cloud, NOW, sources
        self.pages: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []
        self.slept: list[float] = []
        self.asked_until: list[float | None] = []
        self.polls = Polls(cloud.dynamodb, cloud.state_table)
        self.hosts = Hosts(cloud.dynamodb, cloud.state_table, run="run", lease=270)

    def poll(self) -> list[Outcome]:
        world = self

        class Scripted(Client):
            def get(self, url: str, *, deadline: float | None = None, **_: Any) -> Response:
                world.asked.append(url)
                world.asked_until.append(deadline)
                answer = world.pages.get(url, FetchGone(url, "http-404", status=404))
                if isinstance(answer, Exception):
                    raise answer
                return Response(url=url, status=200, headers={"etag": '"1"'}, body=answer)

        discoverer = Discoverer(
            polls=self.polls,
            hosts=self.hosts,
            queue=Queue(self.cloud.sqs, self.cloud.queue_url),
            shares=Shares(self.cloud.sqs, self.cloud.polls_queue_url),
            client=Scripted(user_agent="test"),
            sources=Sources(sources=self.sources),
            clock=lambda: self.now,
            sleep=self._sleep,
            deadline=self.now + 240,
        )
        return discoverer.run(force=True)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def sent(self) -> list[ArticleMessage]:
        self.cloud.let_come(self.cloud.queue_url)
        messages = [decode(one["Body"], message_id="m") for one in self.cloud.messages(self.cloud.queue_url)]
        return sorted(messages, key=lambda one: one.url)

    def later(self, seconds: float = 900) -> None:
        self.now += seconds


def rss(*numbers: int) -> bytes:
    items = "".join(f"<item><title>No. {n}</title><link>{HOST}/2026/{n}-x</link></item>" for n in numbers)
    return f"<rss version='2.0'><channel><title>News</title><link>{HOST}/</link>{items}</channel></rss>".encode()


def sitemap(*numbers: int, at: str = "2026-03-04") -> bytes:
    items = "".join(f"<url><loc>{HOST}/2026/{n}-x</loc><lastmod>{at}</lastmod></url>" for n in numbers)
    return f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{items}</urlset>".encode()


def undated(*numbers: int) -> bytes:
    return sitemap(*numbers).replace(b"<lastmod>2026-03-04</lastmod>", b"")


def index(*names: str) -> bytes:
    items = "".join(f"<sitemap><loc>{HOST}/{name}</loc></sitemap>" for name in names)
    return f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{items}</sitemapindex>".encode()


@pytest.fixture
def feed(cloud: Cloud) -> World:
    world = World(cloud, Source(id="news", name="News", url=f"{HOST}/feed", delay=5))
    world.pages[f"{HOST}/feed"] = rss(1, 2)
    return world


@pytest.fixture
def maps(cloud: Cloud) -> World:
    world = World(cloud, Source(id="news", name="News", url=INDEX, kind="sitemap", interval=1, delay=20))
    world.pages |= {INDEX: index("a.xml", "b.xml"), f"{HOST}/a.xml": sitemap(1), f"{HOST}/b.xml": sitemap(2)}
    return world


def test_an_index_that_never_changes_still_brings_what_its_sitemaps_gain(maps: World) -> None:
    assert [one.status for one in maps.poll()] == ["found"]
    assert len(maps.sent()) == 2
    maps.later()
    maps.pages[f"{HOST}/b.xml"] = sitemap(2, 3)
    maps.poll()
    assert [one.url for one in maps.sent()] == [f"{HOST}/2026/3-x"]


def test_a_sitemap_that_cannot_be_read_keeps_none_of_the_others(maps: World) -> None:
    maps.pages[f"{HOST}/a.xml"] = b"<html>gone</html>"
    (outcome,) = maps.poll()
    assert outcome.status == "found"
    assert "unread-" in outcome.reason
    assert [one.url for one in maps.sent()] == [f"{HOST}/2026/2-x"]
    maps.later()
    maps.pages[f"{HOST}/b.xml"] = FetchGone(HOST, "http-404", status=404)
    assert [one.status for one in maps.poll()] == ["failed"], "but none at all is a failure"


def test_a_long_sitemaps_past_is_fetched_bit_by_bit_and_announced_to_nobody(maps: World) -> None:
    maps.pages[f"{HOST}/a.xml"] = sitemap(*range(1, 9))
    maps.poll()
    first = maps.sent()
    assert [len(first), sum(one.announce for one in first)] == [3, 1]
    maps.later()
    maps.pages[f"{HOST}/b.xml"] = sitemap(2, 90, at="2026-09-22")  # NOW's second day
    maps.poll()
    second = maps.sent()
    assert len(second) == 3
    assert [one.url for one in second if one.announce] == [f"{HOST}/2026/90-x"]
    for _ in range(3):
        maps.later()
        maps.poll()
        assert not any(one.announce for one in maps.sent())
    maps.later()
    maps.pages[f"{HOST}/a.xml"] = sitemap(*range(1, 10))
    maps.poll()
    assert [one.announce for one in maps.sent()] == [True], "the past is dealt with: what comes now is news"


def test_a_host_that_wants_to_be_left_alone_is_by_all_its_sources_and_the_parser(cloud: Cloud) -> None:
    world = World(cloud, *(Source(id=f"s{n}", name="N", url=f"{HOST}/{n}") for n in range(3)))
    tired = FetchTransient(HOST, "http-429", status=429)
    tired.host_wide, tired.retry_after = True, 1200.0
    world.pages[f"{HOST}/0"] = tired
    world.pages[f"{HOST}/1"] = world.pages[f"{HOST}/2"] = rss(1)
    assert sorted(one.status for one in world.poll()) == ["busy", "busy", "failed"]
    assert world.asked == [f"{HOST}/0"]
    with pytest.raises(BusyError) as busy:
        world.hosts.take("news.example", now=NOW + 1199)
    assert busy.value.until == NOW + 1200


def test_the_crawl_delay_that_the_parser_read_holds_for_polls_and_after_them(cloud: Cloud) -> None:
    world = World(cloud, *(Source(id=f"s{n}", name="N", url=f"{HOST}/{n}") for n in range(2)))
    world.hosts.give_back(world.hosts.take("news.example", now=NOW), next_at=NOW, delay=30)
    world.pages[f"{HOST}/0"] = world.pages[f"{HOST}/1"] = rss(1)
    world.poll()
    assert world.slept == [30]
    with pytest.raises(BusyError) as busy:
        world.hosts.take("news.example", now=NOW)
    assert (busy.value.until, busy.value.delay) == (NOW + 60, 30)


def test_the_crawl_delay_holds_between_the_parts_of_a_sitemap_and_before_a_feed_that_a_page_names(
    maps: World, cloud: Cloud
) -> None:
    maps.hosts.give_back(maps.hosts.take("news.example", now=NOW), next_at=NOW, delay=30)
    maps.poll()
    assert len(maps.asked) == 3
    assert maps.slept == [30, 30]
    page = World(cloud, Source(id="page", name="N", url=f"{HOST}/home"))
    page.later()
    page.pages[f"{HOST}/home"] = b'<html><link rel="alternate" type="application/rss+xml" href="/feed"></html>'
    page.pages[f"{HOST}/feed"] = rss(1)
    page.poll()
    assert (page.asked, page.slept) == ([f"{HOST}/home", f"{HOST}/feed"], [30])


def test_a_feed_that_the_crawl_delay_keeps_from_the_run_that_finds_its_page_is_asked_by_the_next(cloud: Cloud) -> None:
    world = World(cloud, Source(id="page", name="N", url=f"{HOST}/home"))
    world.hosts.give_back(world.hosts.take("news.example", now=NOW), next_at=NOW, delay=230)
    world.pages[f"{HOST}/home"] = b'<html><link rel="alternate" type="application/rss+xml" href="/feed"></html>'
    world.pages[f"{HOST}/feed"] = rss(1)
    assert [one.status for one in world.poll()] == ["unfinished"]
    world.later(230)
    assert [one.status for one in world.poll()] == ["found"]
    assert world.asked == [f"{HOST}/home", f"{HOST}/feed"]


@pytest.mark.parametrize(
    ("delay", "asked"),
    [
        (90, ["0", "1", "0", "2", "0", "3", "0", "4", "0", "1"]),
        (150, ["0", "1", "0", "2", "0", "3", "0", "4", "0", "1"]),  # one a poll
        (60, ["0", "1", "2", "0", "3", "4", "0", "1", "2"]),
    ],
)
@pytest.mark.parametrize("gone", [(), ("0", "1")])
def test_sitemaps_of_an_index_that_a_crawl_delay_leaves_no_time_for_have_their_turn_later(
    cloud: Cloud, delay: float, asked: list[str], gone: tuple[str, ...]
) -> None:
    world = World(cloud, Source(id="news", name="News", url=INDEX, kind="sitemap", interval=1, delay=0))
    world.hosts.give_back(world.hosts.take("news.example", now=NOW), next_at=NOW, delay=delay)
    parts = {f"{HOST}/{n}.xml": sitemap(n) for n in range(5) if str(n) not in gone}
    world.pages |= {INDEX: index(*(f"{n}.xml" for n in range(5)))} | parts
    while len(found := [url for url in world.asked if url != INDEX]) < len(asked):
        world.poll()
        world.later()
    assert [url.removeprefix(f"{HOST}/").removesuffix(".xml") for url in found] == asked
    assert [one.url for one in world.sent()] == [f"{HOST}/2026/{n}-x" for n in range(5) if str(n) not in gone]


def test_an_index_read_in_turns_is_past_its_backlog_once_all_were_read(cloud: Cloud) -> None:
    world = World(cloud, Source(id="news", name="News", url=INDEX, kind="sitemap", interval=1, delay=0))
    world.hosts.give_back(world.hosts.take("news.example", now=NOW), next_at=NOW, delay=90)
    world.pages |= {INDEX: index("0.xml", "1.xml", "2.xml")}
    world.pages |= {f"{HOST}/{n}.xml": undated(n) for n in range(3)}
    for _ in range(3):
        world.poll()
        world.later()
    world.sent()
    world.pages[f"{HOST}/0.xml"] = undated(0, 9)
    world.poll()
    assert [(one.url, one.announce) for one in world.sent()] == [(f"{HOST}/2026/9-x", True)]


def test_an_index_whose_sitemaps_no_run_can_reach_is_told_of_as_failing(cloud: Cloud) -> None:
    world = World(cloud, Source(id="news", name="News", url=INDEX, kind="sitemap", interval=1, delay=0))
    world.hosts.give_back(world.hosts.take("news.example", now=NOW), next_at=NOW, delay=600)
    world.pages |= {INDEX: index("0.xml"), f"{HOST}/0.xml": sitemap(1)}
    assert [(one.status, one.reason) for one in world.poll()] == [("failed", "not-reached")]


def test_articles_on_another_host_than_the_feeds_come_at_once_and_leave_its_line_alone(cloud: Cloud) -> None:
    feeds = [Source(id=f"s{n}", name="N", url=f"https://feeds.example/{n}", off_site=True, delay=5) for n in (1, 2)]
    world = World(cloud, *feeds)
    for n in (1, 2):
        world.pages[f"https://feeds.example/{n}"] = rss(*range(10 * n, 10 * n + 3)).replace(
            b"https://news.example/2026/", b"https://site%d.example/2026/" % n
        )
    world.poll()
    assert {(one.place, one.turn) for one in world.sent()} == {(0.0, "")}
    assert world.hosts.take("feeds.example", now=world.now + 300).tail == 0.0


def test_a_turn_that_cannot_be_given_back_costs_no_outcome(feed: World) -> None:
    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "later"}}, "UpdateItem")

    with before(feed.cloud.dynamodb, "UpdateItem", refuse, nth=2):
        assert [one.status for one in feed.poll()] == ["found"]


def test_a_poll_that_finds_nothing_takes_its_hosts_turn_for_one_request_and_leaves_it_to_end(feed: World) -> None:
    feed.poll()
    feed.later()
    with before(feed.cloud.dynamodb, "UpdateItem", lambda _: None) as asked:
        assert [one.status for one in feed.poll()] == ["not-modified"]
    assert asked.count("UpdateItem") == 1
    assert feed.asked_until == [NOW + 240, NOW + 900 + 35], "a request ends before the turn does"
    with pytest.raises(BusyError) as busy:
        feed.hosts.take("news.example", now=feed.now + 1)
    assert busy.value.until == feed.now + 40


def test_a_poll_that_finds_one_article_leaves_its_turn_to_it(feed: World) -> None:
    feed.poll()
    feed.sent()
    feed.later()
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3)
    with before(feed.cloud.dynamodb, "UpdateItem", lambda _: None) as asked:
        feed.poll()
    assert asked.count("UpdateItem") == 1
    (sent,) = feed.sent()
    assert sent.place == sent.not_before == feed.now + 6
    with pytest.raises(BusyError):
        feed.hosts.take("news.example", now=feed.now + 6)
    feed.hosts.take("news.example", now=feed.now + 6, left_by=sent.turn)


def test_a_poll_that_finds_several_articles_gives_its_turn_back_for_them(feed: World) -> None:
    feed.poll()
    feed.sent()
    feed.later()
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3, 4)
    feed.poll()
    assert [one.turn for one in feed.sent()] == ["", ""]
    feed.hosts.take("news.example", now=feed.now + 5)


def test_a_turn_is_left_to_nobody_who_was_not_sent(feed: World) -> None:
    feed.poll()
    feed.later()
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalError", "Message": "later"}}, "SendMessageBatch")

    feed.cloud.sqs.meta.events.register_first("before-send.sqs.SendMessageBatch", refuse)
    try:
        assert [one.status for one in feed.poll()] == ["incomplete"]
    finally:
        feed.cloud.sqs.meta.events.unregister("before-send.sqs.SendMessageBatch", refuse)
    with pytest.raises(BusyError) as busy:
        feed.hosts.take("news.example", now=feed.now + 6)
    assert busy.value.until == feed.now + 40, "it ends by itself"


def test_a_turn_that_polls_must_remember_something_with_is_given_back(feed: World) -> None:
    feed.hosts.give_back(feed.hosts.take("news.example", now=NOW), next_at=NOW, failures=1)
    feed.poll()
    feed.sent()
    feed.later()
    feed.hosts.give_back(feed.hosts.take("news.example", now=feed.now), next_at=feed.now, failures=1)
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3)
    feed.poll()
    assert [one.turn for one in feed.sent()] == [""]
    assert feed.hosts.take("news.example", now=feed.now + 6).failures == 0


def test_a_poll_that_may_need_another_request_has_the_turn_for_longer(feed: World) -> None:
    feed.pages[f"{HOST}/feed"] = FetchTransient(HOST, "timeout")
    feed.poll()
    feed.later()
    feed.pages[f"{HOST}/feed"] = b"<html><head><link rel=alternate type=application/rss+xml href=/rss></head></html>"
    feed.pages[f"{HOST}/rss"] = rss(1)
    assert [one.status for one in feed.poll()] == ["found"]
    assert feed.slept == [5]


def test_messages_come_when_their_host_is_due_one_after_another_newest_first(feed: World) -> None:
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3)
    feed.poll()
    assert sorted(one.not_before - NOW for one in feed.sent()) == [6, 12, 18], "the poll has just asked it"
    assert [one.place for one in feed.sent()] == []
    assert feed.hosts.line_up("news.example", 1, spacing=6, start=NOW) == NOW + 24, "behind them"
    feed.later(10)
    feed.pages[f"{HOST}/feed"] = rss(1, 2, 3, 4)
    feed.poll()
    assert [one.not_before - NOW for one in feed.sent()] == [30]


def test_messages_of_a_hosts_sources_come_when_all_of_them_have_been_asked(cloud: Cloud) -> None:
    world = World(cloud, *(Source(id=f"s{n}", name="N", url=f"{HOST}/{n}", delay=5) for n in range(3)))
    world.pages |= {f"{HOST}/{n}": rss(n, n + 3) for n in range(3)}
    world.poll()
    assert sorted(one.not_before - NOW for one in world.sent()) == [18, 24, 30, 36, 42, 48]


def test_messages_of_a_host_without_hurry_come_at_once_to_be_fetched_in_one_go(cloud: Cloud) -> None:
    world = World(cloud, Source(id="news", name="News", url=f"{HOST}/feed", delay=1))
    world.pages[f"{HOST}/feed"] = rss(1, 2, 3)
    world.poll()
    assert [one.not_before - NOW for one in world.sent()] == [1, 1, 1]


def test_messages_whose_pages_nobody_needs_wait_for_no_host(cloud: Cloud) -> None:
    world = World(cloud, Source(id="news", name="News", url=f"{HOST}/feed", delay=5, fetch="feed"))
    world.pages[f"{HOST}/feed"] = rss(1, 2)
    world.poll()
    assert [one.not_before for one in world.sent()] == [0, 0]


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize("call", ["SendMessageBatch", "window", "state"])
def test_killed_at_any_write_a_poll_sends_again_rather_than_never(
    feed: World, call: str, death: Callable[[Any], None]
) -> None:
    client: Any = feed.cloud.sqs if call == "SendMessageBatch" else feed.cloud.dynamodb
    operation, nth = (
        ("SendMessageBatch", 1) if call == "SendMessageBatch" else ("PutItem", ["window", "state"].index(call) + 1)
    )
    with before(client, operation, death, nth=nth), pytest.raises(KilledError):
        feed.poll()
    feed.later()
    feed.poll()
    sent = feed.sent()
    assert {one.url for one in sent} == {f"{HOST}/2026/1-x", f"{HOST}/2026/2-x"}
    twice = (call, death) in (("SendMessageBatch", done_then_die), ("window", die))
    assert len(sent) == (4 if twice else 2)
    feed.later()
    feed.poll()
    assert feed.sent() == []


def test_what_the_queue_refuses_is_neither_marked_nor_validated(feed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broadsheet.queue.SEND_ATTEMPTS", 1)

    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "later"}}, "SendMessageBatch")

    with before(feed.cloud.sqs, "SendMessageBatch", refuse):
        (outcome,) = feed.poll()
    assert (outcome.status, outcome.new, outcome.enqueued) == ("incomplete", 2, 0)
    state = feed.polls.states(["news"])["news"]
    assert (state.etag, state.body_hash) == (None, "")
    feed.later()
    assert [one.status for one in feed.poll()] == ["found"]
    assert len(feed.sent()) == 2
    assert feed.polls.states(["news"])["news"].etag == '"1"'
    feed.later()
    assert [one.reason for one in feed.poll()] == ["same-body"]
