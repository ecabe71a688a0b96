"""Which of a feed's entries are sent, announced, remembered: decided over plain data."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadsheet.feeds import Entry, Feed
from broadsheet.feeds.identity import entry_keys
from broadsheet.intake import Pick, pick
from broadsheet.polls import Window
from broadsheet.source import Source

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SITE = "https://news.example"


def source(**changes: Any) -> Source:
    return Source(**{"id": "news", "name": "News", "url": f"{SITE}/feed"} | changes)


def entry(n: int, *, hours: float | None = 0, **changes: Any) -> Entry:
    """Entry number n, published `hours` before NOW; undated if None."""
    at = None if hours is None else NOW - timedelta(hours=hours)
    return Entry(**{"id": f"g{n}", "url": f"{SITE}/{n}", "headline": f"No. {n}", "published_at": at} | changes)


def feed(*entries: Entry, **changes: Any) -> Feed:
    return Feed(kind="rss", entries=entries, **changes)


def sent(picked: Pick) -> list[str]:
    return [url.removeprefix(f"{SITE}/") for url, _ in picked.send]


def shown(entries: Iterable[Entry], **changes: Any) -> Window:
    return Window().with_shown([key for keys in entry_keys(tuple(entries)) for key in keys], **changes)


def test_the_first_poll_sends_all_and_announces_the_newest() -> None:
    picked = pick(feed(entry(1, hours=9), entry(2, hours=1), entry(3, hours=5)), source(announce_first=2), None)
    assert sent(picked) == ["2", "3", "1"]
    assert picked.announce == {f"{SITE}/2", f"{SITE}/3"}
    assert picked.complete
    assert (picked.skipped, picked.shown) == ({}, ())
    assert pick(feed(entry(1)), source(announce_first=0), None).announce == frozenset()


def test_later_polls_send_and_announce_what_is_new() -> None:
    old = [entry(1, hours=3), entry(2, hours=2)]
    picked = pick(feed(*old, entry(3)), source(), shown(old))
    assert sent(picked) == ["3"]
    assert picked.announce == {f"{SITE}/3"}
    assert picked.skipped == {"seen": 2}
    assert set(picked.shown) == {key for keys in entry_keys(tuple(old)) for key in keys}


def test_an_undated_entry_does_not_wait_behind_the_dated() -> None:
    picked = pick(feed(entry(1), entry(2, hours=None)), source(max_new_per_poll=1), Window())
    assert sent(picked) == ["2"]
    assert not picked.complete
    assert picked.skipped == {"later": 1}


def test_a_late_or_back_dated_entry_is_no_less_new() -> None:
    old = [entry(1), entry(2)]
    assert sent(pick(feed(*old, entry(3, hours=24 * 400)), source(), shown(old))) == ["3"]


def test_an_entry_that_changed_its_address_or_its_guid_is_known_by_the_other() -> None:
    old = shown([entry(1)])
    assert sent(pick(feed(entry(1, url=f"{SITE}/moved"), entry(9)), source(), old)) == ["9"]
    assert sent(pick(feed(entry(1, id="rewritten", headline="Other"), entry(9)), source(), old)) == ["9"]


def test_one_article_twice_in_a_feed_is_sent_once() -> None:
    twice = entry(1, id="g1b", url=f"{SITE}/1?utm_source=rss", headline="Other words")
    picked = pick(feed(entry(1), twice), source(), None)
    assert len(picked.send) == 1
    assert picked.skipped == {"twice": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": None}, "no-link"),
        ({"url": "http://[bad"}, "url-malformed"),
        ({"url": "mailto:a@b.example"}, "url-scheme"),
        ({"url": SITE + "/" + "x" * 9000}, "url-too-long"),
        ({"url": "https://elsewhere.example/1"}, "off-site"),
    ],
)
def test_an_entry_without_an_article_of_the_site_is_counted_and_holds_up_nobody(
    changes: dict[str, Any], reason: str
) -> None:
    picked = pick(feed(entry(1, **changes), entry(2)), source(), None)
    assert sent(picked) == ["2"]
    assert picked.skipped == {reason: 1}
    assert picked.complete, "waiting would bring it no address"


def test_links_may_leave_the_site_where_the_source_says_so_or_the_feed_belongs_there() -> None:
    elsewhere = entry(1, url="https://elsewhere.example/1")
    assert pick(feed(elsewhere), source(off_site=True), None).send
    assert pick(feed(elsewhere, link="https://www.elsewhere.example/"), source(), None).send
    assert pick(feed(entry(1, url="https://world.news.example/1")), source(), None).send


def test_a_feed_is_taken_whole_and_a_sitemap_as_fast_as_its_host_allows() -> None:
    many = feed(*(entry(n, hours=n) for n in range(300)))
    assert len(pick(many, source(interval=15, delay=5), None).send) == 300
    some = pick(many, source(kind="sitemap", interval=15, delay=5), None)
    assert len(some.send) == 180
    assert sent(some)[:2] == ["0", "1"], "the newest first"
    assert (some.complete, some.skipped) == (False, {"later": 120})
    assert len(pick(many, source(kind="sitemap", interval=1, delay=900), None).send) == 1
    assert len(pick(many, source(kind="sitemap", delay=0, max_new_per_poll=7), None).send) == 7


def test_the_day_has_its_share_and_leaves_the_rest_for_later() -> None:
    picked = pick(feed(*(entry(n) for n in range(9))), source(), Window(), allowance=4)
    assert len(picked.send) == 4
    assert picked.skipped == {"later": 5}
    assert not picked.complete


def test_what_was_left_of_the_first_poll_is_fetched_but_no_news() -> None:
    sitemap = source(kind="sitemap", interval=1, delay=30)
    past = [entry(n, hours=n) for n in range(1, 6)]
    first = pick(feed(*past), sitemap, None)
    assert (sent(first), first.complete) == (["1", "2"], False)
    window = shown([entry for _, entry in first.send], backlog_until=NOW.timestamp())
    news = entry(9, hours=-1)
    second = pick(feed(*past, news), sitemap, window)
    assert sent(second) == ["9", "3"]
    assert second.announce == {f"{SITE}/9"}
    settled = shown([*past, news])
    assert pick(feed(entry(10, hours=100)), sitemap, settled).announce == {f"{SITE}/10"}


def test_every_entry_is_sent_remembered_or_left_for_later() -> None:
    entries = [entry(n, hours=n if n % 3 else None, url=None if n % 7 == 0 else f"{SITE}/{n % 40}") for n in range(60)]
    picked = pick(feed(*entries), source(max_new_per_poll=20), shown(entries[:5]))
    assert len(picked.send) + sum(picked.skipped.values()) == 60


def test_an_empty_feed_is_complete() -> None:
    picked = pick(feed(), source(), None)
    assert (picked.send, picked.complete) == ((), True)
