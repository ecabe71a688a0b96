"""A channel's rate, shared by runs side by side; what a run waits for it; and how fast a program is told."""

from itertools import pairwise

import pytest

from broadsheet.deliveries import Telling
from broadsheet.posting import TIME_FOR_A_POST
from tests.stack.cloud import Cloud, KilledError, before, done_then_die, lose_answer, unpatient
from tests.stack.newsroom import NOW, Newsroom
from tests.unit.channels.loopback import Answer, Posted

SOURCES = """
channels: [{id: room, kind: KIND, burst: 1000}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room]}]
"""


class Timed(Newsroom):
    """Notes when the room was posted to."""

    def __init__(self, cloud: Cloud, sources: str) -> None:
        super().__init__(cloud, sources)
        self.at: list[float] = []
        self.judges["room"] = self._judge

    def _judge(self, _: Posted) -> Answer:
        self.at.append(self.now)
        return Answer(200, b"ok")

    @property
    def shortest(self) -> float:
        """Seconds between two posts, at the least."""
        return round(min(later - earlier for earlier, later in pairwise(self.at)), 3)


@pytest.fixture
def room(cloud: Cloud) -> Timed:
    return Timed(cloud, SOURCES.replace("KIND", "slack"))


def test_runs_that_know_nothing_of_each_other_keep_to_one_rate(room: Timed) -> None:
    records = [room.commit(n) for n in range(6)]
    for record in records:  # each in a sandbox of its own, within one second
        room.notifier().announce(record)
        room.now += 0.1
    room.run()
    assert len(room.posts) == 6
    assert room.shortest >= 1
    assert {room.state(n).status for n in range(6)} == {"sent"}


def test_a_run_that_is_outrun_again_and_again_leaves_the_rest_to_the_next(room: Timed) -> None:
    room.pending(1)

    def outrun(_: object) -> None:  # as another run would, just before
        if not room.posts:
            room.deliveries.take_turn("room", now=room.now, interval=5.0)

    with before(room.cloud.dynamodb, "UpdateItem", outrun, nth=2):
        room.run()
    assert room.posts == []
    assert (room.state(1).status, room.state(1).reason, room.state(1).attempts) == ("pending", "rate", 0)
    assert room.state(1).due_at == room.now + 5
    room.now += 5
    room.run()
    assert room.state(1).status == "sent"


def test_a_run_waits_for_no_turn_that_leaves_no_time_for_the_post(room: Timed) -> None:
    room.pending(1)

    def outrun(_: object) -> None:
        room.deliveries.take_turn("room", now=room.now, interval=1.0)

    with before(room.cloud.dynamodb, "UpdateItem", outrun, nth=2):
        room.run(seconds=TIME_FOR_A_POST + 0.5)
    assert room.posts == []
    assert (room.state(1).status, room.state(1).reason, room.state(1).attempts) == ("pending", "rate", 0)


def test_a_turn_whose_answer_was_lost_is_ours(room: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
    unpatient(monkeypatch)
    room.pending(1)
    with before(room.cloud.dynamodb, "UpdateItem", lose_answer, nth=2):
        room.run()
    assert (len(room.posts), room.now) == (1, NOW)


def test_a_death_in_the_turn_loses_nothing(room: Timed) -> None:
    room.pending(1)
    with before(room.cloud.dynamodb, "UpdateItem", done_then_die, nth=2), pytest.raises(KilledError):
        room.run()
    room.now += 90
    room.run()
    assert (len(room.posts), room.state(1).status) == (1, "sent")


def test_a_batch_of_the_stream_waits_a_few_seconds_only(room: Timed) -> None:
    run = room.notifier()
    for record in [room.commit(n) for n in range(20)]:
        run.announce(record)
    assert room.now - NOW <= 6
    assert len(room.posts) == 6
    room.run()
    assert len(room.posts) == 20
    assert room.shortest >= 1


def test_a_program_is_told_in_one_run_as_fast_as_it_takes_it_with_few_reads(cloud: Cloud) -> None:
    room = Newsroom(cloud, SOURCES.replace("KIND", "webhook").replace("burst: 1000", "burst: 10"))
    room.pending(*range(215))
    with before(cloud.dynamodb, "*", lambda _: None) as asked:
        room.run()
    assert {room.state(n).status for n in range(215)} == {"sent"}
    assert [len(body["articles"]) if "articles" in body else 1 for body in room.told()] == [100, 100, 15]
    reads = [name for name in asked if name in ("GetItem", "BatchGetItem", "Query")]
    assert len(reads) < 20
    assert asked.count("UpdateItem") == 2 * 215 + 3  # a claim and its settlement each, and each digest's own


def test_what_becomes_due_while_it_is_told_is_claimed_a_hundred_at_a_time(cloud: Cloud) -> None:
    room = Newsroom(cloud, SOURCES.replace("KIND", "webhook").replace("burst: 1000", "burst: 10"))
    room.pending(*range(10))
    later = [Telling(room.commit(n).id) for n in range(10, 130)]

    def more(_: Posted) -> Answer:
        while later:
            room.deliveries.open(later.pop(), "room", now=room.now)
        return Answer(200)

    room.judges["room"] = more
    room.run()
    assert {room.state(n).status for n in range(130)} == {"sent"}


def test_a_program_that_takes_nothing_is_not_asked_again_and_again(cloud: Cloud) -> None:
    room = Newsroom(cloud, SOURCES.replace("KIND", "webhook").replace("burst: 1000", "burst: 10"))
    room.pending(*range(30))
    room.judges["room"] = lambda _: Answer(503)
    room.run()
    assert len(room.posts) == 1
