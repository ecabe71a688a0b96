"""When a source is asked again, after every kind of answer. No clock runs here: instants are numbers."""

import msgspec
import pytest

from broadsheet import polling
from broadsheet.dynamo import to_item
from broadsheet.polling import DAY, HOUR, JITTER, MINUTE, PollOutcome, PollState, plan
from broadsheet.polls import KEY_BYTES, LATELY
from broadsheet.source import Source
from tests.benchmarks.cost.meter import size_of

NOW = 1_795_428_000.0  # Monday 23 November 2026, 10:00 UTC
SOURCE = Source(id="herald", name="Herald", url="https://herald.example/feed", interval=15)
NOTHING = PollOutcome(kind="not-modified")
FOUND = PollOutcome(kind="changed", new=3, etag='"1"', last_modified="yesterday", body_hash="h")


def failed(reason: str = "http-404", **given: float) -> PollOutcome:
    return msgspec.structs.replace(PollOutcome(kind="failed", reason=reason), **given)


def after(*outcomes: PollOutcome, every: float = 15 * MINUTE) -> PollState:
    """The state after these polls, `every` seconds apart, the last of them at NOW."""
    state = PollState()
    start = NOW - every * (len(outcomes) - 1)
    for number, outcome in enumerate(outcomes):
        state = plan(state, outcome, SOURCE, now=start + number * every)
    return state


def wait(state: PollState) -> float:
    return state.next_at - NOW


def test_a_source_never_asked_is_due() -> None:
    assert polling.is_due(None, now=NOW)
    assert polling.is_due(PollState(), now=NOW)
    state = after(FOUND)
    assert not polling.is_due(state, now=NOW + 10 * MINUTE)
    assert polling.is_due(state, now=state.next_at)


def test_validators_and_hash_are_kept_and_sent() -> None:
    state = after(FOUND)
    assert polling.validators(state, now=NOW) == {"If-None-Match": '"1"', "If-Modified-Since": "yesterday"}
    assert after(FOUND, NOTHING).etag == '"1"'
    assert after(FOUND, failed()).body_hash == "h"


def test_a_body_that_came_again_brings_the_validators_it_has_now() -> None:
    again = PollOutcome(kind="same-body", etag='"2"', body_hash="h")
    assert polling.validators(after(FOUND, again), now=NOW) == {"If-None-Match": '"2"'}
    assert after(FOUND, again).changed_at == after(FOUND, NOTHING).changed_at


def test_once_a_day_nothing_is_taken_on_trust() -> None:
    state = after(FOUND)
    assert polling.validators(state, now=NOW + DAY - MINUTE)
    assert polling.validators(state, now=NOW + DAY) == {}
    state = plan(state, PollOutcome(kind="same-body", etag='"1"', body_hash="h"), SOURCE, now=NOW + DAY)
    assert polling.validators(state, now=NOW + DAY + MINUTE), "the body has come: good for another day"
    assert polling.validators(plan(state, NOTHING, SOURCE, now=NOW + 2 * DAY), now=NOW + 2 * DAY) == {}


def test_a_day_has_room_for_so_many_new_articles() -> None:
    source = msgspec.structs.replace(SOURCE, max_new_per_day=10)
    assert polling.allowance(PollState(), source, now=NOW) == 10
    state = plan(PollState(), msgspec.structs.replace(FOUND, new=7), source, now=NOW)
    assert polling.allowance(state, source, now=NOW) == 3
    state = plan(state, msgspec.structs.replace(FOUND, new=3), source, now=NOW + HOUR)
    assert polling.allowance(state, source, now=NOW + HOUR) == 0
    assert polling.allowance(state, source, now=NOW + 14 * HOUR) == 10, "midnight, UTC"


def test_what_was_left_over_is_asked_for_without_validators() -> None:
    state = after(FOUND, msgspec.structs.replace(FOUND, body_hash=""))
    assert polling.validators(state, now=NOW) == {}
    assert state.body_hash == ""


def test_a_busy_source_is_asked_at_its_interval_and_never_sooner() -> None:
    state = after(*[FOUND] * 50)
    assert 15 * MINUTE * (1 - JITTER) <= wait(state) <= 15 * MINUTE


def test_a_quiet_source_is_asked_less_and_less_but_twice_a_day_at_least() -> None:
    waits = [wait(after(FOUND, *[NOTHING] * count, every=HOUR)) for count in (1, 10, 100, 1000)]
    assert waits == sorted(waits)
    assert 2 * HOUR < waits[-1] <= 12 * HOUR


def test_the_first_poll_says_nothing_about_the_rhythm() -> None:
    """It finds weeks of articles at once."""
    many = msgspec.structs.replace(FOUND, new=500)
    assert wait(after(many)) == wait(after(FOUND))


@pytest.mark.parametrize(
    ("wish", "minutes"),
    [
        ({"ttl_minutes": 40.0}, 40),
        ({"fresh_for": 2400.0}, 40),
        ({"ttl_minutes": 1440.0}, 60),
        ({"ttl_minutes": 5.0}, 15),
    ],
)
def test_wishes_of_the_feed_are_granted_up_to_an_hour(wish: dict[str, float], minutes: float) -> None:
    busy = [FOUND] * 50 + [msgspec.structs.replace(FOUND, **wish)]
    assert minutes * MINUTE * (1 - JITTER) <= wait(after(*busy)) <= minutes * MINUTE


