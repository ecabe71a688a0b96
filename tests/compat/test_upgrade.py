"""Data, messages and stream records of the last release are read by today's code, and the stack's update loses none.

tests/compat/v0.1 was kept by sample.py, run in a checkout of that release.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadsheet.queue import decode, encode
from broadsheet.store import StoredArticle, record_from_item
from local.embedded import TEMPLATE, EmbeddedAws
from local.receiver import Receiver
from local.site import SampleSite
from local.stack import translate
from tests.compat.sample import ADDRESS, PARAMETERS, SITE_PORT, prepare, sources

RELEASE = Path(__file__).with_name("v0.1")
DAY = "2026-11-24"  # of the sample; it becomes yesterday, for old news is announced to nobody
HOLDING = ("AWS::S3::Bucket", "AWS::DynamoDB::Table")


def load(name: str) -> Any:
    return json.loads((RELEASE / name).read_text(encoding="utf-8"))


# ---- every shape by itself, so that what drifted is named --------------------------------------------------------


def test_messages_are_read_and_say_the_same_when_sent_again() -> None:
    messages = [message["MessageBody"] for message in load("state/queues.json")["ParseQueue"]]
    assert len(messages) > 10
    for body in messages:
        again = json.loads(encode(decode(body, message_id="sample")))
        assert {key: again[key] for key in json.loads(body)} == json.loads(body)


def test_records_are_read() -> None:
    records = [record_from_item(item) for item in load("tables/ArticlesTable.json")]
    assert {record.status for record in records} >= {"stored"}
    assert all(record.s3_key and record.title for record in records if record.status == "stored")


def test_objects_are_read() -> None:
    for path in (RELEASE / "bucket").rglob("*.json"):
        article = msgspec.json.decode(path.read_bytes(), type=StoredArticle)
        assert (article.id, article.revision) == (path.stem, 1)
        assert article.text


# ---- all of them together, by today's stack ----------------------------------------------------------------------


class Upgraded:
    """The release's data in a stack of today's template, which then ran until nothing was left."""

    def __init__(self, aws: EmbeddedAws, receiver: Receiver, site: SampleSite) -> None:
        self.aws, self.site = aws, site
        self.idle = aws.run_until_idle(60)
        aws.fire("NotifyFunctionSweep")
        self.idle = self.idle and aws.run_until_idle(30)
        items = aws.client("dynamodb").scan(TableName=aws.resource("ArticlesTable"))["Items"]
        self.stored = [record for record in map(record_from_item, items) if record.status == "stored"]
        self.posts = Counter((path, json.dumps(payload)) for path, payload in load("posts.json"))
        self.posts += Counter((post.path, json.dumps(post.payload)) for post in receiver.accepted)


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    folder = tmp_path_factory.mktemp("upgraded") / "out"
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    shutil.copytree(RELEASE, folder)
    for path in folder.rglob("*.json"):
        path.write_text(path.read_text(encoding="utf-8").replace(DAY, yesterday), encoding="utf-8")
    for path in list(folder.rglob(f"date={DAY}")):
        path.rename(path.with_name(f"date={yesterday}"))
    for _ in range(40):  # another checkout's tests may be at the same address
        try:
            site = SampleSite(address=ADDRESS, port=SITE_PORT, stall=3)
            break
        except OSError:
            time.sleep(0.5)
    else:
        pytest.skip(f"{ADDRESS}:{SITE_PORT}, where the sample's articles are, is taken")
    with site, Receiver() as receiver:
        file = folder / "sources.yaml"
        file.write_text(sources(site, delay=0.05), encoding="utf-8")
        given = {**PARAMETERS, "Sources": str(file)}
        with EmbeddedAws(parameters=given, state_dir=folder, minute=0.3) as aws:
            prepare(aws, receiver)
            yield Upgraded(aws, receiver, site)


def test_what_was_under_way_arrives_and_nothing_twice(upgraded: Upgraded) -> None:
    assert upgraded.idle, upgraded.aws.backlog()
    stories = [story for publication in upgraded.site.publications for story in publication.stories]
    expected = {s.title for s in stories if s.answer not in ("missing", "disallowed") and s.slug != "cable-car"}
    assert Counter(record.title for record in upgraded.stored) == Counter(expected)


def test_each_channel_hears_of_each_article_once_across_the_update(upgraded: Upgraded) -> None:
    assert set(upgraded.posts.values()) == {1}
    heard = Counter(path for path, _ in upgraded.posts)
    assert heard == {"/slack/town": len(upgraded.stored), "/webhook/archive": len(upgraded.stored)}


def test_what_was_stored_before_is_untouched(upgraded: Upgraded) -> None:
    before = {
        item["id"]["S"]: item["content_hash"]["S"] for item in load("tables/ArticlesTable.json") if "s3_key" in item
    }
    after = {record.id: record.content_hash for record in upgraded.stored}
    assert before.items() <= after.items()
    s3, bucket = upgraded.aws.client("s3"), upgraded.aws.resource("Bucket")
    for record in upgraded.stored:
        assert s3.head_object(Bucket=bucket, Key=record.s3_key)["ContentLength"] > 0


def test_nothing_is_found_again_after_it(upgraded: Upgraded) -> None:
    answer = upgraded.aws.invoke("DiscoverFunction", {"job": "poll", "force": True})
    assert answer.error is None
    assert not {"found", "failed", "incomplete"} & set(answer.result)


# ---- the update itself, as CloudFormation makes it ---------------------------------------------------------------


@pytest.fixture(scope="module")
def templates() -> tuple[dict[str, Any], dict[str, Any]]:
    return translate(RELEASE / "template.yaml", {}, "us-east-1"), translate(TEMPLATE, {}, "us-east-1")


def test_what_holds_data_is_updated_in_place(templates: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = (template["Resources"] for template in templates)
    for key, resource in old.items():
        if resource["Type"] not in (*HOLDING, "AWS::SQS::Queue"):
            continue
        assert new[key]["Type"] == resource["Type"], key
        for name in ("BucketName", "TableName", "QueueName", "KeySchema", "FifoQueue"):  # changed, they replace it
            assert new[key]["Properties"].get(name) == resource["Properties"].get(name), (key, name)


def test_a_table_gains_or_loses_one_index_at_most(templates: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """CloudFormation refuses an update that creates or deletes more than one, or changes one."""
    old, new = (template["Resources"] for template in templates)
    for key in (key for key, resource in old.items() if resource["Type"] == "AWS::DynamoDB::Table"):
        before, after = (
            {index["IndexName"]: index for index in resources[key]["Properties"].get("GlobalSecondaryIndexes", [])}
            for resources in (old, new)
        )
        assert len(before.keys() ^ after.keys()) <= 1, key
        for name in before.keys() & after.keys():
            assert before[name]["KeySchema"] == after[name]["KeySchema"]
            assert before[name]["Projection"] == after[name]["Projection"]


def test_the_parameters_somebody_gave_are_still_there(templates: tuple[dict[str, Any], dict[str, Any]]) -> None:
    old, new = (template["Parameters"] for template in templates)
    assert old.keys() <= new.keys()
    assert all("Default" in parameter for parameter in new.values())
    assert templates[0]["Outputs"].keys() <= templates[1]["Outputs"].keys()
