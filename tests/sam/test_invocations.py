"""`sam local invoke` of every event in events/, in Docker, over the sample site, writing to a local AWS."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadsheet.dynamo import instant, to_item
from broadsheet.queue import decode
from broadsheet.store import Record, StoredArticle, record_from_item
from local.build import BuildError, build
from local.embedded import TEMPLATE
from local.engine import TOOL, EngineError
from local.invoke import Answer, InvokeError, Invoker, read_answer

EVENTS = TEMPLATE.parent / "events"
ORDER = (  # a world that each event finds as the one before it left it
    *("discover-schedule", "discover-force", "discover-share"),
    *("callback-agree", "callback-push", "callback-forged", "callback-stranger"),
    *("parse-article", "parse-duplicate", "parse-feed-text", "parse-missing", "parse-later", "parse-poison"),
    *("notify-insert", "notify-update", "notify-sweep", "notify-post-due"),
    *("publish-schedule", "publish-everything"),
)
FORGOTTEN = "An article whose commit the stream forgot"

pytestmark = pytest.mark.timeout(900)  # sam build from nothing, then a container for each event


class World:
    """What is there after all events; `answers` by the event's name."""

    def __init__(self, invoker: Invoker) -> None:
        self.invoker = invoker
        self.answers: dict[str, Answer] = {}

    def run(self) -> None:
        for name in ORDER:
            if name == "notify-sweep":
                self._forget_one()
            self.answers[name] = self.invoker.invoke(EVENTS / f"{name}.json")

    @property
    def records(self) -> dict[str, Record]:
        items = self.invoker.aws.client("dynamodb").scan(TableName=self.invoker.resources["ArticlesTable"])["Items"]
        return {item["id"]["S"]: record_from_item(item) for item in items}

    def article(self, record: Record) -> StoredArticle:
        s3 = self.invoker.aws.client("s3")
        body = s3.get_object(Bucket=self.invoker.resources["Bucket"], Key=record.s3_key)["Body"].read()
        return msgspec.json.decode(body, type=StoredArticle)

    def message_id(self, name: str) -> str:
        records = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))["Records"]
        return decode(records[-1]["body"], message_id="").id

    def queued(self, queue: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        url = self.invoker.resources[queue]
        sqs = self.invoker.aws.client("sqs")
        while messages := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
        ).get("Messages"):
            found += messages
        return found

    def _forget_one(self) -> None:
        """A commit of an hour ago that has no deliveries, as after a stream batch that was given up."""
        record = self.records[self.message_id("parse-article")]
        assert record.s3_key
        id = "forgotten" + record.id[9:]
        key = record.s3_key.replace(record.id, id)
        body = msgspec.json.encode(msgspec.structs.replace(self.article(record), id=id, title=FORGOTTEN))
        self.invoker.aws.client("s3").put_object(Bucket=self.invoker.resources["Bucket"], Key=key, Body=body)
        committed = datetime.now(UTC) - timedelta(hours=1)
        forgotten = msgspec.structs.replace(
            record,
            id=id,
            title=FORGOTTEN,
            s3_key=key,
            outbox_hour=instant(committed)[:13],
            outbox_at=instant(committed),
        )
        self.invoker.aws.client("dynamodb").put_item(
            TableName=self.invoker.resources["ArticlesTable"], Item=to_item(msgspec.structs.asdict(forgotten))
        )


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    try:
        build()
        with Invoker() as invoker:
            world = World(invoker)
            world.run()
            yield world
    except EngineError as error:
        if TOOL.is_file():
            raise  # where there is one, it has to run
        pytest.skip(f"sam local invoke needs a Docker engine: {error}")
    except BuildError as error:
        if error.reason == "failed":
            raise
        pytest.skip(str(error))


def test_every_event_was_invoked() -> None:
    assert sorted(ORDER) == sorted(path.stem for path in EVENTS.glob("*.json"))


def test_a_scheduled_poll_finds_and_enqueues_everything(world: World) -> None:
    assert world.answers["discover-schedule"].result == {"found": 4}
    queued = Counter(decode(m["Body"], message_id=m["MessageId"]).source for m in world.queued("ParseQueue"))
    published = {p.id: len(p.stories) for p in world.invoker.site.publications}
    assert set(queued) == set(published)
    assert queued["courier"] >= published["courier"]


def test_a_forced_poll_finds_nothing_more(world: World) -> None:
    result = world.answers["discover-force"].result
    assert sum(result.values()) == 4
    assert set(result) <= {"not-modified", "nothing-new", "busy"}


def test_a_share_asks_its_own_sources_alone(world: World) -> None:
    result = world.answers["discover-share"].result
    assert sum(result.values()) == 1


