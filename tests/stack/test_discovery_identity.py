"""What publishers do to links, ids, titles and order, poll after poll: one article stays one, and none is lost."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from broadsheet import urls
from tests.stack.cloud import Cloud
from tests.stack.newsstand import HERALD, START, Newsstand, headline, herald, item, opened, page, rss, sitemap

A, B = "/2026/11/ferry-runs-late-again", "/2026/11/library-keeps-its-owls"
FEED = f"{HERALD}/feed"


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    with opened(cloud) as stand:
        stand.publish(A, B)
        yield stand


def at(hours: float) -> str:
    """An RSS date, hours after the start."""
    return format_datetime(datetime.fromtimestamp(START, UTC) + timedelta(hours=hours))


EDITS = {
    "a tracking parameter": item(A, link=f"{HERALD}{A}?utm_source=rss&amp;fbclid=x1"),
    "another tracking parameter and GUID": item(A, link=f"{HERALD}{A}?utm_medium=feed", guid="new"),
    "a GUID": item(A, guid="made anew"),
    "no GUID": item(A, guid=""),
    "a moved fragment": item(A, link=f"{HERALD}{A}#xtor=RSS-2"),
    "http to https": item(A, link=f"https://herald.example{A}"),
    "https, www, slash and port": item(A, link=f"https://WWW.Herald.example:443{A}/", guid="new"),
    "a title edit": item(A, title="It runs late no longer"),
    "a title edit and a GUID": item(A, title="It runs late no longer", guid="new"),
    "a new date": item(A, pubDate=at(5)),
    "a new address under its GUID and date": item(A, link=f"{HERALD}/2026/11/ferry-runs-on-time"),
}


@pytest.mark.parametrize("changed", EDITS.values(), ids=EDITS)
def test_what_a_publisher_edits_makes_no_second_article(stand: Newsstand, changed: str) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    assert [one.url for one in stand.stored] == [HERALD + A, HERALD + B]
    fetched = len(stand.fetched)
    stand.later()
    stand.pages[FEED] = rss(changed, item(B))
    (outcome,) = stand.poll()
    assert (outcome.status, outcome.skipped) == ("nothing-new", {"seen": 2})
    assert len(stand.fetched) == fetched + 1, "the feed alone was asked for"
    assert [one.url for one in stand.stored] == [HERALD + A, HERALD + B]
    assert set(stand.posts.values()) == {1}


def test_a_reordered_feed_brings_nothing(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    stand.pages[FEED] = rss(item(B), item(A))
    assert [one.status for one in stand.poll()] == ["nothing-new"]
    assert len(stand.stored) == 2


def test_an_address_its_feed_forgot_and_brings_again_in_other_words_is_known_by_parse(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    window = {"pk": {"S": "source#herald"}, "sk": {"S": "window"}}
    stand.cloud.dynamodb.delete_item(TableName=stand.cloud.state_table, Key=window)
    stand.pages[FEED] = rss(item(A, link=f"{HERALD}{A}?utm_source=x"), item(B))
    (outcome,) = stand.poll()
    assert outcome.enqueued == 2
    assert len(stand.stored) == 2
    assert set(stand.posts.values()) == {1}


@pytest.mark.parametrize("link", [f"{HERALD}{A}?newtrack=7", f"{HERALD}{A}?newtrack=7&amp;utm_source=x"])
def test_a_new_policy_of_identity_makes_no_second_article_of_an_old_one(
    stand: Newsstand, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.pages[f"{HERALD}{A}?newtrack=7"] = page(headline(A))
    stand.pages[FEED] = rss(item(A, link=f"{HERALD}{A}?newtrack=7"), item(B))
    stand.poll()
    was = {one.id for one in stand.stored}
    monkeypatch.setattr(urls, "POLICY", 2)
    monkeypatch.setitem(urls._TRACKERS, "newtrack", 2)
    window = {"pk": {"S": "source#herald"}, "sk": {"S": "window"}}
    stand.cloud.dynamodb.delete_item(TableName=stand.cloud.state_table, Key=window)
    stand.later()
    stand.pages[FEED] = rss(item(A, link=link, guid=""), item(B))
    (outcome,) = stand.poll()
    assert outcome.enqueued == 2
    assert {one.id for one in stand.stored} == was
    assert set(stand.posts.values()) == {1}


@pytest.mark.parametrize("link", [f"{HERALD}/", "http://elsewhere.example/2026/11/another-story-of-another-paper"])
def test_a_site_wide_canonical_link_merges_nothing(stand: Newsstand, link: str) -> None:
    stand.publish(A, B, canonical=link)
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    assert [one.url for one in stand.stored] == [HERALD + A, HERALD + B]
    assert stand.aliases == []
    assert len(stand.posts) == 2


def test_a_late_an_undated_and_a_back_dated_entry_each_make_one_article(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A, pubDate=at(-1)), item(B, pubDate=at(-2)))
    stand.poll()
    late, undated, dated_back = "/2026/11/late-swan-census", "/undated-mill-notes", "/2026/10/back-dated-goat-show"
    stand.publish(late, undated, dated_back)
    stand.later()
    news = [item(undated), item(late, pubDate=at(-30)), item(dated_back, pubDate=at(-900))]
    stand.pages[FEED] = rss(item(A, pubDate=at(-1)), news[0], item(B, pubDate=at(-2)), *news[1:])
    (outcome,) = stand.poll()
    assert (outcome.new, outcome.skipped) == (3, {"seen": 2})
    stand.later()
    stand.pages[FEED] = rss(*news)
    assert [one.status for one in stand.poll()] == ["nothing-new"]
    assert len(stand.stored) == 5
    assert stand.posts == {("town", headline(path)): 1 for path in (A, B, late, undated, dated_back)}


def test_a_twin_finds_the_article_that_its_page_names_under_a_former_policy(
    stand: Newsstand, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = f"{A}?newtrack=7"
    stand.publish((tracked, headline(A)), (f"{A}/amp", headline(A)), canonical=HERALD + tracked)
    stand.pages[FEED] = rss(item(tracked, title=headline(A)))
    stand.poll()
    was = [one.id for one in stand.stored]
    monkeypatch.setattr(urls, "POLICY", 2)
    monkeypatch.setitem(urls._TRACKERS, "newtrack", 2)
    stand.later()
    stand.pages[FEED] = rss(item(f"{A}/amp", title=headline(A)))
    stand.poll()
    assert [one.id for one in stand.stored] == was
    assert [one.target for one in stand.aliases] == was
    assert list(stand.posts.values()) == [1]


@pytest.mark.parametrize("first", ["/amp", ""])
def test_an_amp_twin_ends_as_an_alias(stand: Newsstand, first: str) -> None:
    stand.publish(A, (f"{A}/amp", headline(A)), canonical=HERALD + A)
    stand.pages[FEED] = rss(item(A + first, title=headline(A)))
    stand.poll()
    stand.later()
    other = "" if first else "/amp"
    stand.pages[FEED] = rss(item(A + first, title=headline(A)), item(A + other, title=headline(A)))
    stand.poll()
    (article,) = stand.stored
    (alias,) = stand.aliases
    assert article.url == HERALD + A
    assert (alias.url, alias.target) == (f"{HERALD}{A}/amp", article.id)
    assert list(stand.posts.values()) == [1]


def test_an_article_in_two_sources_lists_both_and_each_channel_hears_of_it_once(stand: Newsstand) -> None:
    stand.sources = (
        herald(channels=("town",)),
        herald(id="morning", url=f"{HERALD}/morning", channels=("town", "valley")),
        herald(id="map", url=f"{HERALD}/map", kind="sitemap", channels=("valley",)),
    )
    stand.pages |= {FEED: rss(item(A)), f"{HERALD}/morning": rss(item(A, link=f"{HERALD}{A}?utm_source=am"))}
    stand.pages[f"{HERALD}/map"] = sitemap(HERALD + A)
    stand.poll()
    (article,) = stand.stored
    assert article.sources == {"herald", "morning", "map"}
    assert stand.posts == {("town", headline(A)): 1, ("valley", headline(A)): 1}


def test_a_new_source_that_repeats_known_news_does_not_flood_its_channels(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.poll()
    stand.later()
    stand.sources += (herald(id="morning", url=f"{HERALD}/morning", channels=("valley",), announce_first=1),)
    stand.pages[f"{HERALD}/morning"] = rss(item(A, pubDate=at(-1)), item(B, pubDate=at(-2)))
    stand.poll()
    assert {frozenset(one.sources) for one in stand.stored} == {frozenset({"herald", "morning"})}
    assert stand.posts[("valley", headline(A))] == 1
    assert stand.posts[("valley", headline(B))] == 0, "announce_first is 1"


def test_what_one_source_kept_quiet_is_news_where_another_has_it_as_news(stand: Newsstand) -> None:
    stand.sources = (
        herald(announce_first=0),
        herald(id="morning", url=f"{HERALD}/morning", channels=("valley",)),
    )
    stand.pages |= {FEED: rss(), f"{HERALD}/morning": rss(item(B))}
    stand.poll()
    stand.sources = (herald(id="annual", url=f"{HERALD}/annual", announce_first=0), stand.sources[1])
    stand.pages[f"{HERALD}/annual"] = rss(item(A))
    stand.poll()
    assert len(stand.stored) == 2
    assert ("town", headline(A)) not in stand.posts
    stand.later()
    stand.pages[f"{HERALD}/morning"] = rss(item(A), item(B))
    stand.poll()
    assert stand.posts == {("valley", headline(B)): 1, ("valley", headline(A)): 1}


def test_two_overlapping_runs_do_no_harm(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    second: list[str] = []
    plain = stand.client.get

    def meanwhile(url: str, **options: object) -> object:
        if url == FEED and not second:
            second.append("begun")
            second.extend(one.status for one in stand.discoverer("other").run(force=True))
        return plain(url, **options)  # type: ignore[arg-type]  # handed on as it came

    stand.client.get = meanwhile  # type: ignore[method-assign,assignment]  # the real fetch, with a run in its middle
    stand.poll()
    assert second == ["begun", "busy"], "one request at a time"
    stand.poll(force=False)
    assert len(stand.stored) == 2
    assert set(stand.posts.values()) == {1}


def test_two_runs_that_both_sent_make_one_article_each(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A), item(B))
    stand.discoverer().run(force=True)
    for sk in ("window", "poll"):  # the second began before the first had saved a thing
        key = {"pk": {"S": "source#herald"}, "sk": {"S": sk}}
        stand.cloud.dynamodb.delete_item(TableName=stand.cloud.state_table, Key=key)
    stand.later()
    stand.poll()
    assert len(stand.stored) == 2
    assert set(stand.posts.values()) == {1}
