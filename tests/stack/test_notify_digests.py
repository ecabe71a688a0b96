"""Digests: due together, told together, each member claimed before and settled after, and a repeat carries one id."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from broadsheet.channels import delivery_id, digest_id
from broadsheet.deliveries import Telling
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.newsroom import LEASE, NOW, Newsroom, article_id
from tests.stack.test_notify_doubt import BOT, Workspace
from tests.unit.channels.loopback import Answer, Posted

SOURCES = """
channels: [{id: room, kind: KIND, interval: 0, OPTIONS}]
sources: [{id: news, name: News, url: "https://news.example/", channels: [room]}]
"""
EVERY = "digest: {every: 30}"


def newsroom(cloud: Cloud, options: str = EVERY, kind: str = "webhook") -> Newsroom:
    text = SOURCES.replace("KIND", kind).replace("OPTIONS", options)
    return Newsroom(cloud, text, {"room": BOT} if kind == "slack-bot" else None)


def members(body: Any) -> list[str]:
    """What a webhook was told of, the same for a digest and a single post."""
    articles = body["articles"] if "articles" in body else [body["article"]]
    return [article["title"][:5] for article in articles]


def statuses(room: Newsroom, *numbers: int) -> set[str]:
    return {room.state(n).status for n in numbers}


def test_what_comes_up_between_two_digests_is_told_in_the_next(cloud: Cloud) -> None:
    room = newsroom(cloud)
    run = room.notifier()
    for n in (1, 2, 3):
        run.announce(room.commit(n))
    assert {outcome.reason for outcome in run.outcomes} == {"digest"}
    assert room.state(1).due_at == NOW + 1800
    room.run()
    assert room.posts == []
    room.now = NOW + 1800
    sent = room.run()
    [body] = room.told()
    assert body["id"] == digest_id([delivery_id(article_id(n), "room") for n in (1, 2, 3)])
    assert members(body) == ["No-01", "No-02", "No-03"]
    assert statuses(room, 1, 2, 3) == {"sent"}
    assert [outcome.reason for outcome in sent.outcomes] == [f"digest {body['id']}"] * 3
    room.now += 1e5
    room.run()
    assert len(room.posts) == 1


def test_a_single_article_is_told_as_ever(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1)
    room.run()
    assert "article" in room.told()[0]


def test_a_burst_on_an_immediate_channel_is_one_digest(cloud: Cloud) -> None:
    room = newsroom(cloud, "burst: 3")
    room.pending(*range(10))
    room.run()
    assert [len(members(body)) for body in room.told()] == [10]
    room.pending(10, 11, 12)
    room.run()
    assert [len(members(body)) for body in room.told()] == [10, 1, 1, 1]


def test_what_has_no_room_is_counted_and_told_in_the_next_run(cloud: Cloud) -> None:
    room = newsroom(cloud, kind="wecom")
    room.judges["room"] = lambda _: Answer.of({"errcode": 0})
    room.pending(*range(90))
    seen: list[str] = []
    runs = 0
    while len(seen) < 90:
        room.run()
        runs += 1
        said = room.told()[-1]["markdown"]["content"]
        shown = re.findall(r"No-\d\d", said)
        assert len(shown) > 1
        assert (f"+{90 - len(seen) - len(shown)} more" in said) == (len(seen) + len(shown) < 90)
        seen += shown
        assert statuses(room, *(int(title[3:]) for title in shown)) == {"sent"}
    assert sorted(seen) == [f"No-{n:02d}" for n in range(90)]
    assert runs == len(room.posts) > 1


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(
    ("operation", "nth"),
    [
        ("BatchGetItem", 1),
        ("BatchGetItem", 2),
        ("GetItem", 1),
        ("PutItem", 1),
        *(("UpdateItem", n) for n in range(1, 8)),
    ],
)
def test_whatever_call_dies_every_article_is_told_and_a_repeat_is_the_same_digest(
    cloud: Cloud, operation: str, nth: int, death: Callable[[Any], None]
) -> None:
    room = newsroom(cloud)
    room.pending(1, 2, 3)
    with before(cloud.dynamodb, operation, death, nth=nth), pytest.raises(KilledError):
        room.run()
    room.pending(4)  # what comes meanwhile must not join the repeat
    for _ in range(4):
        room.now += LEASE
        room.run()
    assert statuses(room, 1, 2, 3, 4) == {"sent"}
    told: dict[str, list[str]] = {}
    for body in room.told():
        if body["id"] in told:
            assert body["possible_repeat"]
            assert members(body) == told[body["id"]]
        told[body["id"]] = members(body)
    assert sorted(title for titles in told.values() for title in titles) == ["No-01", "No-02", "No-03", "No-04"]


def test_an_accepted_digest_whose_sender_died_while_settling_is_not_posted_again(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1, 2, 3)
    with before(cloud.dynamodb, "UpdateItem", die, nth=5), pytest.raises(KilledError):
        room.run()  # three claims, the digest's own record, and then
    assert statuses(room, 1, 2, 3) == {"claimed"}
    room.now += LEASE
    room.run()
    assert statuses(room, 1, 2, 3) == {"sent"}
    assert len(room.posts) == 1


def test_a_digest_whose_answer_never_came_is_looked_for_where_the_channel_can_be_asked(cloud: Cloud) -> None:
    room = newsroom(cloud, kind="slack-bot")
    workspace = Workspace(room)

    def wordless(posted: Posted) -> Answer:
        workspace(posted)
        return Answer(504)

    room.judges["room"] = wordless
    room.pending(1, 2)
    room.run()
    assert statuses(room, 1, 2) == {"pending"}
    room.judges["room"] = workspace
    room.pending(3)
    room.now += 60
    room.run()
    assert statuses(room, 1, 2, 3) == {"sent"}
    assert [len(set(re.findall(r"No-\d\d", json.dumps(m["blocks"])))) for m in workspace.messages] == [2, 1]


def test_a_digest_that_must_wait_is_tried_again_with_what_came_since(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1, 2)
    room.judges["room"] = lambda _: Answer(429, headers={"retry-after": "60"})
    room.run()
    assert {room.state(n).due_at for n in (1, 2)} == {NOW + 60}
    del room.judges["room"]
    room.now += 60
    room.pending(3)
    room.run()
    assert sorted(members(room.told()[-1])) == ["No-01", "No-02", "No-03"]
    assert not room.told()[-1]["possible_repeat"], "the channel had said no"


def test_a_digest_refused_for_one_of_its_articles_is_told_one_by_one(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.judges["room"] = lambda posted: Answer(400 if b"No-02" in posted.body else 200)
    room.pending(1, 2, 3)
    for _ in range(2):
        room.run()
        room.now += 60
    assert [room.state(n).status for n in (1, 2, 3)] == ["sent", "failed", "sent"]
    assert [len(members(body)) for body in room.told()] == [3, 1, 1, 1]


def test_one_told_alone_that_died_is_repeated_alone(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.judges["room"] = lambda posted: Answer(400 if b"articles" in posted.body else 200)
    room.pending(1, 2)
    room.run()
    room.judges["room"] = lambda _: KilledError()
    with pytest.raises(KilledError):
        room.run()
    del room.judges["room"]
    for _ in range(2):
        room.now += LEASE
        room.run()
    assert statuses(room, 1, 2) == {"sent"}
    assert [(members(body), body["possible_repeat"]) for body in room.told()[-2:]] in (
        [(["No-01"], True), (["No-02"], False)],
        [(["No-02"], True), (["No-01"], False)],
        [(["No-02"], False), (["No-01"], True)],
        [(["No-01"], False), (["No-02"], True)],
        [(["No-01"], True), (["No-02"], True)],
    )


def test_a_digest_is_one_post_of_the_daily_cap(cloud: Cloud) -> None:
    room = newsroom(cloud, EVERY + ", daily_cap: 1")
    room.pending(1, 2, 3)
    room.run()
    room.pending(4, 5)
    room.run()
    assert len(room.posts) == 1
    assert {room.state(n).reason for n in (4, 5)} == {"daily-cap"}
    room.now += 86400
    room.run()
    assert sorted(members(room.told()[-1])) == ["No-04", "No-05"]


def test_an_article_that_is_gone_leaves_the_digest_to_the_rest(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1, 2)
    room.deliveries.open(Telling("gone"), "room", now=NOW)
    room.run()
    assert members(room.told()[-1]) == ["No-01", "No-02"]
    assert room.deliveries.of_article("gone")["room"].status == "failed"


def test_of_two_runs_at_once_none_tells_of_an_article_twice(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1, 2, 3, 4)
    with before(cloud.dynamodb, "UpdateItem", lambda _: room.run(), nth=3):
        room.run()
    told = [title for body in room.told() for title in members(body)]
    assert sorted(told) == ["No-01", "No-02", "No-03", "No-04"]
    assert len({body["id"] for body in room.told()}) == len(room.told())
    assert statuses(room, 1, 2, 3, 4) == {"sent"}


def test_a_repeat_waits_for_members_that_another_still_holds(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.pending(1, 2, 3)

    room.judges["room"] = lambda _: KilledError()
    with pytest.raises(KilledError):
        room.run()
    del room.judges["room"]
    for n in (2, 3):
        cloud.dynamodb.update_item(
            TableName=cloud.state_table,
            Key={"pk": {"S": f"article#{article_id(n)}"}, "sk": {"S": "delivery#room"}},
            UpdateExpression="SET due_at = due_at + :later",
            ExpressionAttributeValues={":later": {"N": "20"}},
        )
    room.now = room.state(1).due_at  # of the first claim alone
    room.run()
    assert len(room.posts) == 1
    for _ in range(3):
        room.now += LEASE
        room.run()
    assert [sorted(members(body)) for body in room.told()] == [["No-01", "No-02", "No-03"]] * 2
    assert room.told()[0]["id"] == room.told()[1]["id"]
    assert statuses(room, 1, 2, 3) == {"sent"}
