"""The sample events: each is of the shape AWS sends, its bodies are ours, and the function it is for exists."""

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broadsheet import shares, urls, websub
from broadsheet.queue import MessageError, decode, encode, group
from broadsheet.store import object_key, record_from_item
from local.embedded import TEMPLATE
from local.invoke import DAY, SITE_HOST, SUBSCRIPTION, function_of
from local.patterns import matches
from local.stack import translate

EVENTS = sorted((TEMPLATE.parent / "events").glob("*.json"))
PARSE = [path for path in EVENTS if path.name.startswith("parse-")]
SHARE = TEMPLATE.parent / "events" / "discover-share.json"
STREAM = [path for path in EVENTS if path.name in ("notify-insert.json", "notify-update.json")]
POISON = "parse-poison.json"


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def resources() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = translate(TEMPLATE, {}, "us-east-1")["Resources"]
    return found


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_the_function_it_is_for_exists(path: Path, resources: dict[str, dict[str, Any]]) -> None:
    assert resources[function_of(path)]["Type"] == "AWS::Lambda::Function"


def test_every_function_has_events(resources: dict[str, dict[str, Any]]) -> None:
    functions = {key for key, resource in resources.items() if resource["Type"] == "AWS::Lambda::Function"}
    assert {function_of(path) for path in EVENTS} == functions


def test_schedules_send_the_events_that_are_here(resources: dict[str, dict[str, Any]]) -> None:
    targets = [r["Properties"]["Target"] for r in resources.values() if r["Type"] == "AWS::Scheduler::Schedule"]
    sent = {(target["Arn"]["Fn::GetAtt"][0], target["Input"]) for target in targets}
    here = {(function_of(path), json.dumps(load(path))) for path in EVENTS}
    assert sent <= here


@pytest.mark.parametrize("path", [*PARSE, SHARE], ids=lambda path: path.stem)
def test_queue_records_are_as_lambda_hands_them_over(path: Path) -> None:
    records = load(path)["Records"]
    assert records
    for record in records:
        assert record["eventSource"] == "aws:sqs"
        assert re.fullmatch(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:\S+", record["eventSourceARN"])
        assert record["md5OfBody"] == hashlib.md5(record["body"].encode()).hexdigest()
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert len({record["messageId"] for record in records}) == len(records)


@pytest.mark.parametrize("path", PARSE, ids=lambda path: path.stem)
def test_messages_are_what_discover_would_have_sent(path: Path) -> None:
    read = []
    for record in load(path)["Records"]:
        try:
            message = decode(record["body"], message_id=record["messageId"])
        except MessageError:
            assert path.name == POISON
            continue
        assert encode(message) == record["body"]
        assert message.id == urls.article_id(message.url)
        assert urls.clean(message.url).startswith(f"http://{SITE_HOST}:880")
        assert record["attributes"]["MessageGroupId"] == group(message.url)
        assert f"{message.first_seen:%Y-%m-%d}" == DAY
        read.append(message)
    assert read
    if path.name == POISON:
        assert len(read) < len(load(path)["Records"])


def test_the_share_is_what_another_run_would_have_sent() -> None:
    (record,) = load(SHARE)["Records"]
    share = shares.decode(record["body"], message_id="")
    assert msgspec.json.encode(share).decode() == record["body"]


@pytest.mark.parametrize("name", ["push", "forged", "agree", "stranger"])
def test_hubs_requests_are_as_a_function_url_hands_them_over(name: str) -> None:
    event = load(TEMPLATE.parent / "events" / f"callback-{name}.json")
    assert event["version"] == "2.0"
    place = websub.read_path(event["rawPath"])
    assert place is not None
    assert websub.is_token(SUBSCRIPTION, place[1]) == (name != "stranger")
    if "body" in event:
        signed = websub.is_signed(SUBSCRIPTION, event["headers"]["x-hub-signature"], event["body"].encode())
        assert signed == (name == "push")


def test_the_duplicates_are_of_one_article() -> None:
    bodies = [record["body"] for record in load(TEMPLATE.parent / "events" / "parse-duplicate.json")["Records"]]
    messages = [decode(body, message_id="") for body in bodies]
    assert len({message.id for message in messages}) == 1
    assert len({message.url for message in messages}) == 2


def test_the_feeds_text_is_all_of_it() -> None:
    (record,) = load(TEMPLATE.parent / "events" / "parse-feed-text.json")["Records"]
    entry = decode(record["body"], message_id="").entry
    assert entry is not None
    assert entry.text.count("<p") >= 3


@pytest.mark.parametrize("path", STREAM, ids=lambda path: path.stem)
def test_stream_records_hold_a_record_and_pass_the_filter(path: Path, resources: dict[str, dict[str, Any]]) -> None:
    mapping = resources["NotifyFunctionCommits"]["Properties"]
    (pattern,) = (json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"])
    for change in load(path)["Records"]:
        assert matches(pattern, change)
        assert change["dynamodb"]["StreamViewType"] == "NEW_IMAGE"
        record = record_from_item(change["dynamodb"]["NewImage"])
        assert change["dynamodb"]["Keys"]["id"]["S"] == record.id == urls.article_id(record.url)
        assert (record.outbox_at or "").startswith(DAY)
        assert record.s3_key == object_key(record.id, record.source, datetime.fromisoformat(record.first_seen))
