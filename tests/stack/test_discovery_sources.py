"""Sources over weeks: they move, break, fall silent and come back; the clock is simulated, the papers are served."""

import logging
from collections.abc import Iterator

import pytest

from tests.hostile.loopback import answer
from tests.stack.cloud import Cloud, before
from tests.stack.newsstand import HERALD, Newsstand, herald, item, opened, rss

FEED, NEW = f"{HERALD}/feed", "http://new.herald.example/rss"
A, B = "/2026/11/ferry-runs-late-again", "/2026/11/library-keeps-its-owls"


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    with opened(cloud) as stand:
        stand.publish(A, B)
        yield stand


def redirect(url: str, status: str = "301 Moved Permanently") -> bytes:
    return answer(status=status, headers={"Location": url})


def test_a_permanent_redirect_moves_the_source_after_a_week(stand: Newsstand) -> None:
    stand.pages |= {FEED: redirect(NEW), NEW: rss(item(A))}
    for _ in range(6):
        stand.poll()
        assert FEED in stand.fetched[-3:], "followed, but not yet believed"
        stand.later(24)
    stand.later(48)
    stand.poll()
    before = len(stand.fetched)
    stand.poll()
    assert stand.fetched[before:] == [NEW], "the old address is asked no more"
    stand.pages[NEW] = rss(item(A), item(B))
    stand.later()
    assert [one.status for one in stand.poll()] == ["found"]
    assert len(stand.stored) == 2


def test_a_move_that_turns_out_wrong_is_taken_back(stand: Newsstand) -> None:
    stand.pages |= {FEED: redirect(NEW), NEW: rss(item(A))}
    stand.poll()
    stand.later(24 * 8)
    stand.poll()
    del stand.pages[NEW]
    stand.pages[FEED] = rss(item(A), item(B))
    outcomes = []
    for _ in range(8):
        stand.later(24)
        outcomes += [one.status for one in stand.poll()]
    assert outcomes[0] == "failed"
    assert outcomes[-1] != "failed"
    assert len(stand.stored) == 2


def test_a_page_that_names_its_feed_is_asked_once_and_then_the_feed_alone(stand: Newsstand) -> None:
    home, moved = f"{HERALD}/", f"{HERALD}/rss"
    stand.sources = (herald(url=home),)
    page = "<html><head><link rel='alternate' type='application/rss+xml' href='{}'></head><body>Hello</body></html>"
    stand.pages |= {home: page.format("/feed").encode(), FEED: rss(item(A))}
    assert [one.status for one in stand.poll()] == ["found"]
    stand.later()
    stand.pages[FEED] = rss(item(A), item(B))
    assert [one.status for one in stand.poll()] == ["found"]
    feeds = [url for url in stand.fetched if url in (home, FEED)]
    assert feeds == [home, FEED, FEED]
    stand.pages |= {home: page.format("/rss").encode(), moved: rss(item(A), item(B))}
    del stand.pages[FEED]
    outcomes = []
    for _ in range(7):
        stand.later(24)
        outcomes += [one.status for one in stand.poll()]
    assert outcomes == ["failed"] * 6 + ["nothing-new"], "given up, and found anew on the page"
    assert stand.fetched[-2:] == [home, moved]
    assert len(stand.stored) == 2


def test_a_page_that_names_no_feed_but_itself_is_a_failure(stand: Newsstand) -> None:
    stand.pages[FEED] = f"<html><link rel='alternate' type='application/rss+xml' href='{FEED}'><p>Hello".encode()
    assert [(one.status, one.reason) for one in stand.poll()] == [("failed", "html")]


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_a_temporary_redirect_moves_nothing(stand: Newsstand, status: str) -> None:
    stand.pages |= {FEED: redirect(NEW, status), NEW: rss(item(A))}
    for _ in range(3):
        stand.poll()
        stand.later(24 * 5)
    stand.poll()
    assert stand.fetched[-2:] == [FEED, NEW]


def test_the_owner_of_a_broken_source_is_told_once_and_once_that_it_is_over(
    stand: Newsstand, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "broadsheet.discover")
    stand.pages[FEED] = rss(item(A))
    stand.poll()
    del stand.pages[FEED]
    notices = []
    for _ in range(10):
        stand.later(24)
        notices += [one.notice for one in stand.poll()]
    stand.pages[FEED] = rss(item(A), item(B))
    stand.later(24)
    notices += [one.notice for one in stand.poll()]
    assert [notice for notice in notices if notice] == ["broken", "recovered"]
    told = [(one.getMessage(), vars(one)["reason"]) for one in caplog.records if "source-" in one.getMessage()]
    assert told == [("source-broken", "http-404"), ("source-recovered", "")]
    assert len(stand.stored) == 2, "never disabled for good"


def test_the_owner_of_a_silent_source_is_told_once(stand: Newsstand) -> None:
    stand.pages[FEED] = rss(item(A))
    notices = []
    for _ in range(45):
        notices += [one.notice for one in stand.poll()]
        stand.later(24)
    assert [notice for notice in notices if notice] == ["silent"]


def test_a_source_that_changes_its_page_with_every_poll_but_never_its_entries_is_silent_too(stand: Newsstand) -> None:
    notices = []
    for day in range(45):
        stand.pages[FEED] = rss(item(A)) + f"<!-- {day} -->".encode()
        notices += [one.notice for one in stand.poll()]
        stand.later(24)
    assert [notice for notice in notices if notice] == ["silent"]


