"""A revision is told where a channel asks: once, as an update that says what changed, in the first post's thread."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from broadsheet.channels import delivery_id
from broadsheet.deliveries import Telling
from broadsheet.store import Record
from tests.stack.cloud import Cloud, KilledError, before, die
from tests.stack.newsroom import LEASE, Newsroom, article_id
from tests.stack.test_notify_doubt import BOT
from tests.unit.channels.loopback import Answer
from tests.unit.channels.services import SlackWorkspace

SOURCES = """
channels:
  - {id: room, kind: webhook, interval: 0, updates: true, OPTIONS}
  - {id: deaf, kind: webhook, interval: 0}
sources: [{id: news, name: News, url: "https://news.example/", channels: [room, deaf]}]
"""


def newsroom(cloud: Cloud, options: str = "burst: 10", kind: str = "webhook") -> Newsroom:
    text = SOURCES.replace("kind: webhook", f"kind: {kind}", 1).replace("OPTIONS", options)
    return Newsroom(cloud, text, {"room": BOT} if kind == "slack-bot" else None)


def revise(room: Newsroom, n: int, *, reread: bool = False, **fields: Any) -> Record:
    """Give an article its next revision."""
    record = room.articles.record(article_id(n))
    assert record
    document = msgspec.structs.replace(room.articles.read(record.s3_key or ""), **fields)
    now = datetime.fromtimestamp(room.now, UTC)
    made = room.articles.revise(record, document, now=now, reread=reread)
    assert made
    return made


def told(room: Newsroom, channel: str = "room") -> list[tuple[str, str, str]]:
    return [(body["kind"], body["article"]["title"], body["changes"]) for body in room.told(channel)]


def test_an_update_says_what_changed_to_the_channel_that_asks_for_it(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="Ferry sails"))
    record = revise(room, 1, title="Ferry stays", text="It stays.")
    for _ in range(2):  # a stream tells twice
        room.notifier().announce(record)
        room.run()
    changes = "The title was “Ferry sails”. It now begins: It stays."
    assert told(room) == [("new", "Ferry sails", ""), ("updated", "Ferry stays", changes)]
    assert told(room, "deaf") == [("new", "Ferry sails", "")]
    assert [body["id"] for body in room.told()] == [delivery_id(article_id(1), "room", n) for n in (1, 2)]


def test_what_we_read_anew_is_no_update_but_the_publishers_next_is(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="Ferry sails"))
    room.notifier().announce(revise(room, 1, reread=True, title="Ferry sails at last"))
    room.run()
    assert told(room) == [("new", "Ferry sails", "")]
    room.notifier().announce(revise(room, 1, title="Ferry stays"))
    assert [(kind, title) for kind, title, _ in told(room)] == [("new", "Ferry sails"), ("updated", "Ferry stays")]


def test_an_update_goes_into_the_thread_of_the_first_post(cloud: Cloud) -> None:
    room = newsroom(cloud, kind="slack-bot")
    workspace = room.judges["room"] = SlackWorkspace()
    room.notifier().announce(room.commit(1))
    room.notifier().announce(revise(room, 1, title="Ferry stays"))
    first, update = workspace.messages
    assert "thread_ts" not in first
    assert update["thread_ts"] == first["ts"]
    assert "Ferry stays" in json.dumps(update["blocks"])


def test_each_update_is_compared_with_what_the_channel_was_told_last(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="One"))
    for title in ("Two", "Three"):
        room.notifier().announce(revise(room, 1, title=title))
    assert [changes for _, _, changes in told(room)] == ["", "The title was “One”.", "The title was “Two”."]


def test_revisions_that_pile_up_are_told_as_one(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="One"))
    room.judges["room"] = lambda _: Answer(503)
    second = revise(room, 1, title="Two")
    room.notifier().announce(second)
    third = revise(room, 1, title="Three")
    del room.judges["room"]
    room.now += 60
    room.run()  # the stream hasn't told of the third yet
    room.run()
    room.notifier().announce(third)
    assert [title for _, title, _ in told(room)[-1:]] == ["Three"]
    assert told(room)[-1][2] == "The title was “One”."
    states = {one.revision: (one.status, one.reason) for one in room.deliveries.updates(article_id(1), "room")}
    assert states == {2: ("filtered", "superseded by revision 3"), 3: ("sent", "")}


def test_what_was_first_told_when_it_was_revised_already_is_no_update(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.commit(1, title="One")
    record = revise(room, 1, title="Two")
    room.notifier().announce(record)
    room.run()
    assert told(room) == [("new", "Two", "")]
    [update] = room.deliveries.updates(article_id(1), "room")
    assert update.reason == "told as revision 2 at once"


def test_an_update_waits_for_the_first_post(cloud: Cloud) -> None:
    room = newsroom(cloud)
    record = room.commit(1, title="One")
    with before(cloud.dynamodb, "UpdateItem", die), pytest.raises(KilledError):
        room.notifier().announce(record)  # posted, and never recorded
    room.notifier().announce(revise(room, 1, title="Two"))
    assert len(told(room)) == 1
    room.now += LEASE
    room.run()
    room.now += 60
    room.run()
    kinds = [kind for kind, _, _ in told(room)]
    assert kinds == ["new", "new"], "the repeat has the new words, so there is nothing to add"


def test_an_update_of_what_a_channel_never_wanted_is_not_for_it_either(cloud: Cloud) -> None:
    room = newsroom(cloud, 'filters: {none: ["ferry"]}')
    room.notifier().announce(room.commit(1, title="Ferry sails"))
    room.notifier().announce(revise(room, 1, title="Owls fly"))
    assert told(room) == []
    assert room.deliveries.updates(article_id(1), "room")[0].reason == "never told of the article: filtered"


def test_a_lost_document_costs_the_words_not_the_update(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="One"))
    revised = revise(room, 1, title="Two")
    [former] = room.articles.read(revised.s3_key or "").revisions
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=former.s3_key)
    room.notifier().announce(revised)
    assert told(room)[-1] == ("updated", "Two", "")


@pytest.mark.parametrize("nth", range(1, 8))
def test_whatever_call_dies_the_update_is_told_and_a_repeat_is_flagged(cloud: Cloud, nth: int) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="One"))
    record = revise(room, 1, title="Two")
    with before(cloud.dynamodb, "*", die, nth=nth):
        try:
            room.notifier().announce(record)
        except KilledError:
            room.notifier().announce(record)
    for _ in range(3):
        room.now += LEASE
        room.run()
    updates = [body for body in room.told() if body["kind"] == "updated"]
    assert {body["id"] for body in updates} == {delivery_id(article_id(1), "room", 2)}
    assert all(body["possible_repeat"] for body in updates[1:])
    assert room.deliveries.get(Telling(article_id(1), 2), "room").status == "sent"  # type: ignore[union-attr]  # it is there


def test_an_update_that_the_stream_forgot_is_swept(cloud: Cloud) -> None:
    room = newsroom(cloud)
    room.notifier().announce(room.commit(1, title="One"))
    room.now += 3 * 86400
    room.notifier().sweep()
    revise(room, 1, title="Two")
    room.now += 3600
    assert room.notifier().sweep() == 1
    room.run()
    assert [kind for kind, _, _ in told(room)] == ["new", "updated"]
    room.now += 3600
    assert room.notifier().sweep() == 0


def test_a_digest_channel_hears_of_updates_when_its_digest_is_due(cloud: Cloud) -> None:
    room = newsroom(cloud, "digest: {every: 30}")
    run = room.notifier()
    for n in (1, 2):
        run.announce(room.commit(n))
    room.now += 1800
    room.run()
    room.notifier().announce(revise(room, 1, title="Anew"))
    for n in (3, 4):
        room.notifier().announce(room.commit(n))
    assert len(room.told()) == 1
    room.now += 1800
    room.run()
    digest, update = room.told()[1:]
    assert [article["title"][:5] for article in digest["articles"]] == ["No-03", "No-04"]
    assert (update["kind"], update["article"]["title"]) == ("updated", "Anew")


def test_a_story_and_its_reprints_share_a_line_and_are_all_told(cloud: Cloud) -> None:
    text = SOURCES.replace("OPTIONS", "digest: {every: 30}").replace("kind: webhook", "kind: slack", 1)
    more = '{id: gazette, name: Gazette, url: "https://gazette.example/", channels: [room]}'
    room = Newsroom(cloud, text.replace("sources: [", f"sources: [{more}, "))
    run = room.notifier()
    for n, fields in enumerate([{"source": "gazette"}, {}, {}, {"source": "gazette"}]):
        record = room.commit(n, **fields)
        of = {0: article_id(1), 2: "x" * 26, 3: "x" * 26}.get(n)
        run.announce(msgspec.structs.replace(record, reprint_of=of))
        if of:
            cloud.dynamodb.update_item(
                TableName=cloud.articles_table,
                Key={"id": {"S": record.id}},
                UpdateExpression="SET reprint_of = :of",
                ExpressionAttributeValues={":of": {"S": of}},
            )
    room.now += 1800
    room.run()
    [body] = room.told()
    assert body["text"].splitlines()[0] == "2 new articles"
    shown = json.dumps(body["blocks"], ensure_ascii=False)
    assert "No-01 of the day (also: Gazette)" in shown
    assert "No-02 of the day (also: Gazette)" in shown
    assert "No-00" not in shown and "No-03" not in shown
    assert {room.state(n).status for n in range(4)} == {"sent"}
