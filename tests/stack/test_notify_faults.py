"""One article's, record's or channel's trouble stays its own, and the sweep gets to its end however much there is."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from broadsheet.article import Article
from broadsheet.deliveries import Deliveries, Delivery, Telling
from broadsheet.notify import SWEEP_MARGIN, Notifier
from broadsheet.secrets import Secrets
from broadsheet.source import Channel, Source, Sources
from broadsheet.standings import Standings
from broadsheet.store import Articles, Record, document
from tests.stack.cloud import Cloud, before

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
PATH = "/broadsheet/t/channels"
ROOMS = ("first", "second")


class World:
    """A clock that only sleeping moves, two channels, and what they were told."""

    def __init__(self, cloud: Cloud, rooms: tuple[str, ...] = ROOMS) -> None:
        self.cloud = cloud
        self.now = NOW
        self.told: list[tuple[str, str]] = []
        self.judge: Callable[[str, str], int | Exception] = lambda *_: 200
        for room in rooms:
            cloud.ssm.put_parameter(Name=f"{PATH}/{room}", Value=f"https://hooks.example/{room}", Type="SecureString")
        self.sources = Sources(
            sources=(Source(id="news", name="News", url="https://news.example/", channels=rooms),),
            channels=tuple(Channel(id=room, kind="slack", interval=1, burst=100) for room in rooms),
        )
        self.articles = Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)
        self.deliveries = Deliveries(cloud.dynamodb, cloud.state_table, run="run", lease=90)

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Any:
        room = url.rpartition("/")[2]
        found = re.search(rb"No-\d\d", body)
        title = found[0].decode() if found else "?"
        judged = self.judge(room, title)
        if isinstance(judged, Exception):
            raise judged
        self.told.append((room, title))
        return SimpleNamespace(status=judged, headers={}, body=b"ok")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def notifier(self, seconds: float = 60) -> Notifier:
        return Notifier(
            articles=self.articles,
            deliveries=self.deliveries,
            standings=Standings(self.cloud.dynamodb, self.cloud.state_table, run="run"),
            secrets=Secrets(self.cloud.ssm, PATH),
            sources=self.sources,
            http=self,
            clock=lambda: self.now,
            sleep=self.sleep,
            deadline=self.now + seconds,
        )

    def commit(self, n: int, at: float | None = None, *, announce: bool = True) -> Record:
        when = datetime.fromtimestamp(NOW if at is None else at, UTC)
        article = Article(url=f"https://news.example/{n}", title=f"No-{n:02d} of the day", text="It sails.")
        made = document(article, id=f"{n:026d}", source="news", first_seen=when, fetched_at=when, summary="It sails.")
        return self.articles.commit(made, now=when, announce=announce, trace=f"t{n}")[0]

    def pending(self, n: int, *rooms: str) -> None:
        self.commit(n)
        for room in rooms or ROOMS:
            self.deliveries.open(Telling(f"{n:026d}"), room, now=NOW)

    def state(self, n: int, room: str = "first") -> Delivery:
        return self.deliveries.of_article(f"{n:026d}")[room]


@pytest.fixture
def world(cloud: Cloud) -> World:
    return World(cloud)


def test_a_commit_is_announced_to_each_channel_once(world: World) -> None:
    record = world.commit(1)
    for _ in range(2):
        world.notifier().announce(record)
        world.notifier().post_due()
        world.notifier().sweep()
    assert world.told == [("first", "No-01"), ("second", "No-01")]
    assert world.state(1).status == world.state(1, "second").status == "sent"


def test_one_channels_backlog_does_not_keep_the_other_waiting(world: World) -> None:
    for n in range(30):
        world.pending(n, "first")
    world.pending(50, "second")
    world.notifier(seconds=25).post_due()
    assert ("second", "No-50") in world.told[:2]
    assert len(world.told) < 31, "at one a second there was no time for all"
    for _ in range(3):
        world.notifier(seconds=60).post_due()
    assert sorted(world.told) == [("first", f"No-{n:02d}") for n in range(30)] + [("second", "No-50")]


def test_a_defect_met_in_one_post_comes_back_flagged_and_holds_up_nobody(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broadsheet.posting.MAX_ATTEMPTS", 5)
    for n in range(3):
        world.pending(n)
    bad = ValueError("cannot post to https://hooks.example/first")
    world.judge = lambda room, title: bad if (room, title) == ("first", "No-00") else 200
    with caplog.at_level(logging.INFO, logger="broadsheet.notify"):
        for _ in range(4):
            world.notifier().post_due()
            world.now += 20
    assert sorted(world.told) == [("first", "No-01"), ("first", "No-02")] + [("second", f"No-0{n}") for n in range(3)]
    stuck = world.state(0)
    assert (stuck.status, stuck.reason, stuck.possible_repeat) == ("pending", "unexpected ValueError", True)
    assert "hooks.example" not in caplog.text
    for _ in range(5):
        world.now += 3700
        world.notifier().post_due()
    assert world.state(0).status == "failed", "given up in the end"


def test_a_defect_never_fails_a_stream_batch(world: World) -> None:
    world.judge = lambda *_: ValueError("a defect")
    world.notifier().announce(world.commit(1))
    assert world.state(1).status == world.state(1, "second").status == "pending"


def test_an_unreadable_record_fails_its_own_deliveries_only(world: World) -> None:
    world.deliveries.open(Telling("x" * 26), "first", now=NOW - 5)
    world.cloud.dynamodb.put_item(
        TableName=world.cloud.articles_table, Item={"id": {"S": "x" * 26}, "status": {"S": "odd"}}
    )
    world.pending(1)
    world.notifier().post_due()
    assert world.told == [("second", "No-01"), ("first", "No-01")]
    assert world.deliveries.of_article("x" * 26)["first"].status == "failed"


def test_trouble_with_one_channels_claim_is_raised_after_the_other_was_served(world: World) -> None:
    world.pending(1)

    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "InternalServerError", "Message": "later"}}, "UpdateItem")

    with before(world.cloud.dynamodb, "UpdateItem", refuse), pytest.raises(ClientError):
        world.notifier().post_due()
    assert world.told == [("second", "No-01")]
    world.notifier().post_due()
    assert world.told == [("second", "No-01"), ("first", "No-01")]


def test_an_index_that_lags_behind_ends_the_run_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(30):
        world.pending(n, "second")
    due = world.deliveries.due("second", now=NOW, limit=30)
    monkeypatch.setattr(Deliveries, "due", lambda _, channel, **__: due if channel == "second" else [])
    world.notifier(seconds=600).post_due()
    assert len(world.told) == 30


def test_what_the_stream_forgot_is_swept_and_then_posted(world: World) -> None:
    at = NOW - SWEEP_MARGIN - 10
    world.commit(1, at)
    world.commit(2, at, announce=False)
    world.commit(3, NOW)  # its stream record may still be on its way
    world.deliveries.open(Telling(f"{1:026d}"), "second", now=at)
    assert world.notifier().sweep() == 1
    world.notifier().post_due()
    assert sorted(world.told) == [("first", "No-01"), ("second", "No-01")]
    world.now += 3600
    assert world.notifier().sweep() == 2, "the third, for both"
    assert world.notifier().sweep() == 0


def test_old_commits_are_no_news(world: World) -> None:
    record = world.commit(1, NOW - 8 * 86400)
    world.notifier().announce(record)
    assert world.told == []


def test_a_sweep_that_runs_out_of_time_goes_on_where_it_stopped(world: World) -> None:
    start = NOW - 2 * 3600
    for n in range(110):
        world.commit(n, start + n * 10)
    opening = world.deliveries.open

    def slow(*args: Any, **kwargs: Any) -> None:
        world.now += 0.25
        opening(*args, **kwargs)

    world.deliveries.open = slow  # type: ignore[method-assign]  # the clock must move while it works
    opened = [world.notifier(seconds=60).sweep() for _ in range(4)]
    assert sum(opened) == 220
    assert opened[0] < 220
    assert opened[-1] == 0


def test_a_sweep_whose_clock_is_behind_the_last_ones_leaves_it_at_that(world: World) -> None:
    world.deliveries.save_swept_until(NOW + 5)
    assert world.notifier().sweep() == 0
    assert world.deliveries.swept_until() == NOW + 5


def test_an_unreadable_record_does_not_end_a_sweep(world: World) -> None:
    at = NOW - 3600
    for n in range(3):
        world.commit(n, at)
    world.cloud.dynamodb.update_item(
        TableName=world.cloud.articles_table,
        Key={"id": {"S": f"{1:026d}"}},
        UpdateExpression="SET #s = :odd",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":odd": {"S": "odd"}},
    )
    assert world.notifier().sweep() == 4
    assert world.notifier().sweep() == 0
