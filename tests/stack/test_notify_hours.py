"""Quiet hours and the daily cap: nothing is posted then, nothing lost for it, and the record says why it waits."""

from datetime import UTC, datetime

import pytest

from broadsheet.deliveries import Telling
from tests.stack.cloud import Cloud
from tests.stack.newsroom import NOW, Newsroom

SOURCES = """
channels: [{id: room, kind: webhook, interval: 0, OPTIONS}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room]}]
"""


def newsroom(cloud: Cloud, options: str) -> Newsroom:
    return Newsroom(cloud, SOURCES.replace("OPTIONS", options))


def at(hour: int, day: int = 4) -> float:
    return datetime(2026, 3, day, hour, tzinfo=UTC).timestamp()


def titles(room: Newsroom) -> list[str]:
    return [body["article"]["title"][:5] for body in room.told()]


@pytest.mark.parametrize("way", ["stream", "sweep", "backlog"])
def test_nothing_is_posted_in_quiet_hours_and_everything_after_them(cloud: Cloud, way: str) -> None:
    room = newsroom(cloud, 'quiet_hours: {start: "21:00", end: "06:00"}, timezone: Asia/Tokyo')  # 12:00 to 21:00 UTC
    assert room.now == at(12)
    record = room.commit(1)
    if way == "stream":
        run = room.notifier()
        run.announce(record)
        assert [(outcome.status, outcome.reason) for outcome in run.outcomes] == [("held", "quiet-hours")]
    elif way == "sweep":
        room.now += 3600
        assert room.notifier().sweep() == 1
    else:
        room.deliveries.open(Telling(record.id), "room", now=NOW - 9)  # from before the hours
    if way != "backlog":
        assert (room.state(1).status, room.state(1).due_at, room.state(1).reason) == ("pending", at(21), "quiet-hours")
    room.run()
    room.now = at(21) - 1
    room.run()
    assert titles(room) == []
    room.now = at(21)
    room.run()
    assert titles(room) == ["No-01"]


def test_no_more_than_the_cap_is_posted_a_day_and_the_rest_on_the_next(cloud: Cloud) -> None:
    room = newsroom(cloud, "daily_cap: 2")
    run = room.notifier()
    run.announce(room.commit(1))
    room.pending(2, 3, 4)
    room.run()
    assert titles(room) == ["No-01", "No-02"]
    for n in (3, 4):
        state = room.state(n)
        assert (state.status, state.due_at, state.reason, state.attempts) == ("pending", at(0, 5), "daily-cap", 0)
    run = room.notifier()
    run.announce(room.commit(5))
    run.announce(room.commit(6))
    assert [outcome.status for outcome in run.outcomes] == ["held", "held"]
    assert room.state(6).reason == "daily-cap"
    room.now = at(0, 5)
    room.run()
    assert titles(room) == ["No-01", "No-02", "No-03", "No-04"]
    room.now = at(0, 6)
    room.run()
    assert len(titles(room)) == 6


def test_one_channels_cap_is_not_anothers(cloud: Cloud) -> None:
    room = Newsroom(
        cloud,
        """
channels: [{id: room, kind: webhook, interval: 0, daily_cap: 1}, {id: free, kind: webhook, interval: 0}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room, free]}]
""",
    )
    for n in range(3):
        room.notifier().announce(room.commit(n))
    assert (len(room.told("room")), len(room.told("free"))) == (1, 3)


def test_runs_that_follow_each_other_keep_a_channels_rate(cloud: Cloud) -> None:
    room = Newsroom(cloud, SOURCES.replace("interval: 0", "interval: 3").replace("OPTIONS", "burst: 10"))
    room.last_posts = {}
    for n in range(3):
        room.notifier().announce(room.commit(n))
    assert titles(room) == ["No-00"]
    room.now += 3
    room.run()
    assert titles(room) == ["No-00", "No-01"]