def test_a_wish_holds_while_the_feed_does_not_change() -> None:
    wishful = msgspec.structs.replace(FOUND, ttl_minutes=40.0)
    busy = [FOUND] * 50
    assert wait(after(*busy, wishful, NOTHING)) >= 40 * MINUTE * (1 - JITTER)
    assert wait(after(*busy, wishful, FOUND)) <= 15 * MINUTE


def test_retry_after_of_an_answer_is_obeyed_up_to_a_day() -> None:
    assert wait(after(*[FOUND] * 50, msgspec.structs.replace(FOUND, retry_after=3 * HOUR))) >= 3 * HOUR * (1 - JITTER)
    assert wait(after(failed("http-503", status=503, retry_after=3 * HOUR))) >= 3 * HOUR
    assert wait(after(failed("http-503", status=503, retry_after=90 * DAY))) <= DAY


def test_after_a_429_sources_of_one_host_do_not_come_back_together() -> None:
    busy = failed("http-429", status=429, retry_after=600.0)
    ids = [msgspec.structs.replace(SOURCE, id=f"s{n}") for n in range(20)]
    due = [plan(PollState(), busy, source, now=NOW).next_at - NOW for source in ids]
    assert all(600 <= seconds <= 600 + HOUR for seconds in due)
    assert max(due) - min(due) > HOUR / 2


@pytest.mark.parametrize(
    ("outcome", "weight"),
    [
        (failed("html"), 1.0),
        (failed("http-403", status=403), 1.0),
        (failed("http-404", status=404), 0.5),
        (failed("http-503", status=503), 0.5),
        (failed("timeout"), 0.5),
        (failed("dns"), 0.25),
    ],
)
def test_failures_stretch_the_interval_in_proportion(outcome: PollOutcome, weight: float) -> None:
    for count in (1, 4, 12):
        state = after(*[outcome] * count)
        assert state.failures == weight * count
        longest = 15 * MINUTE * max(1.0, weight * count)
        assert longest * (1 - JITTER) <= wait(state) <= longest


def test_a_source_is_never_given_up() -> None:
    state = after(*[failed("html")] * 500, every=DAY)
    assert DAY * (1 - JITTER) <= wait(state) <= DAY
    again = plan(state, FOUND, SOURCE, now=NOW + DAY)
    assert (again.failures, again.failing_since, again.reason) == (0, None, "")
    assert again.next_at - (NOW + DAY) < HOUR


def test_jitter_is_the_same_for_the_same_poll_and_differs_between_sources() -> None:
    other = msgspec.structs.replace(SOURCE, id="gazette")
    assert after(FOUND) == after(FOUND)
    assert plan(PollState(), FOUND, other, now=NOW).next_at != after(FOUND).next_at


NEW = "https://news.herald.example/feed"


def moved(times: int, every: float = DAY) -> PollState:
    return after(*[msgspec.structs.replace(FOUND, permanent_url=NEW)] * times, every=every)


def test_a_move_is_believed_after_a_week() -> None:
    assert polling.address(moved(7), SOURCE.url) == SOURCE.url
    assert polling.address(moved(8), SOURCE.url) == NEW


def test_a_believed_move_lasts_though_the_new_address_does_not_redirect() -> None:
    state = plan(moved(8), FOUND, SOURCE, now=NOW + HOUR)
    assert polling.address(state, SOURCE.url) == NEW


def test_a_redirect_that_stops_or_changes_starts_anew() -> None:
    stopped = plan(moved(5), FOUND, SOURCE, now=NOW + HOUR)
    assert (stopped.moved_to, stopped.moved_since) == (None, None)
    elsewhere = msgspec.structs.replace(FOUND, permanent_url="https://elsewhere.example/")
    assert plan(moved(5), elsewhere, SOURCE, now=NOW + HOUR).moved_since == NOW + HOUR


def test_a_moved_address_that_fails_for_good_is_given_up() -> None:
    state = moved(8)
    for number in range(3):
        state = plan(state, failed("http-410", status=410), SOURCE, now=NOW + (number + 1) * HOUR)
    assert polling.address(state, SOURCE.url) == SOURCE.url


def test_an_owner_who_names_another_address_is_heard() -> None:
    assert polling.address(moved(8), "https://third.example/feed") == "https://third.example/feed"


def notices(*outcomes: PollOutcome, every: float) -> list[str]:
    told: list[str] = []
    state = PollState()
    for number, outcome in enumerate(outcomes):
        following = plan(state, outcome, SOURCE, now=NOW + number * every)
        if notice := polling.notice(state, following):
            told.append(notice)
        state = following
    return told


def test_a_broken_source_is_told_once_and_its_recovery_once() -> None:
    assert notices(*[failed("html")] * 40, FOUND, NOTHING, every=6 * HOUR) == ["broken", "recovered"]


