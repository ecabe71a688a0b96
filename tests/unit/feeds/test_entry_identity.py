"""Which entries are the same, whatever their feed says about them from one poll to the next."""

from datetime import UTC, datetime
from typing import Any

import pytest

from broadsheet.feeds import Entry
from broadsheet.feeds.identity import entry_keys

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def story(**changes: Any) -> Entry:
    given: dict[str, Any] = {
        "id": "g-1",
        "url": "https://herald.example/strike",
        "headline": "Strike",
        "published_at": NOON,
    }
    return Entry(**(given | changes))


def new_in(first: list[Entry], second: list[Entry]) -> list[Entry]:
    """The entries of a second poll that none of the first's keys knows."""
    seen = {key for keys in entry_keys(first) for key in keys}
    return [entry for entry, keys in zip(second, entry_keys(second), strict=True) if not seen & set(keys)]


SAME = {
    "trackers": {"url": "https://herald.example/strike?utm_source=rss"},
    "fragment": {"url": "https://herald.example/strike#xtor=RSS-1"},
    "https to http": {"url": "http://herald.example/strike"},
    "www": {"url": "https://www.herald.example/strike/"},
    "GUID changed": {"id": "g-2"},
    "GUID lost": {"id": None},
    "title edited": {"headline": "Strike goes on"},
    "date moved": {"published_at": datetime(2026, 11, 24, tzinfo=UTC)},
    "date lost": {"published_at": None},
    "address moved, GUID and date kept": {"url": "https://herald.example/strike-goes-on", "headline": "Strike goes on"},
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_no_second_article(change: dict[str, Any]) -> None:
    assert new_in([story()], [story(**change)]) == []


def test_a_reordering_is_nothing_new() -> None:
    entries = [story(id=f"g-{n}", url=f"https://herald.example/{n}") for n in range(9)]
    assert new_in(entries, entries[::-1]) == []


def test_a_guid_used_again_for_another_article_loses_nothing() -> None:
    later = story(url="https://herald.example/ferry", headline="Ferry", published_at=datetime(2026, 11, 25, tzinfo=UTC))
    assert new_in([story()], [later]) == [later]
    undated = story(url="https://herald.example/ferry", headline="Ferry", published_at=None)
    assert new_in([story(published_at=None)], [undated]) == [undated]


def test_a_guid_that_repeats_in_its_feed_counts_for_nothing() -> None:
    entries = [story(url=f"https://herald.example/{n}") for n in range(5)]
    keys = entry_keys(entries)
    assert all(len(one) == 1 for one in keys)
    assert len(set(keys)) == 5


def test_a_doubled_item_does_not_cost_the_others_their_guids() -> None:
    entries = [story(id=f"g-{n % 39}", url=f"https://herald.example/{n}") for n in range(40)]
    assert [len(keys) for keys in entry_keys(entries)].count(2) == 38


def test_a_feed_that_repeats_its_guids_is_trusted_in_none() -> None:
    entries = [story(id=f"g-{max(0, n - 5)}", url=f"https://herald.example/{n}") for n in range(10)]
    assert [len(keys) for keys in entry_keys(entries)] == [1] * 10


@pytest.mark.parametrize(
    "change",
    [{"published_at": datetime(2020, 1, 1, tzinfo=UTC)}, {"published_at": None}],
    ids=["back-dated", "undated"],
)
def test_late_entries_are_new(change: dict[str, Any]) -> None:
    late = story(id="g-9", url="https://herald.example/late", headline="Late", **change)
    assert new_in([story()], [story(), late]) == [late]


def test_entries_without_an_address() -> None:
    entries = [
        Entry(id="g-1", headline="A", published_at=NOON),
        Entry(headline="A", published_at=NOON),
        Entry(headline="A"),
        Entry(summary="Only text"),
        Entry(html="<p>Only markup</p>"),
    ]
    keys = entry_keys(entries)
    assert all(keys)
    assert len({key for one in keys for key in one}) == sum(map(len, keys))
    assert new_in(entries, [Entry(id="g-1", headline="A changed", published_at=None)]) == []


def test_an_entry_of_nothing_has_no_key() -> None:
    assert entry_keys([Entry()]) == ((),)
    assert entry_keys([]) == ()