def test_a_source_is_asked_by_the_name_it_wants_to_be(stand: Newsstand) -> None:
    stand.sources = (herald(user_agent="Reader of the Herald (+mailto:reader@example.org)"),)
    stand.pages[FEED] = rss(item(A))
    stand.publish(A)
    stand.poll()
    for url in (FEED, HERALD + A):
        assert stand.asked_headers(url)["user-agent"] == "Reader of the Herald (+mailto:reader@example.org)"
    assert stand.asked_headers(f"{HERALD}/robots.txt")["user-agent"] == "Broadsheet/test"


def test_a_validator_that_no_header_can_carry_is_not_sent_back(stand: Newsstand) -> None:
    stand.pages[FEED] = answer(rss(item(A)), headers={"ETag": '"第一版"', "Last-Modified": "yesterday"})
    stand.poll()
    stand.later()
    assert [one.status for one in stand.poll()] == ["not-modified"]


def test_validators_are_sent_and_a_304_costs_nothing(stand: Newsstand) -> None:
    body = rss(item(A))
    stand.pages[FEED] = answer(body, headers={"ETag": '"7"', "Last-Modified": "Wed, 18 Nov 2026 08:00:00 GMT"})
    stand.poll()
    stand.pages[FEED] = answer(status="304 Not Modified")
    assert [one.status for one in stand.poll()] == ["not-modified"]
    asked = stand.asked_headers(FEED)
    assert (asked["if-none-match"], asked["if-modified-since"]) == ('"7"', "Wed, 18 Nov 2026 08:00:00 GMT")


@pytest.mark.parametrize("entries", [1, 200])
def test_what_a_poll_asks_of_aws_does_not_grow_with_the_feed(stand: Newsstand, entries: int) -> None:
    """Known entries cost neither a read nor a write: one item says which they are, read when the body has changed."""
    paths = [f"/2026/11/ferry-report-number-{n}" for n in range(entries)]
    unchanged = ["BatchGetItem", "UpdateItem", "PutItem", "UpdateItem"]
    changed = ["BatchGetItem", "UpdateItem", "GetItem", "PutItem", "PutItem", "UpdateItem"]
    answers = {
        "first": answer(rss(*map(item, paths)), headers={"ETag": '"1"'}),
        "304": answer(status="304 Not Modified"),
        "same body": answer(rss(*map(item, paths)), headers={"ETag": '"2"'}),
        "one more": rss(item(A), *map(item, paths)),
        "another order": rss(*map(item, reversed([A, *paths]))),
    }
    asked = {}
    for name, body in answers.items():
        stand.pages[FEED] = body
        with before(stand.cloud.dynamodb, "*", str) as calls:
            stand.discoverer().run(force=True)
        asked[name] = calls
        stand.later(0.1)
    assert asked == {
        "first": changed,
        "304": unchanged,
        "same body": unchanged,
        "one more": (window_kept := [call for n, call in enumerate(changed) if n != 3]),  # the state remembers it
        "another order": window_kept,
    }


def test_entries_that_come_a_few_at_a_time_are_remembered_with_the_state_until_they_are_many(stand: Newsstand) -> None:
    paths = [f"/2026/11/ferry-report-number-{n}" for n in range(32)]
    puts, new = [], []
    for shown in range(4, 33, 4):
        stand.pages[FEED] = rss(*map(item, paths[:shown][::-1]))
        with before(stand.cloud.dynamodb, "PutItem", lambda _: None) as asked:
            (outcome,) = stand.discoverer().run(force=True)
        puts.append(asked.count("PutItem"))
        new.append(outcome.new)
        stand.later(0.1)
    assert new == [4] * 8, "all, and none twice"
    assert puts == [2, 1, 1, 1, 1, 1, 2, 1], "an entry has two names: five times four fit"


def test_a_body_that_comes_again_under_another_etag_is_nothing_new_and_the_etag_is_kept(stand: Newsstand) -> None:
    for tag in ("1", "2"):
        stand.pages[FEED] = answer(rss(item(A)), headers={"ETag": f'"{tag}"'})
        (outcome,) = stand.poll()
    assert (outcome.status, outcome.reason) == ("not-modified", "same-body")
    stand.poll()
    assert stand.asked_headers(FEED)["if-none-match"] == '"2"'


def test_a_server_that_says_304_whatever_has_changed_is_found_out_within_a_day(stand: Newsstand) -> None:
    stand.pages[FEED] = answer(rss(item(A)), headers={"ETag": '"1"'})
    stand.poll()
    stand.later(23)
    stand.pages[FEED] = answer(status="304 Not Modified")
    assert [one.status for one in stand.poll()] == ["not-modified"]
    stand.later(1)
    stand.pages[FEED] = answer(rss(item(A), item(B)), headers={"ETag": '"1"'})  # as to one who never asked
    assert [one.status for one in stand.poll()] == ["found"]
    assert "if-none-match" not in stand.asked_headers(FEED)
    assert len(stand.stored) == 2


def test_a_source_brings_so_many_articles_a_day_and_the_rest_on_the_next(stand: Newsstand) -> None:
    paths = [f"/2026/11/ferry-report-number-{n}" for n in range(5)]
    stand.publish(*paths)
    stand.sources = (herald(max_new_per_day=2),)
    stand.pages[FEED] = rss(*map(item, paths))
    stored = []
    for _ in range(4):
        stand.poll()
        stand.poll()
        stored.append(len(stand.stored))
        stand.later(24)
    assert stored == [2, 4, 5, 5]


def test_what_is_not_due_is_not_asked(stand: Newsstand) -> None:
    stand.sources = (herald(interval=60),)
    stand.pages[FEED] = rss(item(A))
    stand.poll()
    stand.later(0.5)
    assert stand.poll(force=False) == []
    stand.later(11.5)
    assert [one.status for one in stand.poll(force=False)] == ["not-modified"]
