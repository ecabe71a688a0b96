"""Pages asked for again: when a source wishes it, politely, for little where nothing changed, and never to a loss."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from broadsheet.archive import Archive
from broadsheet.article import Article
from broadsheet.changes import MOST_UNTOLD, is_revision
from broadsheet.cli.reparse import Reread, _Desk
from broadsheet.dynamo import to_item
from broadsheet.queue import decode
from broadsheet.source import Sources
from broadsheet.store import Record
from tests.hostile.loopback import answer
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die
from tests.stack.newsstand import HERALD, Newsstand, herald, item, opened, page, rss

URL = f"{HERALD}/ferry"
NEWER = "What the town says of ferry, and of its captain"


def fresh(title: str = "What the town says of ferry", tag: str = '"1"', extra: bytes = b"") -> bytes:
    body = page(title).replace(b"</article>", extra + b"</article>")
    return answer(body, headers={"Content-Type": "text/html", "ETag": tag})


@pytest.fixture
def stand(cloud: Cloud) -> Iterator[Newsstand]:
    """One article, just stored, of a source that asks again after an hour and after six."""
    with opened(cloud) as there:
        there.sources = (herald(refetch=(1.0, 6.0)),)
        there.refetch()  # as each run of discover begins
        there.pages[URL] = fresh()
        there.pages[f"{HERALD}/feed"] = rss(item("/ferry", description="The council met about the ferry."))
        there.poll()
        assert [record.etag for record in there.stored] == ['"1"']
        yield there


def only(stand: Newsstand) -> Record:
    (record,) = stand.stored
    return record


def waiting(stand: Newsstand) -> list[Any]:
    return stand.cloud.messages(stand.cloud.queue_url)


def test_unless_a_source_wishes_it_nothing_is_asked_again_nor_looked_up(cloud: Cloud) -> None:
    with opened(cloud) as stand:
        stand.publish("/ferry")
        stand.pages[f"{HERALD}/feed"] = rss(item("/ferry"))
        stand.poll()
        with before(cloud.dynamodb, "*", lambda _: None) as asked:
            stand.later(1.01)
            assert stand.refetch() == 0
        assert [name for name in asked if name in ("Query", "BatchGetItem")] == []
        assert only(stand).etag is None


def test_what_has_not_changed_is_answered_in_a_line_and_makes_nothing(stand: Newsstand) -> None:
    stand.pages[URL] = answer(status="304 Not Modified", headers={"ETag": '"1"'})
    was, keys = only(stand), stand.cloud.keys()
    sent = []
    for _ in range(100):  # every five minutes, for eight hours and more
        stand.later(1 / 12)
        sent.append(stand.refetch())
    assert sum(sent) == 2, "after an hour, and after six"
    assert stand.asked_headers(URL)["if-none-match"] == '"1"'
    assert stand.fetched.count(URL) == 3
    assert (only(stand), stand.cloud.keys()) == (was, keys)


def test_what_has_changed_is_a_revision_and_is_watched_anew(stand: Newsstand) -> None:
    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(1.01)
    assert stand.refetch() == 1
    now = only(stand)
    assert (now.title, now.revision, now.etag) == (NEWER, 2, '"2"')
    made = stand.articles.read(now.s3_key or "")
    (older,) = made.revisions
    assert not older.reread
    assert "title" in older.changed
    assert stand.articles.read(older.s3_key).title == "What the town says of ferry"
    assert made.standfirst == "The council met about the ferry.", "the feed's word for what the page doesn't say"
    assert "standfirst" not in older.changed
    stand.later(1.01)
    assert stand.refetch() == 1
    assert only(stand).revision == 2


def test_a_page_that_prints_the_time_is_no_other_for_that(stand: Newsstand) -> None:
    line = "<p>The clock of the harbour office, which the keeper winds by hand each week, says {}, as it must.</p>"
    for tag, clock, revision in (("2", "14:05 on 2026-11-24", 2), ("3", "9:17 on 2026-11-25", 2)):
        stand.pages[URL] = fresh(extra=line.format(clock).encode(), tag=f'"{tag}"')
        stand.later(1.01)
        assert stand.refetch() == 1
        assert only(stand).revision == revision, clock


@pytest.mark.parametrize(
    ("status", "path"),
    [
        *((status, "") for status in ("404 Not Found", "410 Gone", "403 Forbidden", "500 Oh No")),
        *(("302 Found", path) for path in ("/", "/category/harbour", "/account/log-in-1")),
    ],
)
def test_a_page_that_is_gone_takes_no_article_with_it(stand: Newsstand, status: str, path: str) -> None:
    stand.pages[URL] = answer(status=status, headers={"Location": HERALD + path} if path else {})
    stand.pages[HERALD + path] = answer(
        b"<title>Herald</title><article><p>%s</p></article>" % (b"Log in to read. " * 30)
    )
    was = only(stand)
    stand.later(1.01)
    assert stand.refetch() == 1
    for _ in range(20):
        stand.later(1)
        stand.deliver()
    assert only(stand) == was
    assert waiting(stand) == []
    assert stand.cloud.messages(stand.cloud.dead_letter_url) == []


def test_it_waits_for_its_hosts_turn_like_any_other(stand: Newsstand) -> None:
    stand.later(1.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand, "deliver", lambda: None)
        assert stand.refetch() == 1
    hosts = stand.parser()._hosts
    turn = hosts.take("herald.example", now=stand.now)
    (sent,) = waiting(stand)
    (outcome,) = stand.parser().run([("m", sent["Body"])])
    assert (outcome.status, outcome.reason) == ("postponed", "host-busy")
    hosts.give_back(turn, next_at=stand.now)
    (again,) = [one for one in waiting(stand) if one["MessageId"] != sent["MessageId"]] or [sent]
    assert decode(again["Body"], message_id="m").revisit


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(("service", "operation"), [("sqs", "SendMessageBatch"), ("dynamodb", "PutItem")])
def test_a_death_while_sending_sends_again(
    stand: Newsstand, service: str, operation: str, death: Callable[[Any], None]
) -> None:
    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(1.01)
    with before(getattr(stand.cloud, service), operation, death), pytest.raises(KilledError):
        stand.refetch()
    stand.refetch()
    assert only(stand).revision == 2


@pytest.mark.parametrize("death", [die, done_then_die])
@pytest.mark.parametrize(
    ("service", "operation", "nth"),
    [
        ("s3", "PutObject", 1),  # the page's archive
        ("s3", "PutObject", 2),  # the older revision
        ("s3", "PutObject", 3),  # the newer
        ("dynamodb", "UpdateItem", 3),  # the record, between taking a turn and giving it back
    ],
)
def test_a_death_anywhere_leaves_what_the_next_try_completes(
    stand: Newsstand, service: str, operation: str, nth: int, death: Callable[[Any], None]
) -> None:
    stand.archive = True
    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(1.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand, "deliver", lambda: None)
        assert stand.refetch() == 1
    (sent,) = waiting(stand)
    with before(getattr(stand.cloud, service), operation, death, nth=nth), pytest.raises(KilledError):
        stand.parser().run([("m", sent["Body"])])
    assert only(stand).status == "stored"
    stand.later(0.5)  # the message's visibility and the turn's lease are over
    stand.parser().run([("m", sent["Body"])])
    now = only(stand)
    made = stand.articles.read(now.s3_key or "")
    assert (now.title, now.revision, made.revision, len(made.revisions)) == (NEWER, 2, 2, 1)
    assert stand.articles.read(made.revisions[0].s3_key).revision == 1


def test_only_what_changed_is_archived_once_more(stand: Newsstand) -> None:
    stand.archive = True
    stand.later(1.01)
    stand.refetch()
    assert [key for key in stand.cloud.keys() if key.startswith("raw/")] == []  # noqa: SIM118 - no dict
    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(5)
    stand.refetch()
    made = stand.articles.read(only(stand).s3_key or "")
    assert made.raw
    assert Archive(stand.cloud.s3, stand.cloud.bucket).read(made.raw).response.body == page(NEWER)


@pytest.mark.parametrize("nth", [1, 2])
def test_what_is_forgotten_meanwhile_is_not_written_anew(stand: Newsstand, nth: int) -> None:
    """Before the older revision is put in its place, or the newer."""
    was, cloud = only(stand), stand.cloud

    def forget(_: Any) -> None:
        gone = {"id": was.id, "status": "forgotten", "url": "", "source": was.source, "first_seen": was.first_seen}
        cloud.dynamodb.put_item(TableName=cloud.articles_table, Item=to_item(gone))
        if nth == 1:  # its objects are listed a moment later; here before the one that is just written
            cloud.s3.delete_object(Bucket=cloud.bucket, Key=was.s3_key or "")

    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(1.01)
    with before(cloud.s3, "PutObject", forget, nth=nth):
        stand.refetch()
    assert [key for key in cloud.keys() if was.id in key] == []  # noqa: SIM118 - no dict


def test_a_page_that_is_no_article_any_more_is_in_no_archive(stand: Newsstand) -> None:
    """No document tells when it was fetched, by which `forget` could find it."""
    stand.archive = True
    stand.pages[URL] = answer(b"<html><body><p>.</p></body></html>", headers={"Content-Type": "text/html"})
    stand.later(1.01)
    assert stand.refetch() == 1
    assert only(stand).revision == 1
    assert [key for key in stand.cloud.keys() if key.startswith("raw/")] == []  # noqa: SIM118 - no dict


def test_reading_anew_keeps_what_the_feed_had_said_before(stand: Newsstand) -> None:
    stand.archive = True
    stand.pages[URL] = fresh(NEWER, '"2"')
    stand.later(1.01)
    stand.refetch()
    made = stand.articles.read(only(stand).s3_key or "")
    assert made.provenance["standfirst"].kind == "feed"
    sources = Sources(sources=stand.sources)
    with closing(_Desk(stand.articles, Archive(stand.cloud.s3, stand.cloud.bucket), sources, write=False)) as desk:
        assert desk.reread(made) == Reread(status="same", id=made.id, source=made.source, url=made.url)


def test_a_page_that_always_reads_otherwise_has_an_end() -> None:
    one, other = (Article(url=URL, text=f"A paragraph, number {word}") for word in ("one", "two"))
    assert is_revision(one, other, revisions=MOST_UNTOLD - 1)
    assert not is_revision(one, other, revisions=MOST_UNTOLD)
    assert not is_revision(one, Article(url=URL, text="A  Paragraph, number one"), revisions=1)
