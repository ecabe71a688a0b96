"""A channel that fails and fails is left alone across runs, then tried once; one that is closed is told of once."""

import logging

import pytest

from broadsheet.posting import Outcome
from broadsheet.standings import CLOSED_REST, LONGEST_REST, REST, Standings
from tests.stack.cloud import Cloud, before
from tests.stack.newsroom import NOW, PATH, Newsroom
from tests.unit.channels.loopback import Answer

SOURCES = """
channels: [{id: room, kind: webhook, interval: 0}, {id: other, kind: webhook, interval: 0}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room, other]}]
"""
CLOSED = Outcome(status="channel-closed", channel="room", reason="http-410")


@pytest.fixture
def rooms(cloud: Cloud) -> Newsroom:
    return Newsroom(cloud, SOURCES)


def asked(newsroom: Newsroom) -> int:
    return sum(room == "room" for room, _ in newsroom.posts)


def closings(newsroom: Newsroom) -> list[Outcome]:
    return [outcome for outcome in newsroom.run().outcomes if outcome.status == "channel-closed"]


def test_after_three_failures_in_a_row_a_channel_rests_longer_and_longer(rooms: Newsroom) -> None:
    rooms.judges["room"] = lambda _: Answer(503)
    rooms.pending(*range(5))
    for _ in range(3):
        rooms.run()
    assert asked(rooms) == 3
    rests = []
    for _ in range(6):
        since, before = rooms.now, asked(rooms)
        while asked(rooms) == before:
            rooms.now += 30
            rooms.run()
        assert asked(rooms) == before + 1, "one post tries it"
        rests.append(rooms.now - since)
    assert rests == [REST, 2 * REST, 4 * REST, 8 * REST, LONGEST_REST, LONGEST_REST]


def test_what_comes_while_it_rests_waits_without_an_attempt_and_goes_out_in_one(rooms: Newsroom) -> None:
    rooms.judges["room"] = lambda _: Answer(500)
    rooms.pending(1, 2, 3)
    for _ in range(3):
        rooms.run()
    run = rooms.notifier()
    for n in range(4, 20):
        run.announce(rooms.commit(n))
    assert asked(rooms) == 3
    assert len(rooms.told("other")) == 16, "another channel's news isn't held up"
    assert rooms.state(19).attempts == 0
    del rooms.judges["room"]
    rooms.now += REST
    rooms.run()
    rooms.now += 3600
    rooms.run()
    assert {rooms.state(n).status for n in range(1, 20)} == {"sent"}
    assert asked(rooms) < 3 + 8, "digests, for they were many"


def test_one_success_ends_the_count(rooms: Newsroom) -> None:
    for n in range(8):
        rooms.judges["room"] = lambda _, n=n: Answer(200 if n % 3 == 2 else 503)  # type: ignore[misc]  # a default's type
        rooms.pending(n)
        before = asked(rooms)
        rooms.run()
        assert asked(rooms) > before


def test_the_time_a_channel_asks_for_holds_for_all_its_posts_in_later_runs(rooms: Newsroom) -> None:
    rooms.judges["room"] = lambda _: Answer(429, headers={"retry-after": "300"})
    rooms.pending(1, 2)
    rooms.run()
    rooms.now += 299
    rooms.run()
    assert asked(rooms) == 1
    del rooms.judges["room"]
    rooms.now += 1
    rooms.run()
    assert {rooms.state(n).status for n in (1, 2)} == {"sent"}


def test_a_closed_channel_is_told_of_once_and_tried_once_an_hour(
    rooms: Newsroom, caplog: pytest.LogCaptureFixture
) -> None:
    rooms.judges["room"] = lambda _: Answer(410)
    rooms.pending(1, 2, 3)
    with caplog.at_level(logging.INFO, logger="broadsheet.notify"):
        assert closings(rooms) == [CLOSED]
        for _ in range(200):  # more hours than a delivery has attempts
            rooms.now += CLOSED_REST
            assert closings(rooms) == []
    assert asked(rooms) == 201
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 1
    assert {rooms.state(n).attempts for n in (1, 2, 3)} == {0}
    del rooms.judges["room"]
    rooms.now += CLOSED_REST
    rooms.run()
    assert {rooms.state(n).status for n in (1, 2, 3)} == {"sent"}
    rooms.judges["room"] = lambda _: Answer(410)
    rooms.pending(4)
    assert closings(rooms) == [CLOSED], "told of again when it closes again"


def test_a_new_secret_opens_a_closed_channel_at_once(rooms: Newsroom) -> None:
    rooms.judges["room"] = lambda posted: Answer(410 if posted.path == "/hook" else 200)
    rooms.pending(1, 2)
    rooms.run()
    rooms.now += 60
    rooms.run()
    assert asked(rooms) == 1
    rooms.cloud.ssm.put_parameter(Name=f"{PATH}/room", Value="http://room/new", Type="SecureString", Overwrite=True)
    rooms.now += 60
    rooms.run()
    assert {rooms.state(n).status for n in (1, 2)} == {"sent"}


def test_a_channel_without_a_secret_is_closed_until_it_has_one(rooms: Newsroom) -> None:
    rooms.cloud.ssm.delete_parameter(Name=f"{PATH}/room")
    rooms.pending(1)
    reason = "no-secret `broadsheet channels secret` puts one there"
    assert [outcome.reason for outcome in closings(rooms)] == [reason]
    assert asked(rooms) == 0
    rooms.cloud.ssm.put_parameter(Name=f"{PATH}/room", Value="http://room/new", Type="SecureString")
    rooms.now += 61
    rooms.run()
    assert rooms.state(1).status == "sent"


def test_a_message_that_is_refused_says_that_the_channel_works(rooms: Newsroom) -> None:
    rooms.judges["room"] = lambda _: Answer(503)
    rooms.pending(1)
    for _ in range(2):
        rooms.run()
        rooms.now += 60
    rooms.judges["room"] = lambda _: Answer(422)
    rooms.pending(2)
    rooms.run()
    assert Standings(rooms.cloud.dynamodb, rooms.cloud.state_table, run="x").get("room") is None


def test_of_two_runs_one_tries_and_one_is_told_that_it_closed(rooms: Newsroom) -> None:
    def standings(run: str) -> Standings:
        return Standings(rooms.cloud.dynamodb, rooms.cloud.state_table, run=run)

    ours, theirs = standings("a"), standings("b")
    assert [one.get("room") for one in (ours, theirs)] == [None, None]
    assert [one.closed("room", reason="gone", now=NOW, mark="m") for one in (ours, theirs)] == [True, False]
    ours, theirs = standings("c"), standings("d")
    assert [one.get("room") is None for one in (ours, theirs)] == [False, False]
    assert [one.trial("room", now=NOW + CLOSED_REST) for one in (ours, theirs)] == [True, False]
    assert standings("e").closed("room", reason="gone", now=NOW, mark="another")
    assert standings("f").well("room")
    assert not standings("g").well("room")


def test_a_run_over_healthy_channels_reads_once_and_writes_nothing(rooms: Newsroom) -> None:
    rooms.pending(1, 2)
    with before(rooms.cloud.dynamodb, "*", lambda _: None) as asked:
        rooms.run()
    deliveries = 2
    assert asked.count("GetItem") == 2 * deliveries + 1, "each delivery, its record; and once how channels stand"
    assert asked.count("UpdateItem") == 2 * deliveries, "claimed and settled"