def test_a_hub_is_agreed_with_and_what_it_pushes_is_enqueued_unless_it_is_forged(world: World) -> None:
    answers = {name: world.answers[f"callback-{name}"] for name in ("agree", "push", "forged", "stranger")}
    assert [one.result["statusCode"] for one in answers.values()] == [200, 202, 202, 404]
    assert answers["agree"].result["body"] == "8a1d-5c77"
    counted = {name: [line["Enqueued"] for line in one.log if "_aws" in line] for name, one in answers.items()}
    assert counted == {"agree": [[0.0]], "push": [[1.0]], "forged": [[0.0]], "stranger": []}


def test_an_article_is_stored_under_the_key_its_message_names(world: World) -> None:
    assert world.answers["parse-article"].result == {"batchItemFailures": []}
    record = world.records[world.message_id("parse-article")]
    article = world.article(record)
    assert record.status == "stored"
    assert record.s3_key == f"articles/v1/source=courier/date={datetime.now(UTC):%Y-%m-%d}/{record.id}.json"
    assert (article.title, article.origin) == ("The night shift gets its bread at last", "page")
    assert article.content_hash == record.content_hash


def test_duplicates_end_in_one_article(world: World) -> None:
    assert world.answers["parse-duplicate"].result == {"batchItemFailures": []}
    statuses = Counter(world.answers["parse-duplicate"].statuses())
    assert statuses["stored"] == 1
    assert set(statuses) <= {"stored", "known", "postponed"}
    assert [r.status for r in world.records.values() if "ferry-cat-retires" in r.url] == ["stored"]


def test_a_refused_page_becomes_the_feeds_own_text(world: World) -> None:
    record = world.records[world.message_id("parse-feed-text")]
    article = world.article(record)
    assert (article.origin, article.language) == ("feed", "zh")
    assert "403" in (article.origin_reason or "")
    assert article.text


def test_a_missing_page_is_recorded_with_its_reason(world: World) -> None:
    record = world.records[world.message_id("parse-missing")]
    assert record.status == "unavailable"
    assert "404" in (record.reason or "")


def test_what_is_not_due_yet_is_sent_on(world: World) -> None:
    assert world.answers["parse-later"].statuses() == ["postponed"]
    assert world.message_id("parse-later") not in world.records


def test_poison_is_given_up_with_its_reason_and_the_message_beside_it_is_handled(world: World) -> None:
    assert world.answers["parse-poison"].result == {"batchItemFailures": []}
    assert world.records[world.message_id("parse-poison")].status == "stored"
    (letter,) = world.queued("DeadLetterQueue")
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not an article message"


def test_a_commit_is_announced_once_however_often_it_is_heard_of(world: World) -> None:
    for name in ("notify-insert", "notify-update"):
        assert world.answers[name].result == {"batchItemFailures": []}
    titles = Counter(json.dumps(post.payload) for post in world.invoker.receiver.accepted)
    assert sum(1 for text in titles if "night shift" in text and FORGOTTEN not in text) == 1


def test_what_the_stream_forgot_is_swept_up_and_posted(world: World) -> None:
    assert world.answers["notify-sweep"].result == {"opened": 1}
    assert world.answers["notify-post-due"].result == {"sent": 1}
    assert sum(FORGOTTEN in json.dumps(post.payload) for post in world.invoker.receiver.accepted) == 1


def test_what_was_stored_is_published_and_publishing_again_changes_nothing(world: World) -> None:
    assert world.answers["publish-schedule"].result == {"written": 4 * 4 + 2 + 1}
    assert world.answers["publish-everything"].result == {"unchanged": 4 * 4 + 2 + 1}


def test_nothing_more_was_posted(world: World) -> None:
    assert len(world.invoker.receiver.posts) == 2


def test_invocations_are_counted_as_metrics(world: World) -> None:
    counted = [line for line in world.answers["parse-article"].log if "_aws" in line and "Stored" in line]
    assert [line["Stored"] for line in counted] == [[1.0]]


def test_an_invocation_that_fails_is_an_error_here(world: World, tmp_path: Path) -> None:
    event = tmp_path / "notify-nonsense.json"
    event.write_text('{"job": "nonsense"}', encoding="utf-8")
    with pytest.raises(InvokeError, match="no job 'nonsense'"):
        world.invoker.invoke(event)


def test_a_time_out_is_an_error_though_sam_exits_with_0() -> None:
    with pytest.raises(InvokeError, match="timed-out"):
        read_answer(
            "events/x.json", "", "START\n\x1b[33mFunction 'ParseFunction' timed out after 120 seconds\x1b[0m", 1
        )
    with pytest.raises(InvokeError, match="failed"):
        read_answer("events/x.json", "", "END RequestId", 1)
