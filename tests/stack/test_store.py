"""Committing an article: repeated from any step, raced by others, it ends as one object and one record that agree."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from broadsheet.article import Article, Image
from broadsheet.store import Articles, Record, StoredArticle, StoreError, content_hash, document, object_key, record_of
from tests.stack.cloud import Cloud, KilledError, before, die, done_then_die, lose_answer

SEEN = datetime(2026, 3, 4, 23, 30, tzinfo=UTC)
NOW = datetime(2026, 3, 5, 0, 10, 5, tzinfo=UTC)
ID = "a" * 26


def articles(cloud: Cloud) -> Articles:
    return Articles(cloud.dynamodb, cloud.articles_table, cloud.s3, cloud.bucket)


def doc(
    text: str = "The ferry sails again.", *, id: str = ID, source: str = "harbour", first_seen: datetime = SEEN
) -> StoredArticle:
    article = Article(url=f"https://news.example/{id}", title="Ferry", text=text, language="en")
    return document(article, id=id, source=source, first_seen=first_seen, fetched_at=NOW, summary=text)


def commit(
    cloud: Cloud, document: StoredArticle, *, announce: bool = True, now: datetime = NOW, trace: str = "t"
) -> tuple[Record, bool]:
    return articles(cloud).commit(document, now=now, announce=announce, trace=trace)


def assert_one_article(cloud: Cloud, *ids: str) -> None:
    """Each id has a record and an object that agree, and there is no other object."""
    records = articles(cloud).records(ids)
    assert set(records) == set(ids)
    assert sorted(cloud.keys()) == sorted(record.s3_key or "" for record in records.values())
    for record in records.values():
        stored = articles(cloud).read(record.s3_key or "")
        again = record_of(
            stored, key=record.s3_key or "", committed_at=NOW, announce=record.announce, trace=record.trace
        )
        kept = ("sources", "outbox_at", "outbox_hour", "changed_at", "changed_hour")
        assert msgspec.structs.replace(again, **{name: getattr(record, name) for name in kept}) == record


def test_an_article_becomes_an_object_and_a_record(cloud: Cloud) -> None:
    record, new = commit(cloud, doc())
    assert new
    assert record.s3_key == f"articles/v1/source=harbour/date=2026-03-04/{ID}.json"
    assert record == articles(cloud).record(ID)
    answer = cloud.s3.get_object(Bucket=cloud.bucket, Key=record.s3_key)
    assert answer["ContentType"] == "application/json; charset=utf-8"
    written = json.loads(answer["Body"].read())
    assert written["schema"] == "v1"
    assert written["id"] == ID
    assert written["first_seen"] == "2026-03-04T23:30:00Z"
    assert written["text"] == "The ferry sails again."
    assert (record.outbox_hour, record.outbox_at) == ("2026-03-05T00", "2026-03-05T00:10:05Z")
    assert record.sort_at == "2026-03-04T23:30:00Z"
    assert_one_article(cloud, ID)


def test_committing_again_changes_nothing(cloud: Cloud) -> None:
    first, _ = commit(cloud, doc())
    versions = cloud.s3.list_object_versions(Bucket=cloud.bucket)["Versions"]
    again, new = commit(cloud, doc("Another reading of the page."), now=NOW + timedelta(hours=1), trace="u")
    assert (again, new) == (first, False)
    assert cloud.s3.list_object_versions(Bucket=cloud.bucket)["Versions"] == versions


@pytest.mark.parametrize("operation", ["PutObject", "PutItem"])
@pytest.mark.parametrize("death", [die, done_then_die])
def test_a_death_at_any_call_leaves_what_a_retry_completes(
    cloud: Cloud, operation: str, death: Callable[[Any], None]
) -> None:
    client: Any = cloud.s3 if operation == "PutObject" else cloud.dynamodb
    with before(client, operation, death), pytest.raises(KilledError):
        commit(cloud, doc("First reading."))
    died_committed = (operation, death) == ("PutItem", done_then_die)
    assert (articles(cloud).record(ID) is not None) == died_committed
    record, new = commit(cloud, doc("Second reading."), now=NOW + timedelta(minutes=2))
    assert new != died_committed
    assert_one_article(cloud, ID)
    first_was_written = (operation, death) != ("PutObject", die)
    assert record.summary == ("First reading." if first_was_written else "Second reading.")


def test_a_lost_answer_to_the_object_is_no_obstacle(cloud: Cloud) -> None:
    with before(cloud.s3, "PutObject", lose_answer) as asked:
        _, new = commit(cloud, doc())
    assert asked == ["PutObject", "PutObject", "GetObject"]
    assert new
    assert_one_article(cloud, ID)


def test_a_lost_answer_to_the_commit_leaves_the_article_stored(cloud: Cloud) -> None:
    with before(cloud.dynamodb, "PutItem", lose_answer):
        record, _ = commit(cloud, doc())  # whether it was ours can't be told from a duplicate's in the same second
    assert record == articles(cloud).record(ID)
    assert_one_article(cloud, ID)


@pytest.mark.parametrize(("client", "operation"), [("s3", "PutObject"), ("dynamodb", "PutItem")])
@pytest.mark.parametrize(
    "other",
    [
        doc("Their reading."),
        doc("Their reading.", source="rival"),
        doc("Their reading.", first_seen=SEEN + timedelta(days=1)),
    ],
    ids=["same message", "other source", "other day"],
)
def test_two_writers_that_read_different_pages_end_in_one_article(
    cloud: Cloud, client: str, operation: str, other: StoredArticle
) -> None:
    theirs: list[tuple[Record, bool]] = []
    with before(getattr(cloud, client), operation, lambda _: theirs.append(commit(cloud, other))):
        ours, new = commit(cloud, doc("Our reading."))
    assert [theirs[0][1], new] == [True, False]
    assert ours == theirs[0][0]
    assert_one_article(cloud, ID)


@pytest.mark.parametrize("death", [die, done_then_die])
def test_a_loser_that_died_before_it_withdrew_is_cleaned_up_by_its_retry(
    cloud: Cloud, death: Callable[[Any], None]
) -> None:
    with before(cloud.dynamodb, "PutItem", lambda _: commit(cloud, doc(source="rival"))):  # noqa: SIM117
        with before(cloud.s3, "DeleteObject", death), pytest.raises(KilledError):
            commit(cloud, doc())
    record, new = commit(cloud, doc())
    assert not new
    assert record.source == "rival"
    assert_one_article(cloud, ID)


def test_withdraw_keeps_the_committed_object(cloud: Cloud) -> None:
    record, _ = commit(cloud, doc())
    articles(cloud).withdraw(record, record.s3_key or "")
    articles(cloud).withdraw(record, object_key(ID, "rival", SEEN))  # never written: no error either
    assert_one_article(cloud, ID)


def test_a_bucket_in_trouble_commits_nothing(cloud: Cloud) -> None:
    cloud.s3.delete_bucket(Bucket=cloud.bucket)
    with pytest.raises(ClientError):
        commit(cloud, doc())
    assert cloud.items(cloud.articles_table) == []


def test_an_unavailable_page_gives_way_to_a_later_sighting_and_never_replaces_an_article(cloud: Cloud) -> None:
    def give_up(reason: str) -> None:
        articles(cloud).put_unavailable(
            ID, url="https://news.example/x", source="harbour", first_seen=SEEN, reason=reason, trace="t"
        )

    give_up("http-404")
    give_up("http-410")
    record = articles(cloud).record(ID)
    assert record is not None
    assert (record.status, record.reason, record.announce, record.outbox_at) == ("unavailable", "http-410", False, None)
    assert "sort_at" not in cloud.items(cloud.articles_table)[0], "not in consumers' index"
    _, new = commit(cloud, doc())
    assert new
    give_up("http-404")
    assert_one_article(cloud, ID)


def test_an_alias_leads_to_the_article_and_stays(cloud: Cloud) -> None:
    target, _ = commit(cloud, doc())
    other = "b" * 26
    for url in ("https://amp.news.example/x", "https://m.news.example/x"):
        articles(cloud).put_alias(other, target, url=url, source="harbour", first_seen=SEEN)
    alias = articles(cloud).record(other)
    assert alias is not None
    assert (alias.status, alias.target, alias.url) == ("alias", ID, "https://amp.news.example/x")
    articles(cloud).put_alias("c" * 26, alias, url="https://x.example/", source="harbour", first_seen=SEEN)
    assert (articles(cloud).records(["c" * 26])["c" * 26]).target == ID, "aliases of aliases lead to the article"
    articles(cloud).put_alias(ID, target, url="https://news.example/x", source="harbour", first_seen=SEEN)
    assert_one_article(cloud, ID)


def test_committing_under_an_alias_finds_the_alias_and_leaves_no_object(cloud: Cloud) -> None:
    target, _ = commit(cloud, doc())
    articles(cloud).put_alias("b" * 26, target, url="https://amp.example/x", source="harbour", first_seen=SEEN)
    record, new = commit(cloud, doc(id="b" * 26))
    assert (record.status, new) == ("alias", False)
    assert_one_article(cloud, ID)


def test_a_further_source_is_noted_once(cloud: Cloud) -> None:
    commit(cloud, doc())
    for _ in range(2):
        articles(cloud).add_source(ID, "rival", announce=True, now=SEEN)
    record = articles(cloud).record(ID)
    assert record is not None
    assert record.sources == {"harbour", "rival"}
    with pytest.raises(ClientError):
        articles(cloud).add_source("z" * 26, "rival", announce=True, now=SEEN)
    assert articles(cloud).record("z" * 26) is None, "no record is made of a source alone"


def test_a_backlog_that_another_source_has_as_news_is_news_of_that_source_alone(cloud: Cloud) -> None:
    articles(cloud).commit(doc(), now=SEEN, announce=False, trace="t")
    record = articles(cloud).record(ID)
    assert record is not None
    assert (record.announce, record.silent, record.outbox_at) == (False, {"harbour"}, None)
    later = SEEN + timedelta(hours=3)
    articles(cloud).add_source(ID, "rival", announce=True, now=later)
    record = articles(cloud).record(ID)
    assert record is not None
    assert (record.announce, record.sources - record.silent) == (True, {"rival"})
    assert list(articles(cloud).outbox(later.timestamp() - 60, later.timestamp() + 60)) == [ID]


def test_a_backlog_does_not_announce_what_another_source_had_as_news(cloud: Cloud) -> None:
    commit(cloud, doc())
    articles(cloud).add_source(ID, "rival", announce=False, now=SEEN)
    record = articles(cloud).record(ID)
    assert record is not None
    assert (record.announce, record.sources - record.silent) == (True, {"harbour"})


def test_many_records_are_read_in_batches_and_each_once(cloud: Cloud) -> None:
    ids = [f"{n:026d}" for n in range(230)]
    for id in ids[::2]:
        articles(cloud).put_unavailable(
            id, url="https://x.example/", source="harbour", first_seen=SEEN, reason="http-404", trace="t"
        )
    with before(cloud.dynamodb, "*", lambda _: None) as asked:
        found = articles(cloud).records(ids + ids)
    assert sorted(found) == ids[::2]
    assert len(asked) == 3
    assert articles(cloud).records([]) == {}


def test_records_that_a_batch_left_unprocessed_are_asked_for_again(cloud: Cloud) -> None:
    commit(cloud, doc())

    def unprocessed(parsed: Any, **_: Any) -> None:
        if parsed["Responses"][cloud.articles_table] and not throttled:
            throttled.append(True)
            parsed["Responses"][cloud.articles_table] = []
            parsed["UnprocessedKeys"] = {cloud.articles_table: {"Keys": [{"id": {"S": ID}}]}}

    throttled: list[bool] = []
    event = "after-call.dynamodb.BatchGetItem"
    cloud.dynamodb.meta.events.register(event, unprocessed)
    try:
        assert set(articles(cloud).records([ID])) == {ID}
    finally:
        cloud.dynamodb.meta.events.unregister(event, unprocessed)
    assert throttled


def test_the_outbox_holds_what_is_announced_by_the_hour(cloud: Cloud) -> None:
    at = datetime(2026, 3, 5, 22, 59, 58, tzinfo=UTC)
    for n, seconds in enumerate((0, 1, 3, 3600, 7200)):
        commit(cloud, doc(id=f"{n:026d}"), now=at + timedelta(seconds=seconds))
    commit(cloud, doc(id="q" * 26), announce=False, now=at)

    def found(since: float, until: float) -> list[int]:
        return [int(id) for id in articles(cloud).outbox(at.timestamp() + since, at.timestamp() + until)]

    assert found(-86400, 86400) == [0, 1, 2, 3, 4]
    assert found(1, 3600) == [1, 2, 3]
    assert found(0.4, 0.6) == [0], "to the second, rather once too often"
    assert found(7201, 7300) == []
    assert found(5, 1) == []


def test_consumers_list_a_sources_articles_newest_first_by_publication(cloud: Cloud) -> None:
    for n, published in enumerate((None, SEEN - timedelta(days=2), SEEN + timedelta(hours=1))):
        article = Article(url="https://news.example/x", title=f"No. {n}", published_at=published)
        commit(
            cloud,
            document(article, id=f"{n:026d}", source="harbour", first_seen=SEEN, fetched_at=NOW, summary=""),
        )
    answer = cloud.dynamodb.query(
        TableName=cloud.articles_table,
        IndexName="newest-by-source",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "source"},
        ExpressionAttributeValues={":s": {"S": "harbour"}},
        ScanIndexForward=False,
    )
    assert [item["title"]["S"] for item in answer["Items"]] == ["No. 2", "No. 0", "No. 1"]
    assert {"title", "url", "s3_key"} <= answer["Items"][0].keys()


def test_an_oversize_article_has_a_record_within_bounds_and_its_object_whole(cloud: Cloud) -> None:
    article = Article(
        url="https://news.example/" + "x" * 9000,
        title="标" * 5000,
        text="文" * 400_000,
        section="s" * 10_000,
        authors=tuple(f"Author {'y' * 1000} {n}" for n in range(2000)),
        tags=tuple("t" * 5000 for _ in range(500)),
        images=tuple(Image(url=f"https://news.example/{'i' * 200}/{n}.jpg") for n in range(10_000)),
    )
    big = document(article, id=ID, source="harbour", first_seen=SEEN, fetched_at=NOW, summary="摘" * 50_000)
    record, new = commit(cloud, big)
    assert new
    assert record == articles(cloud).record(ID)
    assert (len(record.title), len(record.authors), len(record.tags)) == (1000, 30, 30)
    assert len(articles(cloud).read(record.s3_key or "").images) == 10_000
    assert len(json.dumps(cloud.items(cloud.articles_table))) < 100_000


def test_an_image_that_is_a_data_url_stays_out_of_the_record() -> None:
    article = Article(url="https://news.example/x", images=(Image(url="data:image/png;base64," + "A" * 100_000),))
    big = document(article, id=ID, source="harbour", first_seen=SEEN, fetched_at=NOW, summary="")
    assert record_of(big, key="k", committed_at=NOW, announce=True, trace="").image is None


def test_instants_are_utc_whatever_zone_the_page_had() -> None:
    paris = timezone(timedelta(hours=2))
    article = Article(
        url="https://news.example/x",
        published_at=datetime(2023, 6, 19, 15, 17, tzinfo=paris),
        modified_at=datetime(2023, 6, 20, 1, 0, tzinfo=paris),
    )
    made = document(
        article,
        id=ID,
        source="harbour",
        first_seen=datetime(2026, 3, 5, 0, 30, 1, 999_999, tzinfo=paris),
        fetched_at=NOW,
        summary="",
    )
    assert made.published_at == datetime(2023, 6, 19, 13, 17, tzinfo=UTC)
    assert msgspec.to_builtins(made)["modified_at"] == "2023-06-19T23:00:00Z"
    assert "date=2026-03-04/" in object_key(ID, "harbour", datetime(2026, 3, 5, 0, 30, tzinfo=paris))
    record = record_of(made, key="k", committed_at=NOW, announce=False, trace="")
    assert (record.published_at, record.sort_at) == ("2023-06-19T13:17:00Z", "2023-06-19T13:17:00Z")
    assert (record.outbox_at, record.outbox_hour) == (None, None)


@pytest.mark.parametrize("hours", [8, -8])
@pytest.mark.parametrize("year", [1, 9999])
def test_a_date_at_the_calendars_end_is_no_date_but_no_error_either(cloud: Cloud, year: int, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    at = datetime(1, 1, 1, tzinfo=zone) if year == 1 else datetime(9999, 12, 31, 23, 59, tzinfo=zone)
    article = Article(url="https://news.example/x", title="Never", published_at=at, modified_at=at)
    made = document(article, id=ID, source="harbour", first_seen=SEEN, fetched_at=NOW, summary="")
    record, _ = commit(cloud, made)
    assert record.published_at is None or len(record.published_at) == 20, "strings sort as time does"
    assert_one_article(cloud, ID)


def test_text_with_half_a_surrogate_pair_is_stored_all_the_same(cloud: Cloud) -> None:
    article = Article(url="https://news.example/x", title="Cut \ud83d", text="Cut \ud83d", tags=("\ude00",))
    made = document(article, id=ID, source="harbour", first_seen=SEEN, fetched_at=NOW, summary="Cut \ud83d")
    record, _ = commit(cloud, made)
    assert record.title == "Cut \ufffd"
    assert_one_article(cloud, ID)


def test_the_content_hash_is_over_what_a_reader_reads() -> None:
    article = Article(url="https://news.example/x", title="Ferry", text="It sails.")
    same = msgspec.structs.replace(article, url="https://news.example/y", language="en", tags=("boats",), standfirst="")
    assert content_hash(article) == content_hash(same)
    assert content_hash(article).startswith("1:")
    assert content_hash(article) != content_hash(msgspec.structs.replace(article, text="It sank."))
    assert content_hash(article) != content_hash(msgspec.structs.replace(article, standfirst="At last."))


def test_what_this_version_cannot_read_is_named(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=cloud.bucket, Key="articles/v1/broken.json", Body=b'{"id": 7}')
    with pytest.raises(StoreError, match=r"s3://bucket/articles/v1/broken\.json: unreadable"):
        articles(cloud).read("articles/v1/broken.json")
    cloud.dynamodb.put_item(TableName=cloud.articles_table, Item={"id": {"S": ID}, "status": {"S": "odd"}})
    with pytest.raises(StoreError, match=f"record {ID}: unreadable"):
        articles(cloud).record(ID)


def test_a_consumers_own_attributes_and_a_later_versions_fields_are_no_obstacle(cloud: Cloud) -> None:
    commit(cloud, doc())
    cloud.dynamodb.update_item(
        TableName=cloud.articles_table,
        Key={"id": {"S": ID}},
        UpdateExpression="SET later = :x",
        ExpressionAttributeValues={":x": {"M": {}}},
    )
    assert articles(cloud).record(ID) is not None