def test_an_hour_of_failures_is_no_trouble() -> None:
    assert notices(FOUND, *[failed("html")] * 8, FOUND, every=8 * MINUTE) == []


def test_a_source_that_falls_silent_is_told_once() -> None:
    daily = [FOUND] * 20
    assert notices(*daily, *[NOTHING] * 9, every=DAY) == []
    assert notices(*daily, *[NOTHING] * 30, FOUND, every=DAY) == ["silent", "recovered"]


def test_a_source_that_never_had_anything_is_silent_after_a_month() -> None:
    assert notices(*[NOTHING] * 30, every=DAY) == []
    assert notices(*[NOTHING] * 40, every=DAY) == ["silent"]


def test_a_weekly_is_not_silent_between_two_issues() -> None:
    week = [FOUND, *[NOTHING] * 6]
    assert notices(*week * 6, *[NOTHING] * 14, every=DAY) == []


def test_silence_that_turns_into_failures_stays_one_trouble_until_it_is_broken() -> None:
    told = notices(*[NOTHING] * 40, *[failed("html")] * 5, FOUND, every=DAY)
    assert told == ["silent", "broken", "recovered"]


def test_the_state_is_small_and_plain() -> None:
    state = after(*[FOUND] * 200, failed("html"))
    line = msgspec.json.encode(state)
    assert len(line) < 900
    assert msgspec.json.decode(line, type=PollState) == state


def test_with_what_was_shown_lately_the_state_is_still_one_write_unit() -> None:
    answered = PollOutcome(
        kind="changed", new=3, etag=f'W/"{"e" * 32}"', last_modified="Mon, 23 Nov 2026 10:00:00 GMT", body_hash="h" * 64
    )
    state = msgspec.structs.replace(after(*[answered] * 500), lately=bytes(LATELY * KEY_BYTES))
    key = {"pk": {"S": "source#a-newspaper-of-a-usual-name"}, "sk": {"S": "poll"}}
    assert size_of(key | to_item(msgspec.structs.asdict(state))) <= 1024


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": 'max-age="600"'}, 600),
        ({"cache-control": "max-age=0"}, None),
        ({"cache-control": "no-cache, max-age=600"}, None),
        ({"cache-control": "max-age=60", "expires": "Mon, 23 Nov 2026 11:00:00 GMT"}, 60),
        ({"expires": "Mon, 23 Nov 2026 11:00:00 GMT"}, 3600),
        ({"expires": "Mon, 23 Nov 2026 09:00:00 GMT"}, None),
        ({"expires": "0"}, None),
        ({"expires": "-1"}, None),
    ],
)
def test_freshness(headers: dict[str, str], seconds: float | None) -> None:
    assert polling.freshness(headers, now=NOW) == seconds


def test_what_fetch_calls_passing_counts_half() -> None:
    for reason in ("timeout", "connection", "incomplete"):
        assert after(failed(reason)).failures == 0.5, reason


def test_what_a_hub_pushes_makes_polls_rarer_but_two_in_its_lease() -> None:
    def pushed_until(days: float) -> float:
        return wait(after(FOUND, msgspec.structs.replace(NOTHING, pushed_until=NOW + days * DAY)))

    assert DAY * (1 - JITTER) <= pushed_until(10) <= DAY
    assert HOUR * 6 * (1 - JITTER) <= pushed_until(0.5) <= HOUR * 6
    assert pushed_until(0.001) <= HOUR / 2, "a lease of two minutes is none"


def test_a_hub_is_remembered_until_its_feed_no_longer_names_it() -> None:
    named = msgspec.structs.replace(FOUND, hub="https://hub.example/")
    assert after(named, NOTHING, failed()).hub == "https://hub.example/"
    assert after(named, NOTHING, FOUND).hub is None


def test_a_push_counts_as_news_and_leaves_to_polls_what_is_theirs() -> None:
    state = after(FOUND, failed(), every=HOUR)
    after_push = polling.pushed(state, 2, complete=True, now=NOW + MINUTE)
    theirs = ("etag", "last_modified", "body_hash", "full_at", "next_at", "failures", "failing_since", "polled_at")
    assert [getattr(after_push, name) for name in theirs] == [getattr(state, name) for name in theirs]
    assert (after_push.changed_at, after_push.day_new) == (NOW + MINUTE, 5)
    assert polling.pushed(state, 0, complete=True, now=NOW + MINUTE).changed_at == state.changed_at
    assert polling.pushed(state, 2, complete=False, now=NOW + MINUTE).next_at == NOW + MINUTE


def test_a_ping_makes_a_source_due_once_its_interval_is_over() -> None:
    state = after(FOUND, msgspec.structs.replace(NOTHING, pushed_until=NOW + 9 * DAY))
    assert polling.due(state, now=NOW + MINUTE, interval=15).next_at == NOW + 15 * MINUTE
    assert polling.due(state, now=NOW + HOUR, interval=15).next_at == NOW + HOUR
    assert polling.due(after(FOUND), now=NOW + DAY, interval=15).next_at == after(FOUND).next_at
