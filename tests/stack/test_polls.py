"""What is remembered of sources between polls."""

import msgspec

from broadsheet.polling import PollState
from broadsheet.polls import WINDOW, Polls, Window
from tests.stack.cloud import Cloud, before, lose_answer

NOW = 1_790_000_000.25


def polls(cloud: Cloud) -> Polls:
    return Polls(cloud.dynamodb, cloud.state_table)


def test_a_source_never_polled_is_absent(cloud: Cloud) -> None:
    assert polls(cloud).states(["news"]) == {}
    assert polls(cloud).states([]) == {}
    assert polls(cloud).window("news") is None


def test_a_state_is_read_back_as_it_was_saved(cloud: Cloud) -> None:
    full = PollState(
        etag='W/"x"',
        last_modified="Wed, 04 Mar 2026 12:00:00 GMT",
        body_hash="ab" * 32,
        next_at=NOW,
        failures=1.5,
        failing_since=NOW - 60,
        reason="http-503",
        polled_at=NOW,
        changed_at=NOW,
        moved_to="https://news.example/new",
        moved_since=NOW,
    )
    polls(cloud).save("news", full)
    polls(cloud).save("empty", PollState())
    assert polls(cloud).states(["news", "empty", "unknown"]) == {"news": full, "empty": PollState()}
    polls(cloud).save("news", msgspec.structs.replace(full, etag=None, failing_since=None))
    again = polls(cloud).states(["news"])["news"]
    assert (again.etag, again.failing_since) == (None, None), "what is gone is gone"


def test_many_states_are_read_a_hundred_at_a_time(cloud: Cloud) -> None:
    ids = [f"s{n}" for n in range(130)]
    for id in ids[::10]:
        polls(cloud).save(id, PollState(next_at=NOW))
    with before(cloud.dynamodb, "*", lambda _: None) as asked:
        assert sorted(polls(cloud).states(ids)) == sorted(ids[::10])
    assert asked == ["BatchGetItem"] * 2


def test_a_window_is_read_back_even_at_its_largest(cloud: Cloud) -> None:
    polls(cloud).save_window("news", Window())
    empty = polls(cloud).window("news")
    assert empty is not None, "polled, though it had nothing: not the first time any more"
    assert len(empty) == 0
    full = Window().with_shown((f"k{n}" for n in range(WINDOW)), backlog_until=NOW)
    with before(cloud.dynamodb, "PutItem", lose_answer):
        polls(cloud).save_window("news", full)
    again = polls(cloud).window("news")
    assert again is not None
    assert (again.packed, again.backlog_until) == (full.packed, NOW)
    polls(cloud).save_window("news", Window(full.packed))
    settled = polls(cloud).window("news")
    assert settled is not None
    assert settled.backlog_until is None


def test_state_and_window_know_nothing_of_each_other(cloud: Cloud) -> None:
    polls(cloud).save_window("news", Window().with_shown(["a"]))
    assert polls(cloud).states(["news"]) == {}
    polls(cloud).save("news", PollState(next_at=NOW))
    window = polls(cloud).window("news")
    assert window is not None
    assert "a" in window
